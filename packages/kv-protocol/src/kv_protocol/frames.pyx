# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Frames: a 32-bit length and one msgpack array. The native twin of the plain module."""

from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_GET_SIZE, PyByteArray_Resize
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t
from libc.string cimport memcpy

from kv_protocol.marks cimport big32

from kv_protocol import limits
from kv_protocol.errors import ProtocolError, TooLarge
from kv_protocol.packing import pack, unpack_reply, unpack_request

__all__ = ["HEAD", "FrameReader", "pack", "unpack_reply", "unpack_request"]

cdef extern from "Python.h":
    Py_ssize_t PY_SSIZE_T_MAX

cdef enum:
    HEAD_SIZE = 4

HEAD = HEAD_SIZE


cdef class FrameReader:
    """Takes the bytes of one direction of a connection, gives the bodies of its frames.

    After a frame that may not be, `failure` says why; the frames before it are still given, and nothing after it is.
    """

    def __init__(self, Py_ssize_t max_frame=limits.MAX_FRAME):
        self._limit = max_frame
        self.failure = None
        self._held = bytearray()
        self._missing = 0
        self._queued = b""

    @property
    def max_frame(self):
        return self._limit

    @max_frame.setter
    def max_frame(self, Py_ssize_t limit):
        self._limit = limit

    @property
    def held(self):
        """Bytes that wait for the rest of their frame."""
        return PyByteArray_GET_SIZE(self._held) + PyBytes_GET_SIZE(self._queued)

    cpdef list feed(self, bytes data, Py_ssize_t most=PY_SSIZE_T_MAX):
        """Take *data* and return the bodies now complete, at most *most* of them; `feed(b"")` asks for the next."""
        cdef list bodies = []
        cdef const uint8_t* at
        cdef Py_ssize_t position = 0, start, end, length, size
        if self.failure is not None:
            return bodies
        if PyBytes_GET_SIZE(self._queued):
            data = self._queued + data
            self._queued = b""
        if PyByteArray_GET_SIZE(self._held):
            position = self._resume(data, bodies)
        at = <const uint8_t*>PyBytes_AS_STRING(data)
        end = PyBytes_GET_SIZE(data)
        while len(bodies) < most and end - position >= HEAD_SIZE:
            length = big32(at + position)
            if not 0 < length <= self._limit:
                self._fail(length)
                return bodies
            start = position + HEAD_SIZE
            if length > end - start:
                self._missing = length - (end - start)
                break
            bodies.append(PyBytes_FromStringAndSize(<const char*>at + start, length))
            position = start + length
        if position < end:
            if len(bodies) < most:
                size = PyByteArray_GET_SIZE(self._held)
                PyByteArray_Resize(self._held, size + end - position)
                memcpy(PyByteArray_AS_STRING(self._held) + size, at + position, end - position)
            else:
                self._queued = PyBytes_FromStringAndSize(<const char*>at + position, end - position)
        return bodies

    cdef Py_ssize_t _resume(self, bytes data, list bodies) except -1:
        """Complete the held frame from the start of *data*; return how much of it was taken."""
        cdef const char* at = PyBytes_AS_STRING(data)
        cdef Py_ssize_t size = PyByteArray_GET_SIZE(self._held), taken = 0, length, piece
        if size < HEAD_SIZE:
            taken = min(HEAD_SIZE - size, PyBytes_GET_SIZE(data))
            PyByteArray_Resize(self._held, size + taken)
            memcpy(PyByteArray_AS_STRING(self._held) + size, at, taken)
            size += taken
            if size < HEAD_SIZE:
                return taken
            length = big32(<const uint8_t*>PyByteArray_AS_STRING(self._held))
            if not 0 < length <= self._limit:
                self._fail(length)
                return PyBytes_GET_SIZE(data)
            self._missing = length
        piece = min(self._missing, PyBytes_GET_SIZE(data) - taken)
        PyByteArray_Resize(self._held, size + piece)
        memcpy(PyByteArray_AS_STRING(self._held) + size, at + taken, piece)
        self._missing -= piece
        if not self._missing:
            size += piece
            bodies.append(PyBytes_FromStringAndSize(PyByteArray_AS_STRING(self._held) + HEAD_SIZE, size - HEAD_SIZE))
            self._held = bytearray()
        return taken + piece

    cdef int _fail(self, Py_ssize_t length) except -1:
        limit = self._limit
        self._held = bytearray()
        if length:
            self.failure = TooLarge(f"a frame of {length} bytes; the limit is {limit}", {"limit": limit})
        else:
            self.failure = ProtocolError("a frame of no bytes")
        return 0
