"""How the figures of calls are laid out where they are compiled."""


cdef class Figures:
    cdef public double spent_s, low, high
    cdef public long long failed, near
    cdef public list scales
    cdef int _scale
    cpdef add(self, long long calls, double mean_s)


cdef inline int add_up(Figures figures, long long calls, double spent_s) except -1:
    """Count and time calls that followed each other."""
    cdef double mean_s = spent_s / calls
    figures.spent_s += spent_s
    if figures.low <= mean_s < figures.high:
        figures.near += calls
    else:
        figures.add(calls, mean_s)
    return 0
