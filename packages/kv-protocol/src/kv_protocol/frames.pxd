from libc.stdint cimport uint8_t


cdef class FrameReader:
    cdef readonly bytearray _held
    cdef readonly bytes _queued
    cdef Py_ssize_t _limit
    cdef Py_ssize_t _missing
    cdef public object failure

    cpdef list feed(self, bytes data, Py_ssize_t most=*)
    cdef Py_ssize_t _resume(self, bytes data, list bodies) except -1
    cdef int _fail(self, Py_ssize_t length) except -1
