from libc.stdint cimport int64_t, uint16_t


cdef class List:
    cdef unsigned char* block  # of a large one, its `Chunks`
    cdef uint16_t count
    cdef uint16_t size
    cdef bint large
    cpdef int64_t push(self, bint left, blobs) except? -1
    cpdef tuple pop(self, bint left, Py_ssize_t count)
