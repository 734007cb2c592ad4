cimport cython


cdef class Hot:
    cdef public int bit
    cdef public bint common
    cdef public object call


cdef class Openings:
    cdef object _first, _second
    cdef bytes _let
    cdef bint _rest
    @cython.locals(place=Py_ssize_t)
    cpdef bint let(self, first, second, int bit) except -1
