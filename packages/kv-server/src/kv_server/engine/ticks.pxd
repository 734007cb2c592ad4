from libc.stdint cimport uint64_t


cdef class Ticks:
    cdef object timer
    cdef bint own  # the system is asked, without Python
    cdef uint64_t counted
    cdef double lately
    cpdef double read(self) except? -1
    cpdef double roughly(self) except? -1
