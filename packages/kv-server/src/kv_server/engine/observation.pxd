"""How what was seen of calls is laid out."""

cimport cython

from kv_server.engine.executor cimport Executor
from kv_server.engine.session cimport Session
from kv_server.engine.tallies cimport Figures
from kv_server.engine.ticks cimport Ticks
from kv_server.engine.tx cimport Tx


cdef class Observation:
    cdef public Ticks ticks
    cdef public object engine, slow, warn, samples, longest, counted, note, errors, codes
    cdef public dict monitors
    cdef public list noted
    cdef public long long runs
    cdef public object monitor_bytes, slower_than_us, threshold_ms, stuck_ms, tracking
    cdef public double least_s
    cdef object _hot, _numbers, _unshown
    @cython.locals(figures=Figures)
    cpdef ran(self, session, command, long long calls, double spent_s, long long revision)
    @cython.locals(engine=Executor, tx=Tx)
    cpdef wrote(self, Session session, str command, long long revision)
    @cython.locals(row=Figures, calls=cython.longlong, spent_s=double, mean_s=double)
    cpdef settle(self)
