"""How the loop is laid out where it is compiled."""

cimport cython

from kv_server.net.connections cimport Connections

cdef double _BUDGET_S, LOOK_S


cdef class Pulse:
    cdef public long long rounds, failures
    cdef public double lag_ms, last_lag_ms, longest_lag_ms
    cdef public list lags
    cdef public tuple sampled, per_s


cdef class Loop:
    cdef public Pulse pulse
    cdef object _engine, _clock, _readiness, _acceptor, _alarm, _patience
    cdef readonly object _gate
    cdef Connections _connections
    cdef int _gate_fd
    cdef long long _alarm_ms, _sweep_ms, _retry_ms
    cdef bint _more

    @cython.locals(connections=Connections, listeners=dict, fd=int, bits=int, done=Py_ssize_t)
    cpdef list round(self, list events, double until)
    cpdef set_clocks(self)
    cpdef _read_clocks(self)
    cpdef _advance(self, long long now_ms, long long elapsed_ms)
    @cython.locals(due_ms=cython.longlong)
    cpdef _set_alarm(self)
    cpdef _next_due_ms(self)
    cpdef send(self)
    @cython.locals(until=double)
    cpdef list _look(self)
