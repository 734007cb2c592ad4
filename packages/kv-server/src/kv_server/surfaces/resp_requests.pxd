"""How the native request reader is laid out."""


cdef class RequestReader:
    cdef public Py_ssize_t max_bulk
    cdef public object failure
    cdef public bint http, wary
    cdef bytes _buffer
    cdef list _chunks, _words
    cdef Py_ssize_t _size, _need, _left, _total

    cpdef bint halfway(self)
    cpdef list feed(self, bytes data)
    cdef Py_ssize_t _most(self) noexcept
    cdef int _read(self, bytes data, list found) except -1
    cdef Py_ssize_t _read_one(self, bytes data, Py_ssize_t at, list found) except -1
    cdef Py_ssize_t _read_count(self, bytes data, Py_ssize_t at) except -2
    cdef Py_ssize_t _read_words(self, bytes data, Py_ssize_t at) except -2
    cdef Py_ssize_t _read_line(self, bytes data, Py_ssize_t at, list found) except -2
    cdef bint _take(self, bytes word, bint ended) except -1
    cdef bytes _joined(self)
