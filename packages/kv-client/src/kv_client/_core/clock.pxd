cdef class ServerClock:
    cdef public bint known
    cdef double _error_ms
    cdef double _offset_ms
    cdef double _shift_ms
    cdef double _measured
    cdef double _moment
    cdef object _stamp

    cpdef stamp(self, double moment)
