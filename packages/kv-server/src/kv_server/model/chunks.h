/* Elements of lists. In a chunk, one block of memory, each stands between two notes of its length, to be walked over from
   either end; there may be free room on both sides of them. A long list is many chunks, and an array that leads to them,
   with room on both sides too. An element that is long is a chunk of its own, without notes. */
#ifndef KV_CHUNKS_H
#define KV_CHUNKS_H

#include "members.h"
#include "pages.h"

#include <stdint.h>

typedef struct {
    unsigned char *bytes;
    uint32_t start, end, room; /* of the bytes, those from start to end are filled */
    uint16_t count, lone;
} Chunk;

typedef struct {
    Chunk *chunks; /* an array of that room: those that are used begin at the first */
    size_t held, count;
    uint32_t first, used, room;
} Chunks;

enum { CHUNK_BYTES = 8192, LEAST_CHUNK = 256, MOST_NOTED = 1024, LEAST_CHUNKS = 8 };

/* ---- elements */
static inline size_t filled(size_t length) { return length + (length < 128 ? 2 : 4); }

static inline unsigned char *content(unsigned char *at, size_t *length) {
    int more = at[0] >= 128;
    *length = more ? (size_t)(at[0] & 127) << 8 | at[1] : at[0];
    return at + 1 + more;
}

static inline unsigned char *after(unsigned char *at) {
    size_t length;
    content(at, &length);
    return at + filled(length);
}

static inline unsigned char *previous(unsigned char *end) {
    size_t length = end[-1];
    return end - filled(length < 128 ? length : (length & 127) << 8 | end[-2]);
}

static inline void write_element(unsigned char *at, const char *bytes, size_t length) {
    if (length < 128) {
        memcpy(at + 1, bytes, length);
        at[0] = at[1 + length] = (unsigned char)length;
    } else {
        memcpy(at + 2, bytes, length);
        at[0] = at[3 + length] = (unsigned char)(128 | length >> 8);
        at[1] = at[2 + length] = (unsigned char)length;
    }
}

/* ---- in a chunk */
static inline uint32_t chunk_size(const Chunk *chunk) { return chunk->end - chunk->start; }
static inline unsigned char *chunk_start(const Chunk *chunk) { return chunk->bytes + chunk->start; }
static inline unsigned char *chunk_end(const Chunk *chunk) { return chunk->bytes + chunk->end; }

/* The bytes of the element at *at*, and how many they are. */
static inline const char *chunk_read(const Chunk *chunk, unsigned char *at, size_t *length) {
    if (!chunk->lone) return (const char *)content(at, length);
    *length = chunk_size(chunk);
    return (const char *)at;
}

static inline unsigned char *chunk_after(const Chunk *chunk, unsigned char *at) {
    return chunk->lone ? chunk_end(chunk) : after(at);
}

static inline unsigned char *chunk_previous(const Chunk *chunk, unsigned char *end) {
    return chunk->lone ? chunk_start(chunk) : previous(end);
}

/* Where the element at *place* stands, or the end. */
static unsigned char *chunk_find(const Chunk *chunk, size_t place) {
    unsigned char *at = chunk_start(chunk), *end = chunk_end(chunk);
    if (place > chunk->count / 2u) {
        for (; place < chunk->count; place++) end = chunk_previous(chunk, end);
        return end;
    }
    for (; place; place--) at = chunk_after(chunk, at);
    return at;
}

/* Let there be *new* bytes in the place of *old* ones at *at*, for which there is room behind the end. */
static inline void chunk_shift(Chunk *chunk, unsigned char *at, size_t old, size_t new) {
    memmove(at + new, at + old, (size_t)(chunk_end(chunk) - at) - old);
    chunk->end += (uint32_t)(new - old);
}

/* Take *count* elements off one end. */
static void chunk_drop(Chunk *chunk, int left, size_t count) {
    unsigned char *at = chunk_find(chunk, left ? count : chunk->count - count);
    if (left) chunk->start = (uint32_t)(at - chunk->bytes);
    else chunk->end = (uint32_t)(at - chunk->bytes);
    chunk->count -= (uint16_t)count;
}

/* ---- memory */
static inline Chunk *chunk_at(const Chunks *list, uint32_t number) { return list->chunks + list->first + number; }

static size_t chunks_bytes(const Chunks *list) {
    return weighed(sizeof(Chunks)) + weighed(list->room * sizeof(Chunk)) + list->held;
}

static void chunk_free(Chunks *list, Chunk *chunk) {
    list->held -= weighed(chunk->room);
    PyMem_Free(chunk->bytes);
}

/* Have room for *size* bytes more on one side of what is in *chunk*: 1 if a chunk does not hold so many, -1 if there is
   no memory. */
static int chunk_open(Chunks *list, Chunk *chunk, int left, size_t size) {
    size_t before = chunk_size(chunk), wanted = before + size;
    if (chunk->lone || wanted > CHUNK_BYTES) return 1;
    if ((left ? chunk->start : chunk->room - chunk->end) >= size) return 0;
    if (wanted > chunk->room) {
        size_t room = wanted > CHUNK_BYTES / 2 ? CHUNK_BYTES : wanted * 2;
        unsigned char *made = PyMem_Realloc(chunk->bytes, room);
        if (!made) return -1;
        list->held += weighed(room) - weighed(chunk->room);
        chunk->bytes = made;
        chunk->room = (uint32_t)room;
    }
    uint32_t start = left ? (uint32_t)(chunk->room - before) : 0;
    memmove(chunk->bytes + start, chunk_start(chunk), before);
    chunk->start = start;
    chunk->end = start + (uint32_t)before;
    return 0;
}

/* Have an array of that many chunks, in the middle of which those stand that are used. */
static int chunks_resize(Chunks *list, size_t chunks) {
    size_t bytes = array_room(chunks * sizeof(Chunk)), room = bytes / sizeof(Chunk);
    Chunk *made = room <= UINT32_MAX ? array_new(bytes) : NULL;
    if (!made) return -1;
    uint32_t first = (uint32_t)(room - list->used) / 2;
    if (list->used) memcpy(made + first, chunk_at(list, 0), list->used * sizeof(Chunk));
    array_free(list->chunks, list->room * sizeof(Chunk));
    list->chunks = made;
    list->first = first;
    list->room = (uint32_t)room;
    return 0;
}

static inline size_t chunks_room(const Chunks *list) { return list->used + (size_t)list->used / 2 + LEAST_CHUNKS; }

static inline void chunks_spare(Chunks *list) {
    if (list->room > 2 * chunks_room(list)) chunks_resize(list, chunks_room(list));
}

/* Add a chunk without elements as that *number*; NULL if there is no memory. */
static Chunk *chunks_add(Chunks *list, uint32_t number, size_t room) {
    int left = 2 * (size_t)number < list->used;
    if ((left ? !list->first : list->first + list->used == list->room) && chunks_resize(list, chunks_room(list)))
        return NULL;
    unsigned char *bytes = PyMem_Malloc(room);
    if (!bytes) return NULL;
    Chunk *made = chunk_at(list, number);
    if (left) {
        made--;
        memmove(chunk_at(list, 0) - 1, chunk_at(list, 0), number * sizeof(Chunk));
        list->first--;
    } else {
        memmove(made + 1, made, (list->used - number) * sizeof(Chunk));
    }
    list->used++;
    list->held += weighed(room);
    *made = (Chunk){bytes, 0, 0, (uint32_t)room, 0, 0};
    return made;
}

static void chunks_take(Chunks *list, uint32_t number) {
    Chunk *gone = chunk_at(list, number);
    chunk_free(list, gone);
    list->used--;
    if (2 * (size_t)number < list->used) {
        memmove(chunk_at(list, 0) + 1, chunk_at(list, 0), number * sizeof(Chunk));
        list->first++;
    } else {
        memmove(gone, gone + 1, (list->used - number) * sizeof(Chunk));
    }
    chunks_spare(list);
}

/* ---- long lists. What returns -1 where there is no memory has changed nothing then. */
/* The number of the chunk in which the element at *place* stands, which becomes its place there. */
static uint32_t chunks_find(const Chunks *list, size_t *place) {
    uint32_t number = 0;
    if (*place <= list->count / 2) {
        while (*place >= chunk_at(list, number)->count && number + 1 < list->used)
            *place -= chunk_at(list, number++)->count;
        return number;
    }
    size_t behind = list->count - *place;
    for (number = list->used - 1; behind > chunk_at(list, number)->count; number--)
        behind -= chunk_at(list, number)->count;
    *place = chunk_at(list, number)->count - behind;
    return number;
}

/* Add an element as a chunk of its own, or in a new one that may take more. */
static int chunks_begin(Chunks *list, uint32_t number, int left, const char *bytes, size_t length, size_t room) {
    int lone = length > MOST_NOTED;
    size_t size = lone ? length : filled(length);
    if (length > UINT32_MAX) return -1;
    Chunk *made = chunks_add(list, number, lone || room < size ? size : room);
    if (!made) return -1;
    made->lone = (uint16_t)lone;
    made->count = 1;
    if (left) made->start = made->room - (uint32_t)size;
    made->end = made->start + (uint32_t)size;
    if (lone) memcpy(made->bytes, bytes, length);
    else write_element(chunk_start(made), bytes, length);
    list->count++;
    return 0;
}

/* Add an element at one end. */
static int chunks_push(Chunks *list, int left, const char *bytes, size_t length) {
    Chunk *chunk = list->used ? chunk_at(list, left ? 0 : list->used - 1) : NULL;
    size_t size = filled(length);
    int full = !chunk || length > MOST_NOTED ? 1 : chunk_open(list, chunk, left, size);
    if (full < 0) return -1;
    if (full) {
        size_t room = chunk && !chunk->lone ? CHUNK_BYTES : LEAST_CHUNK;
        return chunks_begin(list, left ? 0 : list->used, left, bytes, length, room);
    }
    if (left) chunk->start -= (uint32_t)size;
    else chunk->end += (uint32_t)size;
    write_element(left ? chunk_start(chunk) : chunk_end(chunk) - size, bytes, length);
    chunk->count++;
    list->count++;
    return 0;
}

/* Part a chunk in two: what stands from *at* on becomes the next one, *count* elements. */
static int chunks_part(Chunks *list, uint32_t number, unsigned char *at, size_t count) {
    size_t size = (size_t)(chunk_end(chunk_at(list, number)) - at);
    Chunk *made = chunks_add(list, number + 1, size);
    if (!made) return -1;
    memcpy(made->bytes, at, made->end = (uint32_t)size);
    made->count = (uint16_t)count;
    made[-1].end -= made->end;
    made[-1].count -= made->count;
    return 0;
}

/* Add an element before the one at *place*. */
static int chunks_insert(Chunks *list, size_t place, const char *bytes, size_t length) {
    if (!place || place >= list->count) return chunks_push(list, !place, bytes, length);
    size_t within = place, size = filled(length);
    uint32_t number = chunks_find(list, &within);
    Chunk *chunk = chunk_at(list, number);
    int full = length > MOST_NOTED ? 1 : chunk_open(list, chunk, 0, size);
    if (full > 0 && !within && length <= MOST_NOTED) {
        chunk--;
        full = chunk_open(list, chunk, 0, size);
        if (!full) within = chunk->count;
    }
    if (full < 0) return -1;
    if (!full) {
        unsigned char *at = chunk_find(chunk, within);
        chunk_shift(chunk, at, 0, size);
        write_element(at, bytes, length);
        chunk->count++;
        list->count++;
        return 0;
    }
    if (!within) return chunks_begin(list, number, 0, bytes, length, LEAST_CHUNK);
    if (chunks_part(list, number, chunk_find(chunk, within), chunk->count - within)) return -1;
    return chunks_insert(list, place, bytes, length);
}

/* Put an element in the place of the one at *place*. */
static int chunks_set(Chunks *list, size_t place, const char *bytes, size_t length) {
    size_t within = place, size = filled(length);
    uint32_t number = chunks_find(list, &within);
    Chunk *chunk = chunk_at(list, number);
    unsigned char *at = chunk_find(chunk, within);
    size_t old = (size_t)(chunk_after(chunk, at) - at), start = (size_t)(at - chunk_start(chunk));
    if (length <= MOST_NOTED && !chunk->lone && chunk_size(chunk) - old + size <= CHUNK_BYTES) {
        if (size > old && chunk_open(list, chunk, 0, size - old)) return -1;
        at = chunk_start(chunk) + start;
        chunk_shift(chunk, at, old, size);
        write_element(at, bytes, length);
        return 0;
    }
    if (chunks_insert(list, place, bytes, length)) return -1;
    within = place + 1;
    number = chunks_find(list, &within);
    chunk = chunk_at(list, number);
    at = chunk_find(chunk, within);
    chunk_shift(chunk, at, (size_t)(chunk_after(chunk, at) - at), 0);
    chunk->count--;
    list->count--;
    if (!chunk->count) chunks_take(list, number);
    return 0;
}

/* Take *count* elements, or all, off one end; how many that were. */
static size_t chunks_drop(Chunks *list, int left, size_t count) {
    size_t wanted = count < list->count ? count : list->count, rest = wanted;
    while (rest) {
        uint32_t number = left ? 0 : list->used - 1;
        Chunk *chunk = chunk_at(list, number);
        size_t some = rest < chunk->count ? rest : chunk->count;
        if (some < chunk->count) chunk_drop(chunk, left, some);
        else chunks_take(list, number);
        list->count -= some;
        rest -= some;
    }
    return wanted;
}

/* After elements were taken out of chunks: let none of these be empty, join small neighbours, and count again. */
static void chunks_tidy(Chunks *list) {
    uint32_t kept = 0;
    list->count = 0;
    for (uint32_t number = 0; number < list->used; number++) {
        Chunk *chunk = chunk_at(list, number), *last = chunk_at(list, kept) - 1;
        uint32_t size = chunk_size(chunk);
        list->count += chunk->count;
        if (chunk->count && kept && !chunk->lone && size + chunk_size(last) <= CHUNK_BYTES / 2 &&
            !chunk_open(list, last, 0, size)) {
            memcpy(chunk_end(last), chunk_start(chunk), size);
            last->end += size;
            last->count += chunk->count;
            chunk->count = 0;
        }
        if (chunk->count) *chunk_at(list, kept++) = *chunk;
        else chunk_free(list, chunk);
    }
    list->used = kept;
    chunks_spare(list);
}

/* ---- as a whole */
static Chunks *chunks_new(void) { return PyMem_Calloc(1, sizeof(Chunks)); }

/* Free about *count* elements, and after the last of them everything, which leaves NULL; how many elements that were. */
static size_t chunks_free_some(Chunks **link, size_t count) {
    Chunks *list = *link;
    size_t freed = 0;
    if (!list) return 0;
    for (; list->used && freed < count; list->used--) {
        Chunk *last = chunk_at(list, list->used - 1);
        freed += last->count;
        list->count -= last->count;
        PyMem_Free(last->bytes);
    }
    if (list->used) return freed;
    array_free(list->chunks, list->room * sizeof(Chunk));
    PyMem_Free(list);
    *link = NULL;
    return freed;
}

/* The same, to be changed apart; NULL if there is no memory. */
static Chunks *chunks_copy(const Chunks *from) {
    Chunks *made = chunks_new();
    if (!made) return NULL;
    if (from->room && chunks_resize(made, from->room)) goto failed;
    made->first = from->first;
    for (uint32_t number = 0; number < from->used; number++) {
        const Chunk *chunk = chunk_at(from, number);
        Chunk *copy = chunks_add(made, number, chunk->room);
        if (!copy) goto failed;
        unsigned char *bytes = copy->bytes;
        *copy = *chunk;
        copy->bytes = bytes;
        memcpy(chunk_start(copy), chunk_start(chunk), chunk_size(chunk));
        made->count += copy->count;
    }
    return made;
failed:
    chunks_free_some(&made, SIZE_MAX);
    return NULL;
}

#endif
