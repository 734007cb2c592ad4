/* Large sorted sets: each member an item, items by place, the table that finds them and the tree that ranks them. */
#ifndef KV_SCORED_H
#define KV_SCORED_H

#include "ranks.h"

typedef struct {
    Table table;
    Ranks ranks;
    Item **items; /* by place, and room for more */
    size_t held;
    uint32_t count, room;
} Scored;

static size_t scored_bytes(const Scored *scored) {
    size_t directory = weighed(sizeof(Segment *) << scored->table.depth);
    size_t places = weighed(scored->room * sizeof(Item *));
    return weighed(sizeof(Scored)) + scored->held + places + directory + scored->table.held + scored->ranks.held;
}

static Scored *scored_new(void) {
    Scored *made = PyMem_Calloc(1, sizeof(Scored));
    if (made && table_begin(&made->table)) {
        PyMem_Free(made);
        return NULL;
    }
    return made;
}

static inline size_t item_size(size_t length) { return offsetof(Item, bytes) + length; }

static Item *item_new(Scored *scored, double score, const char *bytes, size_t length) {
    Item *made = length < UINT32_MAX ? PyMem_Malloc(item_size(length)) : NULL;
    if (!made) return NULL;
    if ((uintptr_t)made & ~POINTER_MASK) {
        PyMem_Free(made);
        return NULL;
    }
    made->score = score;
    made->length = (uint32_t)length;
    memcpy(made->bytes, bytes, length);
    scored->held += weighed(item_size(length));
    return made;
}

static void item_free(Scored *scored, Item *item) {
    scored->held -= weighed(item_size(item->length));
    PyMem_Free(item);
}

/* What is at a place, and soon what comes after it. */
static inline Item *item_at(const Scored *scored, uint32_t place) {
#ifdef __GNUC__
    if (place + 8 < scored->count) __builtin_prefetch(scored->items[place + 8]);
#endif
    return scored->items[place];
}

static int scored_reserve(Scored *scored) {
    if (scored->count < scored->room) return 0;
    if (scored->count > UINT32_MAX / 8 * 7 - 16) return -1;
    uint32_t room = scored->count + scored->count / 8 + 16;
    Item **more = PyMem_Realloc(scored->items, room * sizeof(Item *));
    if (!more) return -1;
    scored->items = more;
    scored->room = room;
    return 0;
}

static void scored_spare(Scored *scored) {
    if (scored->room < 2 * (size_t)scored->count + 64) return;
    uint32_t room = scored->count + scored->count / 8 + 16;
    Item **less = PyMem_Realloc(scored->items, room * sizeof(Item *));
    if (!less) return;
    scored->items = less;
    scored->room = room;
}

static inline Item *scored_find(const Scored *scored, const char *bytes, size_t length, uint64_t *hash) {
    *hash = hashed(bytes, length);
    return table_find(&scored->table, bytes, length, *hash);
}

/* Give a member a score: 1 if it is new, -1 if there is no memory, and then nothing has changed. Unless *ranked*, the
   tree is not told: `scored_rank` tells it of all. */
static int scored_put(Scored *scored, double score, const char *bytes, size_t length, int ranked) {
    uint64_t hash;
    Item *item = scored_find(scored, bytes, length, &hash);
    if (item) {
        double old = item->score;
        if (ranked && old != score && !ranks_shift(&scored->ranks, old, score, item)) {
            if (ranks_add(&scored->ranks, score, item)) return -1;
            ranks_remove(&scored->ranks, old, item);
        }
        item->score = score;
        return 0;
    }
    if (scored_reserve(scored) || table_reserve(&scored->table, hash)) return -1;
    item = item_new(scored, score, bytes, length);
    if (!item) return -1;
    if (ranked && ranks_add(&scored->ranks, score, item)) {
        item_free(scored, item);
        return -1;
    }
    item->place = scored->count;
    scored->items[scored->count++] = item;
    table_add(&scored->table, item, hash);
    return 1;
}

/* Take out *item*; the last takes its place. */
static void scored_remove(Scored *scored, Item *item, uint64_t hash) {
    Item *last = scored->items[--scored->count];
    ranks_remove(&scored->ranks, item->score, item);
    table_remove(&scored->table, item, hash);
    last->place = item->place;
    scored->items[item->place] = last;
    item_free(scored, item);
    scored_spare(scored);
}

/* Take out *item* but for its place, and add it to the *chain* of those to be freed. */
static void scored_unlink(Scored *scored, Item *item, uint64_t hash, Item **chain) {
    ranks_remove(&scored->ranks, item->score, item);
    table_remove(&scored->table, item, hash);
    scored->held -= weighed(item_size(item->length));
    scored->items[item->place] = NULL;
    memcpy(item, chain, sizeof *chain);
    *chain = item;
}

/* Free up to *count* items of a chain, and return how many that were. */
static size_t chain_free(Item **chain, size_t count) {
    size_t freed = 0;
    for (; *chain && freed < count; freed++) {
        Item *item = *chain;
        memcpy(chain, item, sizeof *chain);
        PyMem_Free(item);
    }
    return freed;
}

/* Let the others move up where items were unlinked. */
static void scored_move_up(Scored *scored) {
    uint32_t kept = 0;
    for (uint32_t at = 0; at < scored->count; at++) {
        if (!scored->items[at]) continue;
        scored->items[at]->place = kept;
        scored->items[kept++] = scored->items[at];
    }
    scored->count = kept;
    scored_spare(scored);
}

/* ---- all at once */
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
static int scored_rank(Scored *scored) {
    size_t count = scored->count, at = 0;
    Rank *ranks = count ? PyMem_Malloc(2 * count * sizeof(Rank)) : NULL;
    if (!ranks) return count ? -1 : 0;
    for (; at < count; at++) ranks[at] = (Rank){scored->items[at]->score, scored->items[at]};
    Rank *sorted = ranks_sorted(ranks, ranks + count, count);
    for (at = 0; at < count && !ranks_add(&scored->ranks, sorted[at].score, sorted[at].item);) at++;
    PyMem_Free(ranks);
    return at < count ? -1 : 0;
}

/* Free up to *count* items, and after the last of them everything, which leaves NULL; how many items that were. */
static size_t scored_free_some(Scored **link, size_t count) {
    Scored *scored = *link;
    size_t freed = 0;
    if (!scored) return 0;
    while (scored->count && freed < count) {
        item_free(scored, scored->items[--scored->count]);
        if (!(++freed % (LEAF_MOST / 2)) && scored->ranks.root) ranks_free_last(&scored->ranks);
    }
    if (scored->count) return freed;
    ranks_end(&scored->ranks);
    table_end(&scored->table);
    PyMem_Free(scored->items);
    PyMem_Free(scored);
    *link = NULL;
    return freed;
}

static Scored *scored_copy(const Scored *from) {
    Scored *made = PyMem_Calloc(1, sizeof(Scored));
    if (!made) return NULL;
    made->items = PyMem_Malloc((from->count + 1) * sizeof(Item *));
    if (!made->items) goto failed;
    made->room = from->count + 1;
    for (; made->count < from->count; made->count++) {
        const Item *item = from->items[made->count];
        Item *copy = item_new(made, item->score, item->bytes, item->length);
        if (!copy) goto failed;
        copy->place = item->place;
        made->items[made->count] = copy;
    }
    if (table_copy(&made->table, &from->table, made->items)) goto failed;
    made->ranks.height = from->ranks.height;
    if (from->ranks.root)
        made->ranks.root = branch_copy(&made->ranks, from->ranks.root, from->ranks.height, made->items);
    if (made->ranks.count == from->ranks.count) return made;
failed:
    ranks_end(&made->ranks);
    scored_free_some(&made, SIZE_MAX);
    return NULL;
}

#endif
