"""Crowds, and what is done with them: see `crowd.h`."""

from libc.stdint cimport uint32_t, uint64_t


cdef extern from "hashing.h":
    int seed_hashing() except -1


cdef extern from "members.h":
    pass

cdef extern from "pages.h":
    pass

cdef extern from "ranks.h":
    pass

cdef extern from "crowd.h":
    ctypedef struct Item:
        uint32_t length
        char* bytes

    ctypedef struct Rank:
        Item* item

    ctypedef struct Leaf:
        uint32_t count
        Rank* ranks

    ctypedef struct Ranks:
        pass

    ctypedef struct Crowd:
        Ranks ranks
        Item* first
        uint32_t count
        bint placed

    enum:
        OF_MEMBERS
        OF_SCORES
        OF_FIELDS

    const Leaf* leaf_with(const Ranks*, uint32_t*) noexcept
    Crowd* crowd_new(uint32_t) noexcept
    size_t crowd_bytes(const Crowd*) noexcept
    double* score_of(Item*) noexcept
    char* value_of(Item*) noexcept
    uint32_t value_size(const Item*) noexcept
    Item* item_at(const Crowd*, uint32_t) noexcept
    Item* item_after(Item*) noexcept
    int crowd_place(Crowd*) noexcept
    Item* crowd_find(const Crowd*, const char*, size_t, uint64_t*) noexcept
    const void* crowd_home(const Crowd*, uint64_t) noexcept
    const void* crowd_likely(const Crowd*, uint64_t) noexcept
    int crowd_join(Crowd*, const char*, size_t) noexcept
    int crowd_put(Crowd*, const char*, size_t, const char*, size_t) noexcept
    void crowd_remove(Crowd*, Item*, uint64_t) noexcept
    void crowd_unlink(Crowd*, Item*, uint64_t, void**) noexcept
    void crowd_move_up(Crowd*) noexcept
    size_t crowd_free_some(Crowd**, size_t) noexcept
    size_t chain_free(void**, size_t) noexcept
    Crowd* crowd_copy(const Crowd*) noexcept
