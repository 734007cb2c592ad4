from libc.stdint cimport int64_t

from kv_server.model.entry cimport Packed


cdef class Hash(Packed):
    pass


cpdef bint has(Hash self, bytes field) except -1
cpdef bytes get(Hash self, bytes field)
cpdef int64_t put(Hash self, bytes field, bytes blob) except? -1
cpdef int64_t drop(Hash self, bytes field) except? -1
