from libc.stdint cimport int64_t

cdef class Account:
    cdef public int64_t bytes, keys, most_bytes, most_keys
    cdef public Account whole
    cdef public object press
    cpdef object grow(self, int64_t delta)
