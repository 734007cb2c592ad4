# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""How values read as plain text and as numbers: the native twin of the plain module."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from kv_protocol.marks cimport big16, big32, big64, is_text, put_bin_head, put_str_head

from kv_protocol.canonical import decode
from kv_protocol.classes import class_of
from kv_protocol.spelling import no_number, spelled

__all__ = ["all_octets", "from_octets", "number", "octets"]

cdef enum:
    LONGEST_INT = 20


def octets(bytes blob not None):
    """Return the plain text of *blob*; that of null is empty."""
    return octets_of(blob)


def all_octets(blobs):
    """Return the plain text of each of *blobs*."""
    cdef list texts = []
    for blob in blobs:
        texts.append(octets_of(blob))
    return texts


def from_octets(bytes octets not None):
    """Return the blob of what RESP wrote: a str where it is UTF-8, else bytes."""
    cdef uint8_t head[9]
    cdef const uint8_t* source = <const uint8_t*>PyBytes_AS_STRING(octets)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(octets), before
    cdef bytes blob
    if size > 0xFFFFFFFF:
        raise OverflowError("a value beyond 4 GiB")
    if is_text(source, size):
        before = put_str_head(head, <uint32_t>size) - head
    else:
        before = put_bin_head(head, <uint32_t>size) - head
    blob = PyBytes_FromStringAndSize(<char*>0, before + size)
    memcpy(PyBytes_AS_STRING(blob), head, before)
    memcpy(PyBytes_AS_STRING(blob) + before, source, size)
    return blob


def number(bytes blob not None):
    """Return the number that *blob* is, or the int64 that its text spells in the one way an int is spelled.

    Raises `NotANumber` for anything else; a bool is no number.
    """
    cdef const uint8_t* at = <const uint8_t*>PyBytes_AS_STRING(blob)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(blob), before
    cdef int64_t spelt = 0
    cdef uint8_t head
    if not size:
        raise IndexError("index out of range")
    head = at[0]
    if head < 0x80 or head >= 0xE0:
        return <int8_t>head
    before = octets_at(head)
    if before:
        if size > before and read_int64(at + before, size - before, &spelt):
            return spelt
    elif 0xCC <= head < 0xD4 and size == 1 + (1 << (head & 3)):
        return fixed_int(head, at + 1)
    else:
        return spelled_number(blob)
    raise no_number(class_of(blob))


cdef object spelled_number(bytes blob):
    if class_of(blob) in ("int", "float", "decimal"):
        return decode(blob)
    raise no_number(class_of(blob))


cdef bytes octets_of(bytes blob):
    cdef const char* at = PyBytes_AS_STRING(blob)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(blob), before
    cdef uint8_t head
    if not size:
        raise IndexError("index out of range")
    head = <uint8_t>at[0]
    before = octets_at(head)
    if before:
        return PyBytes_FromStringAndSize(at + before, max(0, size - before))
    if head < 0x80:
        return small_int(head)
    if head == 0xC0 and size == 1:
        return b""
    if 0xCC <= head < 0xD4 and size == 1 + (1 << (head & 3)):
        return b"%d" % fixed_int(head, <const uint8_t*>at + 1)
    return (<str>spelled(decode(blob))).encode()


cdef bytes small_int(uint8_t number):
    cdef char digits[3]
    cdef int size = 1 if number < 10 else 2 if number < 100 else 3, place
    for place in range(size - 1, -1, -1):
        digits[place] = 48 + number % 10
        number //= 10
    return PyBytes_FromStringAndSize(digits, size)


cdef object fixed_int(uint8_t head, const uint8_t* at):
    if head == 0xCC:
        return at[0]
    if head == 0xCD:
        return big16(at)
    if head == 0xCE:
        return big32(at)
    if head == 0xCF:
        return big64(at)
    if head == 0xD0:
        return <int8_t>at[0]
    if head == 0xD1:
        return <int16_t>big16(at)
    if head == 0xD2:
        return <int32_t>big32(at)
    return <int64_t>big64(at)


cdef inline Py_ssize_t octets_at(uint8_t head) noexcept:
    if 0xA0 <= head < 0xC0:
        return 1
    if head == 0xC4 or head == 0xD9:
        return 2
    if head == 0xC5 or head == 0xDA:
        return 3
    return 5 if head == 0xC6 or head == 0xDB else 0


cdef bint read_int64(const uint8_t* at, Py_ssize_t size, int64_t* number) noexcept:
    """Whether these are the digits of an int64 as it is spelled."""
    cdef bint negative = at[0] == 45
    cdef uint64_t total = 0
    cdef Py_ssize_t place
    if size > LONGEST_INT or (negative and size == 1):
        return False
    if at[negative] == 48 and (size > 1):
        return False
    for place in range(negative, size):
        if not 48 <= at[place] <= 57:
            return False
        if total > 922337203685477580ULL:
            return False
        total = total * 10 + (at[place] - 48)
    if total > 9223372036854775807ULL + <uint64_t>negative:
        return False
    number[0] = <int64_t>(0 - total) if negative else <int64_t>total
    return True
