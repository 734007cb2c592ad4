# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The canonical form: the native twin of the plain module.

What is refused is refused by `form.py`, which says why; so is looked at what is rare.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_CheckExact
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint64_t
from libc.string cimport memcmp

from kv_protocol.codec cimport Out, Place, begin, finish, put, read
from kv_protocol.marks cimport big16, big32, big64, is_text

from kv_protocol import limits
from kv_protocol.codec import Unusual
from kv_protocol.form import Value, decimal_text
from kv_protocol.form import check as careful_check
from kv_protocol.form import decode as careful_decode
from kv_protocol.form import encode as careful_encode

__all__ = ["Value", "check", "check_all", "decimal_text", "decode", "encode"]

cdef enum:
    ROOM = 1_024
    FEW = 8

cdef int DEEPEST = limits.MAX_NESTING
cdef Py_ssize_t MOST = limits.MAX_CONTAINERS


def encode(value):
    """Return the blob of *value*.

    Raises `InvalidArgument`, saying what and where, for whatever would not come back as it went in.
    """
    cdef uint8_t room[ROOM]
    cdef Out out
    begin(&out, room, ROOM)
    try:
        if put(&out, value, 0, True):
            return PyBytes_FromStringAndSize(<char*>out.start, out.size)
    except Exception:
        pass
    finally:
        finish(&out)
    return careful_encode(value)


def decode(blob):
    """Return the value of a canonical *blob*; `InvalidArgument` where it is none that can be read."""
    cdef Place place
    if PyBytes_CheckExact(blob):
        place.at = <const uint8_t*>PyBytes_AS_STRING(blob)
        place.end = place.at + PyBytes_GET_SIZE(blob)
        try:
            value = read(&place, 0, True)
            if place.at == place.end:
                return value
        except Exception:
            pass
    return careful_decode(blob)


def check(bytes blob not None):
    """Raise `InvalidArgument` unless *blob* is the canonical form of a value."""
    if not is_regular(blob):
        careful_check(blob)


def check_all(blobs):
    """The same of many."""
    for blob in blobs:
        if not is_regular(blob):
            careful_check(blob)


cdef bint is_regular(bytes blob) except -1:
    cdef const uint8_t* at = <const uint8_t*>PyBytes_AS_STRING(blob)
    cdef const uint8_t* end = at + PyBytes_GET_SIZE(blob)
    cdef Py_ssize_t left = MOST
    return at != end and past(at, end, 0, &left) == end


cdef const uint8_t* past(const uint8_t* at, const uint8_t* end, int depth, Py_ssize_t* left) except? NULL:
    """Where the value at *at* ends; NULL if it is none in canonical form."""
    cdef uint8_t head
    cdef Py_ssize_t size
    if at >= end:
        return NULL
    head = at[0]
    at += 1
    size = end - at
    if head < 0x80 or head >= 0xE0 or head == 0xC0 or head == 0xC2 or head == 0xC3:
        return at
    if head < 0xA0:
        return past_container(at, end, head & 15, head < 0x90, depth, left)
    if head < 0xC0:
        return past_octets(at, size, head & 31, True)
    if head == 0xC4 or head == 0xD9:
        if size < 1 or (head == 0xD9 and at[0] < 32):
            return NULL
        return past_octets(at + 1, size - 1, at[0], head == 0xD9)
    if head == 0xC5 or head == 0xDA:
        if size < 2 or big16(at) < 0x100:
            return NULL
        return past_octets(at + 2, size - 2, big16(at), head == 0xDA)
    if head == 0xC6 or head == 0xDB:
        if size < 4 or big32(at) < 0x10000:
            return NULL
        return past_octets(at + 4, size - 4, big32(at), head == 0xDB)
    if 0xCB <= head < 0xD4:
        return past_number(at, size, head)
    if head == 0xDC or head == 0xDE:
        if size < 2 or big16(at) < 16:
            return NULL
        return past_container(at + 2, end, big16(at), head == 0xDE, depth, left)
    if head == 0xDD or head == 0xDF:
        if size < 4 or big32(at) < 0x10000:
            return NULL
        return past_container(at + 4, end, big32(at), head == 0xDF, depth, left)
    if 0xC7 <= head <= 0xC9 or 0xD4 <= head <= 0xD8:
        return past_extension(at - 1, end, head)
    return NULL


cdef const uint8_t* past_octets(const uint8_t* at, Py_ssize_t left, Py_ssize_t size, bint text) noexcept:
    if size > left or (text and not is_text(at, size)):
        return NULL
    return at + size


cdef const uint8_t* past_number(const uint8_t* at, Py_ssize_t left, uint8_t head) noexcept:
    cdef uint64_t bits
    cdef bint shortest
    cdef int width = 8 if head == 0xCB else 1 << (head & 3)
    if left < width:
        return NULL
    if head == 0xCB:
        bits = big64(at)
        shortest = bits & 0x7FFFFFFFFFFFFFFFULL <= 0x7FF0000000000000ULL or bits == 0x7FF8000000000000ULL
    elif head == 0xCC:
        shortest = at[0] >= 0x80
    elif head == 0xCD:
        shortest = big16(at) >= 0x100
    elif head == 0xCE:
        shortest = big32(at) >= 0x10000
    elif head == 0xCF:
        shortest = big64(at) >= 0x100000000ULL
    elif head == 0xD0:
        shortest = <int8_t>at[0] < -32
    elif head == 0xD1:
        shortest = <int16_t>big16(at) < -0x80
    elif head == 0xD2:
        shortest = <int32_t>big32(at) < -0x8000
    else:
        shortest = <int64_t>big64(at) < -0x80000000LL
    return at + width if shortest else NULL


cdef const uint8_t* past_container(
    const uint8_t* at, const uint8_t* end, Py_ssize_t size, bint is_map, int depth, Py_ssize_t* left
) except? NULL:
    cdef const uint8_t* keys[FEW]
    cdef Py_ssize_t sizes[FEW]
    cdef const uint8_t* key
    cdef Py_ssize_t count, earlier
    cdef set known = set() if is_map and size > FEW else None
    left[0] -= 1
    if left[0] < 0 or depth == DEEPEST:
        return NULL
    for count in range(size):
        if is_map:
            key = at
            if at >= end or not (0xA0 <= at[0] < 0xC0 or 0xD9 <= at[0] <= 0xDB):
                return NULL
            at = past(at, end, depth + 1, left)
            if at == NULL:
                return NULL
            if known is not None:
                known.add(PyBytes_FromStringAndSize(<const char*>key, at - key))
            else:
                keys[count], sizes[count] = key, at - key
                for earlier in range(count):
                    if sizes[earlier] == at - key and memcmp(keys[earlier], key, at - key) == 0:
                        return NULL
        at = past(at, end, depth + 1, left)
        if at == NULL:
            return NULL
    return at if known is None or len(known) == size else NULL


cdef const uint8_t* past_extension(const uint8_t* at, const uint8_t* end, uint8_t head) except? NULL:
    cdef Py_ssize_t left = end - at, size
    if head >= 0xD4:
        size = 2 + (1 << (head - 0xD4))
    elif left < 6:
        size = 3 + at[1] if head == 0xC7 and left >= 2 else left + 1
    else:
        size = 3 + at[1] if head == 0xC7 else 4 + big16(at + 1) if head == 0xC8 else 6 + <Py_ssize_t>big32(at + 1)
    if size > left:
        return NULL
    try:
        careful_check(PyBytes_FromStringAndSize(<const char*>at, size))
    except Exception:
        return NULL
    return at + size
