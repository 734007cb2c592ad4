"""How patience is laid out where it is compiled."""

cimport cython


cdef class Patience:
    cdef long long _left, _rest, _next_rest
    cpdef bint worth_it(self) except -1
    cpdef hit(self)
    cpdef miss(self)
