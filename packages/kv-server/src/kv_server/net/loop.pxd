"""How the loop is laid out where it is compiled."""

cimport cython

from kv_protocol.patience cimport Patience
from kv_server.engine.engine cimport Engine
from kv_server.engine.ticks cimport Ticks
from kv_server.net.clock cimport Clock
from kv_server.net.connections cimport Connections
from kv_server.net.peer cimport Peer
from kv_server.net.readiness cimport Readiness
from kv_server.net.wire cimport Events

cdef double _BUDGET_S, _PAUSE_S, _NAP_S, LOOK_S
cdef Py_ssize_t _FEW, _MANY


cdef class Pulse:
    cdef public long long rounds, failures
    cdef public double lag_ms, last_lag_ms, longest_lag_ms
    cdef public list lags
    cdef public tuple sampled, per_s


cdef class Loop:
    cdef public Pulse pulse
    cdef public bint hurries
    cdef Clock _clock
    cdef Engine _engine
    cdef Ticks _ticks
    cdef Readiness _readiness
    cdef Events _events
    cdef object _acceptor, _alarm
    cdef list _due
    cdef Patience _patience, _company
    cdef readonly object _gate
    cdef Connections _connections
    cdef int _gate_fd
    cdef long long _alarm_ms, _sweep_ms, _retry_ms
    cdef bint _more

    @cython.locals(connections=Connections, events=Events, peer=Peer, done=Py_ssize_t)
    cpdef round(self, double until)
    @cython.locals(connections=Connections, readiness=Readiness, events=Events, until=double)
    cpdef bint drain(self) except -1
    cpdef set_clocks(self)
    @cython.locals(due=list, clock=Clock, elapsed_ms=cython.longlong)
    cpdef _read_clocks(self)
    cpdef _advance(self, long long now_ms, long long elapsed_ms)
    @cython.locals(due_ms=cython.longlong)
    cpdef _set_alarm(self)
    cpdef _next_due_ms(self)
    cpdef send(self)
    @cython.locals(connections=Connections, readiness=Readiness, events=Events, until=double)
    cpdef _look(self)
    @cython.locals(began=double)
    cpdef _nap(self)
