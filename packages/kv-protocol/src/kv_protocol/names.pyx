# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Names (keys, locks, fields, members, channels): the native twin of the plain module."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint16_t
from libc.string cimport memchr

from kv_protocol.errors import InvalidArgument
from kv_protocol.limits import SLOTS

__all__ = ["slot", "text", "wire"]

cdef extern from "Python.h":
    bint PyUnicode_Check(object)
    bint PyUnicode_IS_ASCII(object)

cdef uint16_t LAST_SLOT = SLOTS - 1
cdef uint16_t turns[256]


cdef void fill() noexcept:
    """What each byte does to a CRC-16 of the polynomial 0x1021."""
    cdef int octet, bit
    cdef uint16_t turn
    for octet in range(256):
        turn = <uint16_t>(octet << 8)
        for bit in range(8):
            turn = <uint16_t>((turn << 1) ^ 0x1021) if turn & 0x8000 else <uint16_t>(turn << 1)
        turns[octet] = turn


fill()


def wire(name):
    """Return *name* as it travels: itself where it is UTF-8, else the bytes it stands for."""
    if not PyUnicode_Check(name):
        raise InvalidArgument(f"a name must be str, not {type(name).__name__}")
    if PyUnicode_IS_ASCII(name):
        return name
    try:
        name.encode()
    except UnicodeEncodeError:
        return escaped(name)
    return name


def text(wire):
    """Return the text of a name that came from the wire in either form."""
    return wire if PyUnicode_Check(wire) else wire.decode("utf-8", "surrogateescape")


def slot(bytes name not None):
    """Return the slot of *name* as Redis Cluster counts: where braces hold something, only that is counted."""
    cdef const uint8_t* at = <const uint8_t*>PyBytes_AS_STRING(name)
    cdef const uint8_t* end = at + PyBytes_GET_SIZE(name)
    cdef const uint8_t* opened = <const uint8_t*>memchr(at, 123, end - at)
    cdef const uint8_t* closed
    cdef uint16_t crc = 0
    if opened != NULL:
        closed = <const uint8_t*>memchr(opened + 1, 125, end - opened - 1)
        if closed > opened + 1:
            at, end = opened + 1, closed
    while at < end:
        crc = <uint16_t>(crc << 8) ^ turns[(crc >> 8) ^ at[0]]
        at += 1
    return crc & LAST_SLOT


cdef bytes escaped(name):
    try:
        return name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise InvalidArgument("a name holds a surrogate that stands for no byte") from None
