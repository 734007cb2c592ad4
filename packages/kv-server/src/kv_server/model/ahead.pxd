"""What will be looked for soon: what that will look at is asked of the memory before the first of it is."""

from libc.stdint cimport uint32_t, uint64_t

from kv_server.model.cells cimport Cells, hashed, home, likely, prefetch
from kv_server.model.crowd cimport Crowd, crowd_home, crowd_likely
from kv_server.model.entry cimport LARGE, Entry, Packed, container_of, form_of, kind_of
from kv_server.model.packed cimport crowd_of
from kv_server.model.scored cimport large_of
from kv_server.model.sharding cimport slot_of
from kv_server.model.table cimport Table
from kv_server.model.zset cimport SortedSet

cdef enum:
    WINDOW = 16  # of so many keys at once
    LINE = 64  # octets that come from memory together
    RANKED = 5  # the kind of a sorted set


cdef struct Sought:
    uint64_t code
    uint32_t shard


cdef inline Sought sought(const char* key, size_t size, int shift) noexcept:
    """Where *key* is to be looked for."""
    return Sought(hashed(key, size), slot_of(key, size) >> shift)


cdef inline void fetch(list tables, Sought* keys, size_t count) noexcept:
    """Have *count* of *keys* on their way."""
    cdef size_t place
    cdef Cells* cells
    cdef const char* entry
    for place in range(count):
        cells = &(<Table>tables[keys[place].shard]).now
        prefetch(cells.at + home(cells, keys[place].code))
    for place in range(count):
        cells = &(<Table>tables[keys[place].shard]).now
        entry = <const char*>likely(cells, keys[place].code)
        prefetch(entry)
        prefetch(entry + LINE)


cdef inline const Crowd* crowd_in(Entry entry) noexcept:
    """The crowd of a large hash, set or sorted set; NULL if it is anything else."""
    if form_of(entry) == LARGE:
        return crowd_of(<Packed>entry)
    if kind_of(entry) == RANKED and (<SortedSet>container_of(entry)).few.large:
        return large_of(&(<SortedSet>container_of(entry)).few)
    return NULL


cdef inline void fetch_names(const Crowd* crowd, uint64_t* codes, size_t count) noexcept:
    """Have *count* names with the hashes *codes* on their way."""
    cdef size_t place
    cdef const char* item
    for place in range(count):
        prefetch(crowd_home(crowd, codes[place]))
    for place in range(count):
        item = <const char*>crowd_likely(crowd, codes[place])
        prefetch(item)
        prefetch(item + LINE)
