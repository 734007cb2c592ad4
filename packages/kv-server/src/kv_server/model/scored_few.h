/* Small sorted sets in one block: each member with its score, in the order of places, and at the end of the block where
   they begin, in the order of ranks. */
#ifndef KV_SCORED_FEW_H
#define KV_SCORED_FEW_H

#include "members.h"

enum { FEW_MOST = 128, FEW_LENGTH = 64, FEW_HEAD = sizeof(double) + 1 };

typedef struct {
    unsigned char *block;
    uint32_t size; /* of the members; the block is as large as they and their ranks need, and a little room */
    uint16_t count;
    uint16_t large; /* the block is a `Crowd`, and all else here without meaning */
} Few;

static inline uint32_t few_room(uint32_t size, uint32_t count) {
    uint32_t needed = size + count * (uint32_t)sizeof(uint16_t), grain = 16;
    while (needed > grain << 4) grain <<= 1;
    return (needed + grain - 1) & ~(grain - 1);
}

static inline uint32_t few_room_of(const Few *few) { return few_room(few->size, few->count); }
static inline size_t few_bytes(const Few *few) { return few->count ? weighed(few_room_of(few)) : 0; }

static inline uint16_t *few_order(const Few *few) { return (uint16_t *)(few->block + few_room_of(few)) - few->count; }

static inline double few_score(const Few *few, uint32_t at) {
    double score;
    memcpy(&score, few->block + at, sizeof score);
    return score;
}

static inline size_t few_length(const Few *few, uint32_t at) { return few->block[at + sizeof(double)]; }
static inline const char *few_member(const Few *few, uint32_t at) { return (const char *)few->block + at + FEW_HEAD; }
static inline uint32_t few_after(const Few *few, uint32_t at) { return at + FEW_HEAD + few_length(few, at); }

/* Where a member begins; the size of all if it is not there. */
static uint32_t few_find(const Few *few, const char *bytes, size_t length) {
    uint32_t at = 0;
    while (at < few->size && (few_length(few, at) != length || memcmp(few_member(few, at), bytes, length)))
        at = few_after(few, at);
    return at;
}

static uint32_t few_at(const Few *few, uint32_t place) {
    uint32_t at = 0;
    while (place--) at = few_after(few, at);
    return at;
}

static uint32_t few_below(const Few *few, const Key *key) {
    const uint16_t *order = few->count ? few_order(few) : NULL;
    uint32_t low = 0, high = few->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2, at = order[middle];
        if (stands_before(few_score(few, at), few_member(few, at), few_length(few, at), key)) low = middle + 1;
        else high = middle;
    }
    return low;
}

static inline Key few_key(const Few *few, uint32_t at) {
    return (Key){few_score(few, at), few_member(few, at), few_length(few, at), BELOW_BOTH};
}

/* Let *at* be in the order of ranks where *key* belongs, in the place of what is there at *from*. */
static void few_shift(Few *few, uint32_t from, uint32_t at, const Key *key) {
    uint16_t *order = few_order(few);
    uint32_t to = few_below(few, key);
    if (to > from) memmove(order + from, order + from + 1, (--to - from) * sizeof *order);
    else memmove(order + to + 1, order + to, (from - to) * sizeof *order);
    order[to] = (uint16_t)at;
}

static inline void few_set_score(Few *few, uint32_t at, double score) { memcpy(few->block + at, &score, sizeof score); }

/* Give the member at *at* another score. */
static void few_score_again(Few *few, uint32_t at, double score) {
    Key key = few_key(few, at);
    uint32_t from = few_below(few, &key);
    key.score = score;
    few_shift(few, from, at, &key);
    few_set_score(few, at, score);
}

/* Add a member that is not there yet, and is not too long; -1 if there is no memory. */
static int few_add(Few *few, double score, const char *bytes, size_t length) {
    Key key = {score, bytes, length, BELOW_BOTH};
    uint32_t size = few->size + FEW_HEAD + (uint32_t)length, at = few->size, rank = few_below(few, &key);
    uint32_t before = few_room_of(few), after = few_room(size, few->count + 1u), ranks = few->count * sizeof(uint16_t);
    if (after > before) {
        unsigned char *block = PyMem_Realloc(few->block, after);
        if (!block) return -1;
        few->block = block;
        memmove(block + after - ranks, block + before - ranks, ranks);
    }
    few_set_score(few, at, score);
    few->block[at + sizeof(double)] = (unsigned char)length;
    memcpy(few->block + at + FEW_HEAD, bytes, length);
    few->size = size;
    few->count++;
    uint16_t *order = few_order(few);
    memmove(order, order + 1, rank * sizeof *order);
    order[rank] = (uint16_t)at;
    return 0;
}

/* Take out what is at *at*; the last takes its place. */
static void few_remove(Few *few, uint32_t at) {
    unsigned char moved[FEW_HEAD + FEW_LENGTH];
    Key key = few_key(few, at);
    uint16_t *order = few_order(few);
    uint32_t rank = few_below(few, &key), gone = few_after(few, at) - at, last = 0, count = few->count;
    for (uint32_t each = 0; each < count; each++) last = order[each] > last ? order[each] : last;
    uint32_t tail = few->size - last, between = last - at - gone;
    memmove(order + 1, order, rank * sizeof *order);
    order++;
    if (at != last) {
        memcpy(moved, few->block + last, tail);
        memmove(few->block + at + tail, few->block + at + gone, between);
        memcpy(few->block + at, moved, tail);
        for (uint32_t each = 0; each + 1 < count; each++) {
            if (order[each] == last) order[each] = (uint16_t)at;
            else if (order[each] > at) order[each] = (uint16_t)(order[each] + tail - gone);
        }
    }
    uint32_t before = few_room_of(few), after = few_room(few->size - gone, count - 1u);
    uint32_t ranks = (count - 1u) * sizeof(uint16_t);
    few->size -= gone;
    few->count--;
    if (!few->count) {
        PyMem_Free(few->block);
        few->block = NULL;
        return;
    }
    if (after == before) return;
    memmove(few->block + after - ranks, few->block + before - ranks, ranks);
    unsigned char *block = PyMem_Realloc(few->block, after);
    if (block) few->block = block;
}

static int few_copy(Few *made, const Few *from) {
    unsigned char *block = from->count ? PyMem_Malloc(few_room_of(from)) : NULL;
    if (!block) return from->count ? -1 : 0;
    memcpy(block, from->block, few_room_of(from));
    *made = *from;
    made->block = block;
    return 0;
}

#endif
