from libc.stdint cimport uint8_t

cdef enum:
    VALUE = 1
    MESSAGE = 0

cdef struct Out:
    uint8_t* start
    Py_ssize_t size
    Py_ssize_t room
    bint heap

cdef struct Place:
    const uint8_t* at
    const uint8_t* end

cdef void begin(Out* out, uint8_t* room, Py_ssize_t size) noexcept
cdef void finish(Out* out) noexcept
cdef bint put(Out* out, object item, int depth, bint of_value) except -1
cdef object read(Place* place, int depth, bint of_value)
