/* Crowds: many names in C memory, each an item, the table that finds them and the order in which they stand. Members of
   sets and sorted sets stand by place, the latter have scores; fields in the order in which they came, and each has a
   value, and a place only after somebody asked for places. */
#ifndef KV_CROWD_H
#define KV_CROWD_H

#include "pages.h"
#include "ranks.h"

#include <stddef.h>

typedef struct {
    Item *before, *after;
} Links;

enum { OF_MEMBERS = 0, OF_SCORES = sizeof(double), OF_FIELDS = sizeof(Links) }; /* what lies before each item */

typedef struct {
    Table table;
    Ranks ranks;        /* of scores */
    Item **items;       /* by place, and room for more */
    Item *first, *last; /* of fields */
    size_t held;
    uint32_t count, room, noted; /* of the room, what is accounted for: reads that want places change no account */
    uint16_t head, placed;
} Crowd;

static size_t crowd_bytes(const Crowd *crowd) {
    size_t directory = weighed(sizeof(Segment *) << crowd->table.depth);
    size_t places = weighed(crowd->noted * sizeof(Item *));
    return weighed(sizeof(Crowd)) + crowd->held + places + directory + crowd->table.held + crowd->ranks.held;
}

static Crowd *crowd_new(uint32_t head) {
    Crowd *made = PyMem_Calloc(1, sizeof(Crowd));
    if (made && table_begin(&made->table)) {
        PyMem_Free(made);
        return NULL;
    }
    if (!made) return NULL;
    made->head = (uint16_t)head;
    made->placed = head != OF_FIELDS;
    return made;
}

/* ---- items */
static inline double *score_of(Item *item) { return (double *)(void *)item - 1; }
static inline Links *links_of(Item *item) { return (Links *)(void *)item - 1; }
static inline char *value_of(Item *item) { return item->bytes + item->length + sizeof(uint32_t); }

static inline uint32_t value_size(const Item *item) {
    uint32_t size;
    memcpy(&size, item->bytes + item->length, sizeof size);
    return size;
}

static inline void set_value(Item *item, const char *bytes, uint32_t size) {
    memcpy(item->bytes + item->length, &size, sizeof size);
    memcpy(value_of(item), bytes, size);
}

static inline void *start_of(const Crowd *crowd, Item *item) { return (char *)item - crowd->head; }

/* The memory of an item with a value of that *size*: a little room lets values grow where they are. */
static inline size_t item_room(const Crowd *crowd, size_t length, size_t size) {
    size_t more = crowd->head == OF_FIELDS ? sizeof(uint32_t) + size : 0;
    return (crowd->head + offsetof(Item, bytes) + length + more + 15) & ~(size_t)15;
}

static inline size_t item_size(const Crowd *crowd, const Item *item) {
    return item_room(crowd, item->length, crowd->head == OF_FIELDS ? value_size(item) : 0);
}

static Item *item_new(const Crowd *crowd, const char *bytes, size_t length, size_t size) {
    if (length >= UINT32_MAX || size >= UINT32_MAX) return NULL;
    char *start = PyMem_Malloc(item_room(crowd, length, size));
    if (!start) return NULL;
    if ((uintptr_t)(start + crowd->head) & ~POINTER_MASK) {
        PyMem_Free(start);
        return NULL;
    }
    Item *made = (Item *)(void *)(start + crowd->head);
    made->length = (uint32_t)length;
    memcpy(made->bytes, bytes, length);
    return made;
}

static void item_free(Crowd *crowd, Item *item) {
    crowd->held -= weighed(item_size(crowd, item));
    PyMem_Free(start_of(crowd, item));
}

/* What is at a place, and soon what comes after it. */
static inline Item *item_at(const Crowd *crowd, uint32_t place) {
#ifdef __GNUC__
    if (place + 8 < crowd->count) __builtin_prefetch(crowd->items[place + 8]);
#endif
    return crowd->items[place];
}

static inline Item *item_after(Item *item) { return links_of(item)->after; }

/* ---- places */
/* Have room for so many places; -1 if there is no memory. */
static int crowd_resize(Crowd *crowd, size_t places) {
    size_t before = crowd->room * sizeof(Item *), bytes = array_room(places * sizeof(Item *));
    if (places > UINT32_MAX - PAGE_BYTES) return -1;
    if (before >= PAGES_FROM && bytes < PAGES_FROM) bytes = PAGES_FROM;
    Item **made = array_grown(crowd->items, before, bytes);
    if (!made) return -1;
    crowd->items = made;
    crowd->room = (uint32_t)(bytes / sizeof(Item *));
    return 0;
}

static inline size_t crowd_room(const Crowd *crowd) { return crowd->count + (size_t)crowd->count / 8 + 16; }

static void crowd_spare(Crowd *crowd) {
    if (crowd->room >= 2 * (size_t)crowd->count + 64) crowd_resize(crowd, crowd_room(crowd));
}

/* Give each field a place, in their order. */
static int crowd_place(Crowd *crowd) {
    if (crowd->placed) return 0;
    if (crowd_resize(crowd, crowd_room(crowd))) return -1;
    uint32_t at = 0;
    for (Item *item = crowd->first; item; item = item_after(item)) {
        item->place = at;
        crowd->items[at++] = item;
    }
    crowd->placed = 1;
    return 0;
}

/* ---- changes */
static inline Item *crowd_find(const Crowd *crowd, const char *bytes, size_t length, uint64_t *hash) {
    *hash = hashed(bytes, length);
    return table_find(&crowd->table, bytes, length, *hash);
}

static inline const void *crowd_home(const Crowd *crowd, uint64_t hash) { return table_home(&crowd->table, hash); }
static inline const void *crowd_likely(const Crowd *crowd, uint64_t hash) { return table_likely(&crowd->table, hash); }

/* See to it that one more with *hash* can be added; -1 if there is no memory. */
static inline int crowd_reserve(Crowd *crowd, uint64_t hash) {
    if (crowd->count > UINT32_MAX / 8 * 7 - 16) return -1;
    if (crowd->placed && crowd->count == crowd->room && crowd_resize(crowd, crowd_room(crowd))) return -1;
    return table_reserve(&crowd->table, hash);
}

static void crowd_link(Crowd *crowd, Item *item) {
    *links_of(item) = (Links){crowd->last, NULL};
    if (crowd->last) links_of(crowd->last)->after = item;
    else crowd->first = item;
    crowd->last = item;
}

/* Let its neighbours, or the ends, lead to *next* instead of *item* from the left, and to *last* from the right. */
static void crowd_bend(Crowd *crowd, Item *item, Item *next, Item *last) {
    Links links = *links_of(item);
    if (links.before) links_of(links.before)->after = next;
    else crowd->first = next;
    if (links.after) links_of(links.after)->before = last;
    else crowd->last = last;
}

/* Add *item*, for which there is room, as the last. */
static void crowd_add(Crowd *crowd, Item *item, uint64_t hash) {
    if (crowd->head == OF_FIELDS) crowd_link(crowd, item);
    item->place = crowd->count;
    if (crowd->placed) crowd->items[crowd->count] = item;
    crowd->count++;
    crowd->noted = crowd->room;
    crowd->held += weighed(item_size(crowd, item));
    table_add(&crowd->table, item, hash);
}

/* Add a name: 1 if it is new, -1 if there is no memory, and then nothing has changed. */
static int crowd_join(Crowd *crowd, const char *bytes, size_t length) {
    uint64_t hash;
    if (crowd_find(crowd, bytes, length, &hash)) return 0;
    Item *item = crowd_reserve(crowd, hash) ? NULL : item_new(crowd, bytes, length, 0);
    if (!item) return -1;
    crowd_add(crowd, item, hash);
    return 1;
}

/* Give *item* room for a value of that *size*: it may lie elsewhere then. */
static Item *crowd_fit(Crowd *crowd, Item *item, uint64_t hash, size_t size) {
    size_t before = item_size(crowd, item), after = item_room(crowd, item->length, size);
    if (before == after) return item;
    Item *made = item_new(crowd, item->bytes, item->length, size);
    if (!made) return NULL;
    made->place = item->place;
    *links_of(made) = *links_of(item);
    crowd_bend(crowd, item, made, made);
    if (crowd->placed) crowd->items[item->place] = made;
    table_swap(&crowd->table, item, made, hash);
    item_free(crowd, item);
    crowd->held += weighed(after);
    return made;
}

/* Give a field a value: 1 if it is new, -1 if there is no memory, and then nothing has changed. */
static int crowd_put(Crowd *crowd, const char *bytes, size_t length, const char *value, size_t size) {
    uint64_t hash;
    Item *item = crowd_find(crowd, bytes, length, &hash), *made = NULL;
    if (size >= UINT32_MAX) return -1;
    if (item) made = crowd_fit(crowd, item, hash, size);
    else if (!crowd_reserve(crowd, hash)) made = item_new(crowd, bytes, length, size);
    if (!made) return -1;
    set_value(made, value, (uint32_t)size);
    if (!item) crowd_add(crowd, made, hash);
    return !item;
}

/* Take out *item* but for its place. */
static void crowd_forget(Crowd *crowd, Item *item, uint64_t hash) {
    if (crowd->head == OF_SCORES) ranks_remove(&crowd->ranks, *score_of(item), item);
    if (crowd->head == OF_FIELDS) crowd_bend(crowd, item, links_of(item)->after, links_of(item)->before);
    table_remove(&crowd->table, item, hash);
}

/* Take out *item*; the last takes its place. */
static void crowd_remove(Crowd *crowd, Item *item, uint64_t hash) {
    crowd_forget(crowd, item, hash);
    crowd->count--;
    if (crowd->placed) {
        Item *last = crowd->items[crowd->count];
        last->place = item->place;
        crowd->items[item->place] = last;
        crowd_spare(crowd);
        crowd->noted = crowd->room;
    }
    item_free(crowd, item);
}

/* Take out *item* but for its place, and add it to the *chain* of those to be freed. */
static void crowd_unlink(Crowd *crowd, Item *item, uint64_t hash, void **chain) {
    void *start = start_of(crowd, item);
    crowd_forget(crowd, item, hash);
    crowd->held -= weighed(item_size(crowd, item));
    crowd->items[item->place] = NULL;
    memcpy(start, chain, sizeof *chain);
    *chain = start;
}

/* Free up to *count* items of a chain, and return how many that were. */
static size_t chain_free(void **chain, size_t count) {
    size_t freed = 0;
    for (; *chain && freed < count; freed++) {
        void *start = *chain;
        memcpy(chain, start, sizeof *chain);
        PyMem_Free(start);
    }
    return freed;
}

/* Let the others move up where items were unlinked. */
static void crowd_move_up(Crowd *crowd) {
    uint32_t kept = 0;
    for (uint32_t at = 0; at < crowd->count; at++) {
        if (!crowd->items[at]) continue;
        crowd->items[at]->place = kept;
        crowd->items[kept++] = crowd->items[at];
    }
    crowd->count = kept;
    crowd_spare(crowd);
    crowd->noted = crowd->room;
}

/* ---- as a whole */
/* Free up to *count* items, and after the last of them everything, which leaves NULL; how many items that were. */
static size_t crowd_free_some(Crowd **link, size_t count) {
    Crowd *crowd = *link;
    size_t freed = 0;
    if (!crowd) return 0;
    for (; crowd->count && freed < count; freed++) {
        Item *item = crowd->head == OF_FIELDS ? crowd->first : crowd->items[crowd->count - 1];
        if (crowd->head == OF_FIELDS) crowd->first = item_after(item);
        PyMem_Free(start_of(crowd, item));
        crowd->count--;
        if (!((freed + 1) % (LEAF_MOST / 2)) && crowd->ranks.root) ranks_free_last(&crowd->ranks);
    }
    if (crowd->count) return freed;
    ranks_end(&crowd->ranks);
    table_end(&crowd->table);
    array_free(crowd->items, crowd->room * sizeof(Item *));
    PyMem_Free(crowd);
    *link = NULL;
    return freed;
}

/* The same, to be changed apart; its fields have no places. Of those that have none here, *from* notes their order. */
static Crowd *crowd_copy(const Crowd *from) {
    Crowd *made = PyMem_Calloc(1, sizeof(Crowd));
    if (!made) return NULL;
    made->head = from->head;
    made->placed = from->head != OF_FIELDS;
    if (crowd_resize(made, (size_t)from->count + 1)) goto failed;
    Item *item = from->first;
    for (; made->count < from->count; made->count++) {
        if (made->placed) item = item_at(from, made->count);
        else if (!from->placed) item->place = made->count;
        Item *copy = item_new(made, item->bytes, item->length, made->placed ? 0 : value_size(item));
        if (!copy) goto failed;
        made->items[copy->place = item->place] = copy;
        made->held += weighed(item_size(from, item));
        if (made->head == OF_SCORES) *score_of(copy) = *score_of(item);
        if (made->placed) continue;
        set_value(copy, value_of(item), value_size(item));
        crowd_link(made, copy);
        item = item_after(item);
    }
    if (table_copy(&made->table, &from->table, made->items)) goto failed;
    made->ranks.height = from->ranks.height;
    if (from->ranks.root)
        made->ranks.root = branch_copy(&made->ranks, from->ranks.root, from->ranks.height, made->items);
    if (made->ranks.count != from->ranks.count) goto failed;
    made->noted = made->placed ? made->room : 0;
    if (made->placed) return made;
    array_free(made->items, made->room * sizeof(Item *));
    made->items = NULL;
    made->room = 0;
    return made;
failed:
    ranks_end(&made->ranks);
    crowd_free_some(&made, SIZE_MAX);
    return NULL;
}

#endif
