from libc.stdint cimport uint32_t

cdef uint32_t slot_of(const char* key, size_t size) noexcept
cpdef Py_ssize_t shard_of(bytes key, int shift) except -1
