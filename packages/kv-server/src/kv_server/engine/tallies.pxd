"""How the figures of calls are laid out where they are compiled."""


cdef class Figures:
    cdef public double spent_s, low, high
    cdef public long long failed, near
    cdef public list scales
    cdef int _scale
    cpdef add(self, long long calls, double mean_s)
