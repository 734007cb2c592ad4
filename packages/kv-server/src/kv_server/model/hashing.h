/* The hash of names in C memory: SipHash-1-3, seeded from Python's own seed: nobody can choose names that meet. */
#ifndef KV_HASHING_H
#define KV_HASHING_H

#include <Python.h>
#include <stdint.h>
#include <string.h>

static uint64_t hashing_seed[2];

/* To be called once by each module that hashes; -1 with an exception set. */
static int seed_hashing(void) {
    static const char *const words[2] = {"the first half of the seed", "the second half of the seed"};
    for (int i = 0; i < 2; i++) {
        PyObject *word = PyBytes_FromString(words[i]);
        Py_hash_t found = word ? PyObject_Hash(word) : -1;
        Py_XDECREF(word);
        if (found == -1) return -1;
        hashing_seed[i] = (uint64_t)found;
    }
    return 0;
}

#define HASHING_TURN(x, bits) (((x) << (bits)) | ((x) >> (64 - (bits))))
#define HASHING_ROUND(a, b, c, d)                                                                  \
    do {                                                                                           \
        a += b; c += d; b = HASHING_TURN(b, 13); d = HASHING_TURN(d, 16);                          \
        b ^= a; d ^= c; a = HASHING_TURN(a, 32);                                                   \
        c += b; a += d; b = HASHING_TURN(b, 17); d = HASHING_TURN(d, 21);                          \
        b ^= c; d ^= a; c = HASHING_TURN(c, 32);                                                   \
    } while (0)

static inline uint64_t hashed(const char *bytes, size_t length) {
    uint64_t a = hashing_seed[0] ^ 0x736f6d6570736575ULL, b = hashing_seed[1] ^ 0x646f72616e646f6dULL;
    uint64_t c = hashing_seed[0] ^ 0x6c7967656e657261ULL, d = hashing_seed[1] ^ 0x7465646279746573ULL;
    uint64_t word, last = (uint64_t)length << 56;
    size_t left = length;
    for (; left >= 8; left -= 8, bytes += 8) {
        memcpy(&word, bytes, 8);
        d ^= word;
        HASHING_ROUND(a, b, c, d);
        a ^= word;
    }
    word = 0;
    memcpy(&word, bytes, left);
    last |= word;
    d ^= last;
    HASHING_ROUND(a, b, c, d);
    a ^= last;
    c ^= 0xff;
    HASHING_ROUND(a, b, c, d);
    HASHING_ROUND(a, b, c, d);
    HASHING_ROUND(a, b, c, d);
    return a ^ b ^ c ^ d;
}

#endif
