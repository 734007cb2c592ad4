/* Arrays that grow: from a few pages on they are pages of their own, and leave no holes in the heap when they move. */
#ifndef KV_PAGES_H
#define KV_PAGES_H

#ifdef __linux__
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <sys/mman.h>
#endif
#include <Python.h>
#include <string.h>

#define PAGE_BYTES 4096
#ifdef __linux__
#define PAGES_FROM (3 * PAGE_BYTES)
#else
#define PAGES_FROM SIZE_MAX
#endif

/* The bytes that an array of at least *bytes* should have, so that no page is used in part. */
static inline size_t array_room(size_t bytes) {
    return bytes < PAGES_FROM ? bytes : (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
}

/* An array of zeros, NULL where there is no memory. */
static inline void *array_new(size_t bytes) {
#ifdef __linux__
    if (bytes >= PAGES_FROM) {
        void *made = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        return made == MAP_FAILED ? NULL : made;
    }
#endif
    return PyMem_Calloc(bytes, 1);
}

static inline void array_free(void *array, size_t bytes) {
#ifdef __linux__
    if (bytes >= PAGES_FROM) {
        if (array) munmap(array, bytes);
        return;
    }
#endif
    PyMem_Free(array);
}

/* The same array with more *bytes*; NULL, and the array is as it was, where there is no memory. */
static inline void *array_grown(void *array, size_t before, size_t bytes) {
#ifdef __linux__
    if (before >= PAGES_FROM) {
        void *made = mremap(array, before, bytes, MREMAP_MAYMOVE);
        return made == MAP_FAILED ? NULL : made;
    }
    if (bytes >= PAGES_FROM) {
        void *made = array_new(bytes);
        if (made && before) memcpy(made, array, before);
        if (made) PyMem_Free(array);
        return made;
    }
#endif
    return PyMem_Realloc(array, bytes);
}

#endif
