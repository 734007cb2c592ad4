/* Sorted sets, be they packed or large. */
#ifndef KV_SORTED_H
#define KV_SORTED_H

#include "scored.h"
#include "scored_few.h"

static inline Crowd *large_of(const Few *few) { return (Crowd *)(void *)few->block; }

static inline uint32_t sorted_count(const Few *few) { return few->large ? large_of(few)->count : few->count; }

static inline size_t sorted_bytes(const Few *few) { return few->large ? crowd_bytes(large_of(few)) : few_bytes(few); }

static inline uint32_t sorted_below(const Few *few, const Key *key) {
    return few->large ? ranks_below(&large_of(few)->ranks, key) : few_below(few, key);
}

/* Whether a member is there, and its score. */
static inline int sorted_find(const Few *few, const char *bytes, size_t length, double *score) {
    if (few->large) {
        uint64_t hash;
        Item *item = crowd_find(large_of(few), bytes, length, &hash);
        if (item) *score = *score_of(item);
        return item != NULL;
    }
    uint32_t at = few_find(few, bytes, length);
    if (at < few->size) *score = few_score(few, at);
    return at < few->size;
}

/* Be large from here on. */
static void sorted_adopt(Few *few, Crowd *scored) {
    if (!few->large) PyMem_Free(few->block);
    *few = (Few){(unsigned char *)scored, 0, 0, 1};
}

static int sorted_enlarge(Few *few) {
    Crowd *made = crowd_new(OF_SCORES);
    if (!made) return -1;
    for (uint32_t at = 0; at < few->size; at = few_after(few, at))
        if (scored_put(made, few_score(few, at), few_member(few, at), few_length(few, at), 1) < 0) {
            crowd_free_some(&made, SIZE_MAX);
            return -1;
        }
    sorted_adopt(few, made);
    return 0;
}

/* Give a member a score; -1 if there is no memory. */
static int sorted_put(Few *few, double score, const char *bytes, size_t length) {
    score += 0.0; /* of -0.0 this makes 0.0 */
    if (!few->large) {
        uint32_t at = few_find(few, bytes, length);
        if (at < few->size) {
            few_score_again(few, at, score);
            return 0;
        }
        if (length <= FEW_LENGTH && few->count < FEW_MOST) return few_add(few, score, bytes, length);
        if (sorted_enlarge(few)) return -1;
    }
    return scored_put(large_of(few), score, bytes, length, 1) < 0 ? -1 : 0;
}

/* Take out a member; -1 if it is not there. The last takes its place. */
static int sorted_remove(Few *few, const char *bytes, size_t length) {
    if (few->large) {
        uint64_t hash;
        Item *item = crowd_find(large_of(few), bytes, length, &hash);
        if (!item) return -1;
        crowd_remove(large_of(few), item, hash);
        return 0;
    }
    uint32_t at = few_find(few, bytes, length);
    if (at == few->size) return -1;
    few_remove(few, at);
    return 0;
}

static int sorted_copy(Few *made, const Few *from) {
    if (!from->large) return few_copy(made, from);
    Crowd *copy = crowd_copy(large_of(from));
    if (!copy) return -1;
    sorted_adopt(made, copy);
    return 0;
}

static void sorted_free(Few *few) {
    Crowd *large = few->large ? large_of(few) : NULL;
    if (large) crowd_free_some(&large, SIZE_MAX);
    else PyMem_Free(few->block);
    *few = (Few){0};
}

#endif
