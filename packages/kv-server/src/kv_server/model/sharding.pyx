# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""In which shard a key lies: the native twin of the plain module."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memchr

__all__ = ["shard_of"]

cdef uint16_t[256] crc_table


cdef void make_crc_table() noexcept:
    cdef uint32_t octet, code, bit
    for octet in range(256):
        code = octet << 8
        for bit in range(8):
            code = (code << 1) ^ 0x1021 if code & 0x8000 else code << 1
        crc_table[octet] = <uint16_t>code


make_crc_table()

cdef uint32_t slot_of(const char* key, size_t size) noexcept:
    """The slot of *key*, as Redis Cluster counts."""
    cdef uint16_t code = 0
    cdef const char* opened = <const char*>memchr(key, c"{", size)
    cdef const char* closed
    if opened != NULL:
        closed = <const char*>memchr(opened + 1, c"}", size - (opened + 1 - key))
        if closed != NULL and closed > opened + 1:
            size = closed - opened - 1
            key = opened + 1
    while size:
        code = (code << 8) ^ crc_table[(code >> 8) ^ <uint8_t>key[0]]
        key += 1
        size -= 1
    return code & 16383


cpdef Py_ssize_t shard_of(bytes key, int shift) except -1:
    """The shard of *key*: its slot, as Redis Cluster counts, without the last *shift* bits."""
    if key is None:
        raise TypeError("a key is bytes")
    return slot_of(PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key)) >> shift
