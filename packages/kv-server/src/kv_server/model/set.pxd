from libc.stdint cimport int64_t

from kv_server.model.entry cimport Packed


cdef class Set(Packed):
    pass


cpdef bint has(Set self, bytes member) except -1
cpdef list which(Set self, names, bint there)
cpdef int64_t add(Set self, bytes member) except? -1
cpdef int64_t add_all(Set self, members) except? -1
cpdef int64_t remove(Set self, bytes member) except? -1
