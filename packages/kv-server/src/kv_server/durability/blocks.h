/* The bytes that msgpack makes of octets, whole numbers and arrays: written, and read without a step beyond their end. */
#ifndef KV_BLOCKS_H
#define KV_BLOCKS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    const unsigned char *at, *end;
} cursor;

static inline uint64_t block_big(const unsigned char *at, int width) {
    uint64_t found = 0;
    for (int i = 0; i < width; i++) found = found << 8 | at[i];
    return found;
}

/* What follows a head of so many octets, which is *head*; 0 if the end comes before. */
static inline int block_counted(cursor *here, int width, uint64_t *found) {
    if (here->end - here->at < 1 + width) return 0;
    *found = block_big(here->at + 1, width);
    here->at += 1 + width;
    return 1;
}

/* Each reads one thing and goes on behind it; 0 if there is something else, or not all of it. */
static inline int block_array(cursor *here, uint64_t *count) {
    if (here->at >= here->end) return 0;
    unsigned char head = *here->at;
    if (head >> 4 == 9) {
        *count = head & 15;
        here->at++;
        return 1;
    }
    return (head == 0xdc && block_counted(here, 2, count)) || (head == 0xdd && block_counted(here, 4, count));
}

static inline int block_octets(cursor *here, const char **octets, size_t *length) {
    uint64_t found;
    if (here->at >= here->end || *here->at < 0xc4 || *here->at > 0xc6) return 0;
    if (!block_counted(here, 1 << (*here->at - 0xc4), &found) || (uint64_t)(here->end - here->at) < found) return 0;
    *octets = (const char *)here->at;
    *length = (size_t)found;
    here->at += found;
    return 1;
}

static inline int block_whole(cursor *here, uint64_t *number) {
    if (here->at >= here->end) return 0;
    unsigned char head = *here->at;
    if (head < 0x80) {
        *number = head;
        here->at++;
        return 1;
    }
    return head >= 0xcc && head <= 0xcf && block_counted(here, 1 << (head - 0xcc), number);
}

static inline int block_signed(cursor *here, int64_t *number) {
    uint64_t found;
    if (here->at >= here->end) return 0;
    unsigned char head = *here->at;
    if (head >= 0xe0) {
        *number = (signed char)head;
        here->at++;
        return 1;
    }
    if (head >= 0xd0 && head <= 0xd3) {
        int width = 1 << (head - 0xd0);
        if (!block_counted(here, width, &found)) return 0;
        *number = (int64_t)(found << (64 - 8 * width)) >> (64 - 8 * width);
        return 1;
    }
    if (!block_whole(here, &found) || found > INT64_MAX) return 0;
    *number = (int64_t)found;
    return 1;
}

/* Goes over one thing of any kind, as deep as it may be. */
static int block_over(cursor *here) {
    static const unsigned char widths[32] = {
        0, 0, 0, 0, 1, 2, 4, 1, 2, 4, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 16, 1, 2, 4, 2, 4, 2, 4,
    };
    uint64_t left = 1, length;
    for (; left; left--) {
        if (here->at >= here->end) return 0;
        unsigned char head = *here->at;
        uint64_t more = 0, skipped = 0;
        if (head < 0x80 || head >= 0xe0) here->at++;
        else if (head < 0xc0) {
            here->at++;
            if (head < 0x90) more = 2 * (head & 15);
            else if (head < 0xa0) more = head & 15;
            else skipped = head & 31;
        } else if (head == 0xc1) {
            return 0;
        } else {
            int width = widths[head - 0xc0];
            if ((head >= 0xc4 && head <= 0xc9) || head >= 0xd9) {
                if (!block_counted(here, width, &length)) return 0;
                if (head >= 0xde) more = 2 * length;
                else if (head >= 0xdc) more = length;
                else skipped = length + (head >= 0xc7 && head <= 0xc9);
            } else {
                here->at++;
                skipped = (uint64_t)width + (head >= 0xd4 && head <= 0xd8);
            }
        }
        if ((uint64_t)(here->end - here->at) < skipped) return 0;
        here->at += skipped;
        left += more;
    }
    return 1;
}

/* How long each is when written, and writing it: what comes behind it. */
static inline size_t block_array_size(size_t count) { return count < 16 ? 1 : count < 1 << 16 ? 3 : 5; }

static inline size_t block_octets_size(size_t length) {
    return length + (length < 1 << 8 ? 2 : length < 1 << 16 ? 3 : 5);
}

static inline size_t block_whole_size(uint64_t number) {
    return number < 0x80 ? 1 : number < 1 << 8 ? 2 : number < 1 << 16 ? 3 : number < (uint64_t)1 << 32 ? 5 : 9;
}

static inline size_t block_signed_size(int64_t number) {
    if (number >= 0) return block_whole_size((uint64_t)number);
    return number >= -32 ? 1 : number >= INT8_MIN ? 2 : number >= INT16_MIN ? 3 : number >= INT32_MIN ? 5 : 9;
}

static inline char *block_put_head(char *at, int head, uint64_t number, int width) {
    *at++ = (char)head;
    for (int i = width - 1; i >= 0; i--) *at++ = (char)(number >> (8 * i));
    return at;
}

static inline char *block_put_array(char *at, size_t count) {
    if (count < 16) return block_put_head(at, 0x90 | (int)count, 0, 0);
    return count < 1 << 16 ? block_put_head(at, 0xdc, count, 2) : block_put_head(at, 0xdd, count, 4);
}

static inline char *block_put_octets(char *at, const char *octets, size_t length) {
    at = length < 1 << 8    ? block_put_head(at, 0xc4, length, 1)
         : length < 1 << 16 ? block_put_head(at, 0xc5, length, 2)
                            : block_put_head(at, 0xc6, length, 4);
    memcpy(at, octets, length);
    return at + length;
}

static inline char *block_put_whole(char *at, uint64_t number) {
    if (number < 0x80) return block_put_head(at, (int)number, 0, 0);
    if (number < 1 << 8) return block_put_head(at, 0xcc, number, 1);
    if (number < 1 << 16) return block_put_head(at, 0xcd, number, 2);
    return number < (uint64_t)1 << 32 ? block_put_head(at, 0xce, number, 4) : block_put_head(at, 0xcf, number, 8);
}

static inline char *block_put_signed(char *at, int64_t number) {
    if (number >= 0) return block_put_whole(at, (uint64_t)number);
    if (number >= -32) return block_put_head(at, 0x100 + (int)number, 0, 0);
    if (number >= INT8_MIN) return block_put_head(at, 0xd0, (uint64_t)number, 1);
    if (number >= INT16_MIN) return block_put_head(at, 0xd1, (uint64_t)number, 2);
    return number >= INT32_MIN ? block_put_head(at, 0xd2, (uint64_t)number, 4)
                               : block_put_head(at, 0xd3, (uint64_t)number, 8);
}

#endif
