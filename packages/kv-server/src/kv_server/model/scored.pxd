"""Sorted sets in C memory: what `sorted.h` does with packed ones and large ones."""

from libc.stdint cimport uint16_t, uint32_t

from kv_server.model.crowd cimport Crowd


cdef extern from "scored.h":
    pass

cdef extern from "scored_few.h":
    pass

cdef extern from "sorted.h":
    ctypedef struct Few:
        unsigned char* block
        uint32_t size
        uint16_t count
        uint16_t large

    ctypedef enum Side:
        BELOW_BOTH
        BELOW_SCORE
        UP_TO_SCORE
        BELOW_MEMBER
        UP_TO_MEMBER

    ctypedef struct Key:
        double score
        const char* bytes
        size_t length
        Side side

    enum:
        FEW_MOST

    double few_score(const Few*, uint32_t) noexcept
    size_t few_length(const Few*, uint32_t) noexcept
    const char* few_member(const Few*, uint32_t) noexcept
    uint32_t few_after(const Few*, uint32_t) noexcept
    uint32_t few_at(const Few*, uint32_t) noexcept
    const uint16_t* few_order(const Few*) noexcept

    int scored_put(Crowd*, double, const char*, size_t, int) noexcept
    int scored_rank(Crowd*) noexcept

    Crowd* large_of(const Few*) noexcept
    uint32_t sorted_count(const Few*) noexcept
    size_t sorted_bytes(const Few*) noexcept
    uint32_t sorted_below(const Few*, const Key*) noexcept
    bint sorted_find(const Few*, const char*, size_t, double*) noexcept
    void sorted_adopt(Few*, Crowd*) noexcept
    int sorted_put(Few*, double, const char*, size_t) noexcept
    int sorted_remove(Few*, const char*, size_t) noexcept
    int sorted_copy(Few*, const Few*) noexcept
    void sorted_free(Few*) noexcept
