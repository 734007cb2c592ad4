"""How the engine is laid out where it is compiled."""

cimport cython

from kv_server.engine.observation cimport Observation
from kv_server.engine.several cimport Several
from kv_server.engine.tx cimport Tx
from kv_server.model.space cimport Namespace
from kv_server.model.store cimport Store
from kv_server.model.table cimport Table


cdef class Engine(Several):
    cdef public object limits, catalog, dice, room, steering, listening, access, epoch
    cdef public dict sessions
    cdef public Observation observation
    cdef public long long started_ms, expired, expiry_lag_ms, last_session
    cdef public bint loading
    cpdef set_clocks(self, long long now_ms, long long elapsed_ms)
    @cython.locals(store=Store, more=bint)
    cpdef bint advance(self, long long now_ms, long long elapsed_ms) except -1
    @cython.locals(store=Store)
    cpdef next_due_ms(self)
    @cython.locals(store=Store, tx=Tx, space=Namespace, left=int)
    cpdef bint expire(self) except -1
    @cython.locals(tx=Tx)
    cpdef end_leases(self)
