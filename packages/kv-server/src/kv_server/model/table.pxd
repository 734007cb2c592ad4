from libc.stdint cimport int64_t, uint32_t, uint64_t

from kv_server.model.account cimport Account
from kv_server.model.cells cimport Cells
from kv_server.model.entry cimport Entry


cdef class Table:
    cdef public Account home
    cdef public object cache, order
    cdef public int64_t due_ms, bytes, arrivals, expiring
    cdef Cells now, old
    cdef size_t moved, count, rest
    cdef uint64_t* heap
    cdef size_t deadlines, room
    cdef list ready  # a heap of keys with the deadline *ready_ms*, which has passed
    cdef int64_t ready_ms
    cdef Entry seek(self, const char* key, size_t length, uint64_t code)
    cdef Entry lay(self, const char* key, size_t length, uint64_t code, Entry entry)
    cdef Entry lay_blob(self, const char* key, size_t length, uint64_t code, const char* blob, size_t size,
                        uint64_t version, int64_t expires_ms)
    cdef int enter(self, Entry entry, uint64_t code) except -1
    cdef int swap(self, Entry entry, Entry made, uint64_t code) except -1
    cdef Entry renew(self, Entry entry, const char* blob, size_t size, uint64_t version)
    cdef Entry take(self, const char* key, size_t length, uint64_t code)
    cdef void wipe(self, Cells* cells) noexcept
    cdef int remake(self, size_t size) except -1
    cdef void move(self, size_t most) noexcept
    cdef list all(self)
    cdef int account(self, int64_t grown, int64_t expires_ms, uint64_t code) except -1
    cdef void sink(self, size_t at) noexcept
    cdef Entry due(self, uint64_t deadline, list found)
    cdef int gather(self, size_t at, unsigned char* seen, list found) except -1
    cpdef int64_t first_due(self) noexcept
    cdef bint shared(self) noexcept
    cdef int drop_deadline(self) except -1
    cdef int sweep(self) except -1
    cdef int sweep_cells(self, Cells* cells) except -1
    cdef int add_deadline(self, int64_t at_ms, uint64_t code) except -1
    cpdef Entry get(self, bytes key)
    cpdef Entry put(self, bytes key, Entry entry)
    cpdef Entry replace(self, bytes key, Entry entry, bytes value, uint64_t version)
    cpdef Entry remove(self, bytes key)
    cpdef object content(self, Entry entry, uint32_t kind)
    cpdef object set_expiry(self, bytes key, Entry entry, int64_t expires_ms)
    cpdef object grow(self, int64_t delta)
    cdef int reserve(self, size_t more, size_t count) except -1
