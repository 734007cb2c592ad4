cimport cython

from kv_server.engine.groups cimport Group
from kv_server.engine.history cimport History
from kv_server.engine.session cimport Session
from kv_server.engine.tx cimport Tx
from kv_server.engine.watchers cimport Watchers
from kv_server.model.store cimport Store
from kv_server.spec.gate cimport Hot, Openings


cdef class Executor:
    cdef public Store store
    cdef public Tx tx
    cdef public Watchers watchers
    cdef public History history
    cdef public object most_parked, open, served, refusal, careful, watched, channels, notifications
    cdef public object node, due
    cdef public Group journal
    cdef public list sinks
    cdef public long long now_ms, elapsed_ms, calls, hits, misses
    cdef public bint writable, _serving
    cdef Openings _let
    @cython.locals(hot=Hot, tx=Tx)
    cpdef object execute(
        self, Session session, request_id, command, args, options, dict meta
    )
    @cython.locals(tx=Tx)
    cpdef settle(self, Session session, command, bint common, seq, reply, dict meta)
    @cython.locals(tx=Tx, gone=dict, authors=list)
    cpdef remember(self, command=*)
