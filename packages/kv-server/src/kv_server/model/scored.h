/* Crowds of members with scores: the tree of a crowd ranks them. */
#ifndef KV_SCORED_H
#define KV_SCORED_H

#include "crowd.h"

/* Give a member a score: 1 if it is new, -1 if there is no memory, and then nothing has changed. Unless *ranked*, the
   tree is not told: `scored_rank` tells it of all. */
static int scored_put(Crowd *scored, double score, const char *bytes, size_t length, int ranked) {
    uint64_t hash;
    Item *item = crowd_find(scored, bytes, length, &hash);
    if (item) {
        double old = *score_of(item);
        if (ranked && old != score && !ranks_shift(&scored->ranks, old, score, item)) {
            if (ranks_add(&scored->ranks, score, item)) return -1;
            ranks_remove(&scored->ranks, old, item);
        }
        *score_of(item) = score;
        return 0;
    }
    item = crowd_reserve(scored, hash) ? NULL : item_new(scored, bytes, length, 0);
    if (!item) return -1;
    *score_of(item) = score;
    if (ranked && ranks_add(&scored->ranks, score, item)) {
        PyMem_Free(start_of(scored, item));
        return -1;
    }
    crowd_add(scored, item, hash);
    return 1;
}

static inline int rank_before(const Rank *one, const Rank *other) {
    if (one->score != other->score) return one->score < other->score;
    return compared(one->item->bytes, one->item->length, other->item->bytes, other->item->length) < 0;
}

/* Sort *count* of *ranks* with room for as many, by merging runs. */
static Rank *ranks_sorted(Rank *ranks, Rank *room, size_t count) {
    for (size_t start = 0; start < count; start += 8)
        for (size_t at = start + 1; at < count && at < start + 8; at++) {
            Rank rank = ranks[at];
            size_t to = at;
            for (; to > start && rank_before(&rank, ranks + to - 1); to--) ranks[to] = ranks[to - 1];
            ranks[to] = rank;
        }
    for (size_t run = 8; run < count; run *= 2) {
        for (size_t start = 0; start < count; start += 2 * run) {
            size_t middle = start + run < count ? start + run : count;
            size_t end = middle + run < count ? middle + run : count;
            size_t left = start, right = middle, to = start;
            while (left < middle && right < end)
                room[to++] = rank_before(ranks + right, ranks + left) ? ranks[right++] : ranks[left++];
            memcpy(room + to, ranks + left, (middle - left) * sizeof(Rank));
            memcpy(room + to + middle - left, ranks + right, (end - right) * sizeof(Rank));
        }
        Rank *sorted = room;
        room = ranks, ranks = sorted;
    }
    return ranks;
}

/* Tell the tree, which knows of none, of all items. */
static int scored_rank(Crowd *scored) {
    size_t count = scored->count, at = 0;
    Rank *ranks = count ? PyMem_Malloc(2 * count * sizeof(Rank)) : NULL;
    if (!ranks) return count ? -1 : 0;
    for (; at < count; at++) ranks[at] = (Rank){*score_of(scored->items[at]), scored->items[at]};
    Rank *sorted = ranks_sorted(ranks, ranks + count, count);
    for (at = 0; at < count && !ranks_add(&scored->ranks, sorted[at].score, sorted[at].item);) at++;
    PyMem_Free(ranks);
    return at < count ? -1 : 0;
}

#endif
