"""The cells of a table: each holds the address of an entry, or nothing.

The first sixteen and the last four bits of an address are free for as many of the seeded hash of the entry's key; these
say where it lies, and whoever collides goes to the next free cell. So no key is looked at when cells are moved.
"""

from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcmp

from kv_server.model.entry cimport Entry, key_of, key_size

cdef extern from "hashing.h" nogil:
    int seed_hashing() except -1
    uint64_t hashed(const char* octets, size_t length) noexcept

cdef extern from *:
    """
    #define TABLE_TAG 0xFFFF00000000000FULL
    """
    const uint64_t TAG "TABLE_TAG"  # the bits of a cell that are of its key's hash
    const uint64_t ADDRESS "(~TABLE_TAG)"  # those that say where its entry is

cdef extern from *:
    """
    #ifdef __GNUC__
    #define prefetch __builtin_prefetch
    #else
    #define prefetch(at) ((void)(at))
    #endif
    """
    void prefetch(const void* at) noexcept

cdef struct Cells:
    uint64_t* at
    size_t size, filled


cdef enum:
    GONE = 1  # a cell whose entry went, while others may lie behind it
    MOMENT = 16  # the bits of a deadline below its moment


cdef inline Entry entry_in(uint64_t cell):
    return <Entry><PyObject*>(cell & ADDRESS)


cdef inline uint64_t cell_of(Entry entry, uint64_t code) noexcept:
    return <uint64_t><PyObject*>entry | code & TAG


cdef inline uint64_t deadline_of(int64_t at_ms, uint64_t code) noexcept:
    """A moment, which is one that a datetime can say, with the first bits of a key's hash."""
    return <uint64_t>min(at_ms, <int64_t>0xFFFFFFFFFFFF) << MOMENT | code >> 48


cdef inline size_t home(Cells* cells, uint64_t code) noexcept:
    """Where the way of an entry begins, of which this is the code of its key or its cell."""
    return (code >> 48 << 4 | code & 15) * cells.size >> 20


cdef inline bint same(Entry entry, const char* key, size_t length) noexcept:
    return key_size(entry) == length and memcmp(key_of(entry), key, length) == 0


cdef inline uint64_t* find(Cells* cells, const char* key, size_t length, uint64_t code) noexcept:
    """The cell with the entry at *key*, or NULL."""
    cdef size_t at = home(cells, code)
    cdef uint64_t cell
    while True:
        cell = cells.at[at]
        if cell == 0:
            return NULL
        if not (cell ^ code) & TAG and cell != GONE and same(<Entry><PyObject*>(cell & ADDRESS), key, length):
            return cells.at + at
        at += 1
        if at == cells.size:
            at = 0


cdef inline uint64_t likely(Cells* cells, uint64_t code) noexcept:
    """Where the entry is, most likely, that has the hash *code*; 0 for nowhere. It was not looked at."""
    cdef size_t at = home(cells, code)
    while cells.at[at] and (cells.at[at] ^ code) & TAG:
        at += 1
        if at == cells.size:
            at = 0
    return cells.at[at] & ADDRESS


cdef inline void fill(Cells* cells, uint64_t cell) noexcept:
    """Copy *cell* into the first free one of its way."""
    cdef size_t at = home(cells, cell)
    while cells.at[at] > GONE:
        at += 1
        if at == cells.size:
            at = 0
    cells.filled += cells.at[at] == 0
    cells.at[at] = cell


cdef inline void empty(Cells* cells, uint64_t* cell) noexcept:
    """Free *cell*: for good, with those before it that wait for that, if nothing can lie behind it."""
    cdef size_t at = cell - cells.at
    cell[0] = GONE
    if cells.at[at + 1 if at + 1 < cells.size else 0] != 0:
        return
    while cells.at[at] == GONE:
        cells.at[at] = 0
        cells.filled -= 1
        at = (at if at else cells.size) - 1
