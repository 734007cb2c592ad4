# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""How the blobs of scalars are laid out: the native twin of the plain module."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from kv_protocol.marks cimport is_text, put_bin_head, put_double, put_signed, put_str_head, put_unsigned

from kv_protocol.classes import FALSE, HEADS, NULL, TRUE, class_of
from kv_protocol.extensions import BIG_INT, big_int_octets, extension_blob

__all__ = [
    "FALSE", "HEADS", "NULL", "TRUE", "bytes_blob", "class_of", "float_blob", "int_blob", "is_utf8", "str_blob",
]  # fmt: skip

cdef extern from "Python.h":
    int64_t integer_of "PyLong_AsLongLongAndOverflow"(object, int* beyond) except? -1
    uint64_t PyLong_AsUnsignedLongLong(object) except? 0xFFFFFFFFFFFFFFFF


cdef bytes with_head(const uint8_t* octets, Py_ssize_t size, bint text):
    """The blob of octets that are a str or bytes."""
    cdef uint8_t head[9]
    cdef bytes blob
    if size > 0xFFFFFFFF:
        raise OverflowError("a value beyond 4 GiB")
    cdef Py_ssize_t before = (put_str_head(head, <uint32_t>size) if text else put_bin_head(head, <uint32_t>size)) - head
    blob = PyBytes_FromStringAndSize(<char*>0, before + size)
    cdef uint8_t* at = <uint8_t*>PyBytes_AS_STRING(blob)
    memcpy(at, head, before)
    memcpy(at + before, octets, size)
    return blob


def int_blob(number not None):
    """Return the blob of an int."""
    cdef int beyond = 0
    cdef uint8_t blob[9]
    cdef int64_t value = integer_of(number, &beyond)
    if not beyond:
        return PyBytes_FromStringAndSize(<char*>blob, put_signed(blob, value) - blob)
    if beyond > 0 and number.bit_length() <= 64:
        return PyBytes_FromStringAndSize(<char*>blob, put_unsigned(blob, PyLong_AsUnsignedLongLong(number)) - blob)
    return extension_blob(BIG_INT, big_int_octets(number))


def float_blob(double number):
    """Return the blob of a float; every NaN has the same."""
    cdef uint8_t blob[9]
    return PyBytes_FromStringAndSize(<char*>blob, put_double(blob, number) - blob)


def str_blob(bytes octets not None):
    """Return the blob of the str whose UTF-8 is *octets*; that they are UTF-8 is the caller's promise."""
    return with_head(<const uint8_t*>PyBytes_AS_STRING(octets), PyBytes_GET_SIZE(octets), True)


def bytes_blob(bytes octets not None):
    """Return the blob of the bytes *octets*."""
    return with_head(<const uint8_t*>PyBytes_AS_STRING(octets), PyBytes_GET_SIZE(octets), False)


def is_utf8(bytes octets not None):
    """Say whether *octets* can be a str."""
    return is_text(<const uint8_t*>PyBytes_AS_STRING(octets), PyBytes_GET_SIZE(octets))
