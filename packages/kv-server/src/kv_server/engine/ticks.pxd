cdef class Ticks:
    cdef object timer
    cdef bint own  # the system is asked, without Python
    cpdef double read(self) except? -1
