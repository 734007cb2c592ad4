/* Names, and the table that finds them: segments of slots, each parted in two where it gets too full, so that no growth
   takes long. A slot holds where the item is and 16 bits of its hash; those say which slot it wants. */
#ifndef KV_MEMBERS_H
#define KV_MEMBERS_H

#include "hashing.h"

/* What else belongs to a name lies before its item and behind its bytes. */
typedef struct {
    uint32_t place, length;
    char bytes[];
} Item;

typedef struct {
    uint32_t count, depth;
    uint64_t slots[];
} Segment;

typedef struct {
    Segment **segments; /* by the first bits of the hash, as many as the depth says */
    size_t held;
    uint32_t depth, bits; /* there are as many slots in a segment as that many bits can say */
} Table;

enum { SEGMENT_BITS = 10, LEAST_BITS = 7, MOST_DEPTH = 28, TAG_BITS = 16 };
#define POINTER_BITS 48
#define POINTER_MASK ((1ULL << POINTER_BITS) - 1)

/* What is accounted for a block of memory. */
static inline size_t weighed(size_t size) {
    return size <= 512 ? (size + 15) & ~(size_t)15 : (size + 8 + 15) & ~(size_t)15;
}

/* As Python compares bytes. */
static inline int compared(const char *one, size_t length, const char *other, size_t others) {
    int found = memcmp(one, other, length < others ? length : others);
    return found ? found : (length > others) - (length < others);
}

/* What is looked for: a score with a member, or one of these alone. */
typedef enum { BELOW_BOTH, UP_TO_BOTH, BELOW_SCORE, UP_TO_SCORE, BELOW_MEMBER, UP_TO_MEMBER } Side;

typedef struct {
    double score;
    const char *bytes;
    size_t length;
    Side side;
} Key;

static inline int stands_before(double score, const char *bytes, size_t length, const Key *key) {
    switch (key->side) {
    case BELOW_SCORE: return score < key->score;
    case UP_TO_SCORE: return score <= key->score;
    case BELOW_MEMBER: return compared(bytes, length, key->bytes, key->length) < 0;
    case UP_TO_MEMBER: return compared(bytes, length, key->bytes, key->length) <= 0;
    default:
        if (score != key->score) return score < key->score;
        return compared(bytes, length, key->bytes, key->length) < (key->side == UP_TO_BOTH);
    }
}

static inline Item *item_in(uint64_t slot) { return (Item *)(uintptr_t)(slot & POINTER_MASK); }

static inline uint32_t slots_of(const Table *table) { return 1u << table->bits; }

static inline uint32_t home_of(const Table *table, uint64_t slot) {
    return (uint32_t)(slot >> POINTER_BITS) >> (TAG_BITS - table->bits);
}

static inline size_t segment_size(const Table *table) { return sizeof(Segment) + slots_of(table) * sizeof(uint64_t); }

static inline size_t segment_at(const Table *table, uint64_t hash) {
    return table->depth ? (size_t)(hash >> (64 - table->depth)) : 0;
}

static Segment *segment_new(Table *table, uint32_t depth) {
    Segment *made = PyMem_Calloc(1, segment_size(table));
    if (!made) return NULL;
    made->depth = depth;
    table->held += weighed(segment_size(table));
    return made;
}

static void segment_free(Table *table, Segment *segment) {
    table->held -= weighed(segment_size(table));
    PyMem_Free(segment);
}

static int table_begin(Table *table) {
    *table = (Table){NULL, 0, 0, LEAST_BITS};
    table->segments = PyMem_Malloc(sizeof(Segment *));
    if (!table->segments) return -1;
    table->segments[0] = segment_new(table, 0);
    if (table->segments[0]) return 0;
    PyMem_Free(table->segments);
    table->segments = NULL;
    return -1;
}

/* How many places of the directory lead to a segment of that depth, and the first of those of the one at *at*. */
static inline size_t spread(const Table *table, uint32_t depth) { return (size_t)1 << (table->depth - depth); }
static inline size_t first_of(const Table *table, uint32_t depth, size_t at) {
    return at & ~(spread(table, depth) - 1);
}

static void table_end(Table *table) {
    if (!table->segments) return;
    for (size_t at = 0, next; at < (size_t)1 << table->depth && table->segments[at]; at = next) {
        next = at + spread(table, table->segments[at]->depth);
        segment_free(table, table->segments[at]);
    }
    PyMem_Free(table->segments);
    table->segments = NULL;
}

static void segment_put(const Table *table, Segment *segment, uint64_t slot) {
    uint32_t mask = slots_of(table) - 1, at = home_of(table, slot);
    while (segment->slots[at]) at = (at + 1) & mask;
    segment->slots[at] = slot;
    segment->count++;
}

/* Twice as many slots in the only segment. */
static int table_widen(Table *table) {
    Segment *old = table->segments[0];
    uint32_t size = slots_of(table);
    table->bits++;
    Segment *made = segment_new(table, 0);
    if (!made) {
        table->bits--;
        return -1;
    }
    for (uint32_t at = 0; at < size; at++)
        if (old->slots[at]) segment_put(table, made, old->slots[at]);
    table->segments[0] = made;
    table->held -= weighed(sizeof(Segment) + size * sizeof(uint64_t));
    PyMem_Free(old);
    return 0;
}

static int table_deepen(Table *table) {
    size_t size = (size_t)1 << table->depth;
    Segment **made = table->depth < MOST_DEPTH ? PyMem_Malloc(2 * size * sizeof(Segment *)) : NULL;
    if (!made) return -1;
    for (size_t at = 0; at < 2 * size; at++) made[at] = table->segments[at >> 1];
    PyMem_Free(table->segments);
    table->segments = made;
    table->depth++;
    return 0;
}

/* Part the segment that is too full in two. */
static int table_part(Table *table, uint64_t hash) {
    if (table->bits < SEGMENT_BITS) return table_widen(table);
    Segment *old = table->segments[segment_at(table, hash)];
    if (old->depth == table->depth && table_deepen(table)) return -1;
    uint32_t depth = old->depth + 1, size = slots_of(table);
    Segment *low = segment_new(table, depth), *high = low ? segment_new(table, depth) : NULL;
    if (!high) {
        if (low) segment_free(table, low);
        return -1;
    }
    for (uint32_t at = 0; at < size; at++) {
        if (!old->slots[at]) continue;
        Item *item = item_in(old->slots[at]);
        int upper = (int)(hashed(item->bytes, item->length) >> (64 - depth) & 1);
        segment_put(table, upper ? high : low, old->slots[at]);
    }
    size_t wide = spread(table, old->depth), first = first_of(table, old->depth, segment_at(table, hash));
    for (size_t at = 0; at < wide; at++) table->segments[first + at] = at < wide / 2 ? low : high;
    segment_free(table, old);
    return 0;
}

/* See to it that there is a slot for one more item with *hash*. */
static int table_reserve(Table *table, uint64_t hash) {
    while (table->segments[segment_at(table, hash)]->count >= slots_of(table) - slots_of(table) / 8)
        if (table_part(table, hash)) return -1;
    return 0;
}

static void table_add(Table *table, Item *item, uint64_t hash) {
    segment_put(table, table->segments[segment_at(table, hash)], hash << POINTER_BITS | (uintptr_t)item);
}

static Item *table_find(const Table *table, const char *bytes, size_t length, uint64_t hash) {
    const Segment *segment = table->segments[segment_at(table, hash)];
    uint32_t mask = slots_of(table) - 1, at = home_of(table, hash << POINTER_BITS);
    for (uint64_t slot; (slot = segment->slots[at]); at = (at + 1) & mask) {
        if (slot >> POINTER_BITS != (hash & 0xFFFF)) continue;
        Item *item = item_in(slot);
        if (item->length == length && !memcmp(item->bytes, bytes, length)) return item;
    }
    return NULL;
}

/* Where the way to an item with *hash* begins. */
static inline const uint64_t *table_home(const Table *table, uint64_t hash) {
    return table->segments[segment_at(table, hash)]->slots + home_of(table, hash << POINTER_BITS);
}

/* Where the item is, most likely, that has *hash*, NULL for nowhere; it was not looked at. */
static inline const Item *table_likely(const Table *table, uint64_t hash) {
    const Segment *segment = table->segments[segment_at(table, hash)];
    uint32_t mask = slots_of(table) - 1, at = home_of(table, hash << POINTER_BITS);
    while (segment->slots[at] && segment->slots[at] >> POINTER_BITS != (hash & 0xFFFF)) at = (at + 1) & mask;
    return item_in(segment->slots[at]);
}

/* Bring a segment and the one that it was parted from together again, if that leaves room. */
static void table_join(Table *table, uint64_t hash) {
    Segment *one = table->segments[segment_at(table, hash)];
    if (!one->depth) return;
    uint32_t size = slots_of(table), depth = one->depth - 1;
    size_t first = first_of(table, depth, segment_at(table, hash)), wide = spread(table, depth);
    Segment *other = table->segments[first] == one ? table->segments[first + wide / 2] : table->segments[first];
    if (other->depth != one->depth || one->count + other->count > size / 4) return;
    for (uint32_t at = 0; at < size; at++)
        if (other->slots[at]) segment_put(table, one, other->slots[at]);
    one->depth = depth;
    for (size_t at = 0; at < wide; at++) table->segments[first + at] = one;
    segment_free(table, other);
}

/* Which slot of its *segment* holds where *item* is. */
static uint32_t slot_with(const Table *table, const Segment *segment, const Item *item, uint64_t hash) {
    uint32_t mask = slots_of(table) - 1, at = home_of(table, hash << POINTER_BITS);
    while (item_in(segment->slots[at]) != item) at = (at + 1) & mask;
    return at;
}

/* Let the slot of *item* lead to *made*. */
static void table_swap(Table *table, const Item *item, Item *made, uint64_t hash) {
    Segment *segment = table->segments[segment_at(table, hash)];
    segment->slots[slot_with(table, segment, item, hash)] = hash << POINTER_BITS | (uintptr_t)made;
}

static void table_remove(Table *table, const Item *item, uint64_t hash) {
    Segment *segment = table->segments[segment_at(table, hash)];
    uint32_t mask = slots_of(table) - 1, at = slot_with(table, segment, item, hash);
    for (uint32_t next = (at + 1) & mask; segment->slots[next]; next = (next + 1) & mask) {
        uint32_t home = home_of(table, segment->slots[next]);
        if (((next - home) & mask) < ((next - at) & mask)) continue;
        segment->slots[at] = segment->slots[next];
        at = next;
    }
    segment->slots[at] = 0;
    if (--segment->count < slots_of(table) / 16) table_join(table, hash);
}

/* The same table of the *items* of a copy; where it fails, `table_end` frees what there is of it. */
static int table_copy(Table *made, const Table *from, Item *const *items) {
    *made = (Table){PyMem_Calloc((size_t)1 << from->depth, sizeof(Segment *)), 0, from->depth, from->bits};
    if (!made->segments) return -1;
    for (size_t at = 0, next; at < (size_t)1 << from->depth; at = next) {
        const Segment *old = from->segments[at];
        Segment *copy = segment_new(made, old->depth);
        if (!copy) return -1;
        copy->count = old->count;
        for (uint32_t slot = 0; slot < slots_of(from); slot++)
            if (old->slots[slot])
                copy->slots[slot] =
                    (old->slots[slot] & ~POINTER_MASK) | (uintptr_t)items[item_in(old->slots[slot])->place];
        for (next = at + spread(from, old->depth); at < next; at++) made->segments[at] = copy;
    }
    return 0;
}

#endif
