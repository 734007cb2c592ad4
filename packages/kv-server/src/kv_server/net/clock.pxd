"""How the clock is laid out where it is compiled."""

cimport cython

from kv_server.net.wire cimport elapsed_ns

cdef long long _NS_PER_MS, _SLEW, _LOOK_EVERY_NS


cdef class Clock:
    cdef readonly object timer
    cdef object _wall, _elapsed
    cdef readonly long long now_ms, elapsed_ms
    cdef long long _last, _offset, _drift
    cdef bint _own

    cpdef tuple read(self)
    @cython.locals(elapsed=cython.longlong, most=cython.longlong, step=cython.longlong)
    cpdef tick(self)
