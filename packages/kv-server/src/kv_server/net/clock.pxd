"""How the clock is laid out where it is compiled."""

cimport cython

cdef long long _NS_PER_MS, _SLEW, _LOOK_EVERY_NS


cdef class Clock:
    cdef readonly object timer
    cdef object _wall, _elapsed
    cdef long long _last, _offset, _drift

    @cython.locals(elapsed=cython.longlong, most=cython.longlong, step=cython.longlong)
    cpdef tuple read(self)
