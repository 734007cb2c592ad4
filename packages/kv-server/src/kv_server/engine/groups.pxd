"""How the commits of a group are laid out: each is written as it comes, but for what the columns share."""

from libc.stdint cimport int64_t

from kv_server.model.growing cimport Growing

cdef struct Stamp:
    int64_t revision, now_ms, elapsed_ms


cdef class Group:
    cdef Growing out  # the effects of all commits, one after the other
    cdef Stamp* stamps
    cdef size_t count, places
    cdef bytes name  # of the first, as long as all others are of the same
    cdef list names
    cdef object pack
    cpdef append(self, row)
    cdef int begin(self, int64_t revision, int64_t now_ms, int64_t elapsed_ms, bytes name) except -1
    cdef int write(self, thing, int depth) except -1
    cdef char* about(self, Stamp stamp, bytes name, char opcode, int parts, const char* key, size_t size,
                     size_t more) except NULL
    cdef int put(self, Stamp stamp, bytes name, const char* key, size_t size, const char* blob, size_t length,
                 int64_t expires_ms) except -1
    cdef int drop(self, Stamp stamp, bytes name, const char* key, size_t size) except -1
