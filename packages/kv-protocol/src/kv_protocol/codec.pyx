# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""What a client sends and gets: the native twin of the plain module; and msgpack itself, read and written.

What is not as most is goes the plain way from its beginning: nothing is decided here that is decided there.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_Next, PyDict_Size
from cpython.float cimport PyFloat_AS_DOUBLE, PyFloat_CheckExact, PyFloat_FromDouble
from cpython.list cimport (
    PyList_Append,
    PyList_CheckExact,
    PyList_GET_ITEM,
    PyList_GET_SIZE,
    PyList_New,
    PyList_SET_ITEM,
)
from cpython.long cimport PyLong_CheckExact, PyLong_FromLong
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF
from cpython.tuple cimport PyTuple_CheckExact, PyTuple_GET_ITEM, PyTuple_GET_SIZE
from cpython.unicode cimport PyUnicode_CheckExact, PyUnicode_DecodeUTF8
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from kv_protocol.frames cimport FrameReader
from kv_protocol.marks cimport (
    big16,
    big32,
    big64,
    double_at,
    put64,
    put_array_head,
    put_bin_head,
    put_double,
    put_length,
    put_map_head,
    put_signed,
    put_str_head,
    put_unsigned,
)

from datetime import datetime
from decimal import Decimal
from struct import unpack

from msgpack import Packer

from kv_protocol import form, limits, messages
from kv_protocol.errors import ProtocolError
from kv_protocol.packing import pack_request, reply_in

__all__ = ["ReplyReader", "RequestPacker"]

cdef extern from "Python.h":
    int64_t integer_of "PyLong_AsLongLongAndOverflow"(object, int* beyond) except? -1
    uint64_t PyLong_AsUnsignedLongLong(object) except? 0xFFFFFFFFFFFFFFFF
    object PyLong_FromLongLong(int64_t)
    object PyLong_FromUnsignedLongLong(uint64_t)
    const char* PyUnicode_AsUTF8AndSize(object, Py_ssize_t* size) except NULL
    void PyUnicode_InternInPlace(PyObject** text)
    bint PyDict_CheckExact(object)
    object PyDict_New()
    int PyDict_SetItem(object, object, object) except -1

cdef enum:
    KNOWN = 1_024  # items that a claim may have made room for
    ROOM = 1_024
    HEAD = 4

cdef int DEEPEST = limits.MAX_NESTING
cdef uint8_t DEADLINE = messages.DEADLINE
cdef uint8_t SEQ = messages.SEQ
cdef uint8_t SEEN = messages.SEEN
cdef uint8_t NAMESPACE = messages.NAMESPACE
cdef uint8_t FENCE = messages.FENCE
cdef uint8_t TRACE = messages.TRACE
cdef const char* ESCAPED = "surrogateescape"
cdef object careful_encode = form.encode
cdef object careful_decode = form.decode


class Unusual(Exception):
    """Not for here."""


# ---- writing
cdef void begin(Out* out, uint8_t* room, Py_ssize_t size) noexcept:
    out.start, out.size, out.room, out.heap = room, 0, size, False


cdef void finish(Out* out) noexcept:
    if out.heap:
        PyMem_Free(out.start)


cdef int reserve(Out* out, Py_ssize_t more) except -1:
    """Have room for *more* bytes."""
    cdef Py_ssize_t room
    cdef uint8_t* start
    if more <= out.room - out.size:
        return 0
    room = 2 * (out.size + more)
    start = <uint8_t*>(PyMem_Realloc(out.start, room) if out.heap else PyMem_Malloc(room))
    if start == NULL:
        raise MemoryError
    if not out.heap:
        memcpy(start, out.start, out.size)
    out.start, out.room, out.heap = start, room, True
    return 0


cdef int put_octets(Out* out, const char* octets, Py_ssize_t size, bint text) except -1:
    cdef uint8_t* at
    if size > 0xFFFFFFFF:
        raise Unusual
    reserve(out, size + 9)
    at = out.start + out.size
    at = put_str_head(at, <uint32_t>size) if text else put_bin_head(at, <uint32_t>size)
    memcpy(at, octets, size)
    out.size = at + size - out.start
    return 0


cdef int put_careful(Out* out, object item) except -1:
    cdef bytes blob = careful_encode(item)
    reserve(out, PyBytes_GET_SIZE(blob))
    memcpy(out.start + out.size, PyBytes_AS_STRING(blob), PyBytes_GET_SIZE(blob))
    out.size += PyBytes_GET_SIZE(blob)
    return 0


cdef bint put(Out* out, object item, int depth, bint of_value) except -1:
    """Append *item*, which is a value or part of a message. False where that is for others to do, or to refuse."""
    cdef Py_ssize_t size = 0
    cdef const char* octets
    cdef int beyond = 0
    cdef int64_t number
    cdef uint64_t bits
    cdef double real
    cdef uint8_t* at
    if PyUnicode_CheckExact(item):
        octets = PyUnicode_AsUTF8AndSize(item, &size)
        put_octets(out, octets, size, True)
        return True
    if PyBytes_CheckExact(item):
        put_octets(out, PyBytes_AS_STRING(item), PyBytes_GET_SIZE(item), False)
        return True
    if PyDict_CheckExact(item):
        return put_map(out, item, depth, of_value)
    if PyList_CheckExact(item) or (PyTuple_CheckExact(item) and not of_value):
        return put_array(out, item, depth, of_value)
    reserve(out, 9)
    at = out.start + out.size
    if PyLong_CheckExact(item):
        number = integer_of(item, &beyond)
        if not beyond:
            at = put_signed(at, number)
        elif beyond > 0 and item.bit_length() <= 64:
            at = put_unsigned(at, PyLong_AsUnsignedLongLong(item))
        elif of_value:
            put_careful(out, item)
            return True
        else:
            return False
    elif item is None or item is False or item is True:
        at[0] = 0xC0 if item is None else 0xC3 if item is True else 0xC2
        at += 1
    elif PyFloat_CheckExact(item):
        real = PyFloat_AS_DOUBLE(item)
        if of_value:
            at = put_double(at, real)
        else:
            memcpy(&bits, &real, 8)
            at = put64(at, 0xCB, bits)
    elif of_value and (type(item) is Decimal or type(item) is datetime):
        put_careful(out, item)
        return True
    else:
        return False
    out.size = at - out.start
    return True


cdef bint put_map(Out* out, object item, int depth, bint of_value) except -1:
    cdef Py_ssize_t size = PyDict_Size(item), place = 0, seen = 0
    cdef PyObject* borrowed_key
    cdef PyObject* borrowed
    if depth == DEEPEST or size > 0xFFFFFFFF:
        return False
    reserve(out, 9)
    out.size = put_map_head(out.start + out.size, <uint32_t>size) - out.start
    while PyDict_Next(item, &place, &borrowed_key, &borrowed):
        key, inner = <object>borrowed_key, <object>borrowed
        seen += 1
        if of_value and not PyUnicode_CheckExact(key):
            return False
        if not put(out, key, depth + 1, of_value) or not put(out, inner, depth + 1, of_value):
            return False
    return seen == size and PyDict_Size(item) == size


cdef bint put_array(Out* out, object item, int depth, bint of_value) except -1:
    cdef bint is_list = PyList_CheckExact(item)
    cdef Py_ssize_t size = PyList_GET_SIZE(item) if is_list else PyTuple_GET_SIZE(item), place
    if depth == DEEPEST or size > 0xFFFFFFFF:
        return False
    reserve(out, 9)
    out.size = put_array_head(out.start + out.size, <uint32_t>size) - out.start
    for place in range(size):
        if is_list and place >= PyList_GET_SIZE(item):
            return False
        inner = <object>(PyList_GET_ITEM(item, place) if is_list else PyTuple_GET_ITEM(item, place))
        if not put(out, inner, depth + 1, of_value):
            return False
    return not is_list or PyList_GET_SIZE(item) == size


# ---- reading
cdef object read(Place* place, int depth, bint of_value):
    """The value, or part of a message, at *place*, which goes on behind it. Raises where that is for others to do."""
    cdef Py_ssize_t left = place.end - place.at - 1
    cdef uint8_t head
    cdef const uint8_t* at
    cdef Py_ssize_t width
    if left < 0:
        raise Unusual
    head = place.at[0]
    at = place.at + 1
    if head < 0x80 or head >= 0xE0:
        place.at = at
        return PyLong_FromLong(<int8_t>head)
    if head < 0x90:
        place.at = at
        return read_map(place, head & 15, depth, of_value)
    if head < 0xA0:
        place.at = at
        return read_array(place, head & 15, depth, of_value)
    if head < 0xC0:
        place.at = at
        return read_str(place, head & 31, of_value)
    if head == 0xC0 or head == 0xC2 or head == 0xC3:
        place.at = at
        return None if head == 0xC0 else head == 0xC3
    width = widths[head]
    if not width:
        return read_extension(place, head, of_value)
    if left < width:
        raise Unusual
    place.at = at + width
    if head == 0xC4:
        return read_bin(place, at[0])
    if head == 0xCB:
        return PyFloat_FromDouble(double_at(at))
    if 0xCC <= head < 0xD4:
        return read_int(head, at)
    if head == 0xD9:
        return read_str(place, at[0], of_value)
    if head == 0xCA:
        return unpack(">f", at[:4])[0]
    width = big16(at) if width == 2 else <Py_ssize_t>big32(at)
    if head == 0xC5 or head == 0xC6:
        return read_bin(place, width)
    if head == 0xDA or head == 0xDB:
        return read_str(place, width, of_value)
    if head == 0xDC or head == 0xDD:
        return read_array(place, width, depth, of_value)
    return read_map(place, width, depth, of_value)


cdef Py_ssize_t widths[256]
for _head, _width in (
    (0xC4, 1), (0xC5, 2), (0xC6, 4), (0xCA, 4), (0xCB, 8), (0xCC, 1), (0xCD, 2), (0xCE, 4), (0xCF, 8), (0xD0, 1),
    (0xD1, 2), (0xD2, 4), (0xD3, 8), (0xD9, 1), (0xDA, 2), (0xDB, 4), (0xDC, 2), (0xDD, 4), (0xDE, 2), (0xDF, 4),
):
    widths[_head] = _width


cdef object read_int(uint8_t head, const uint8_t* at):
    if head == 0xCC:
        return PyLong_FromLong(at[0])
    if head == 0xCD:
        return PyLong_FromLong(big16(at))
    if head == 0xCE:
        return PyLong_FromLongLong(big32(at))
    if head == 0xCF:
        return PyLong_FromUnsignedLongLong(big64(at))
    if head == 0xD0:
        return PyLong_FromLong(<int8_t>at[0])
    if head == 0xD1:
        return PyLong_FromLong(<int16_t>big16(at))
    if head == 0xD2:
        return PyLong_FromLongLong(<int32_t>big32(at))
    return PyLong_FromLongLong(<int64_t>big64(at))


cdef object read_extension(Place* place, uint8_t head, bint of_value):
    cdef const uint8_t* at = place.at
    cdef Py_ssize_t left = place.end - at, size = -1
    if 0xD4 <= head <= 0xD8:
        size = 2 + (1 << (head - 0xD4))
    elif 0xC7 <= head <= 0xC9 and left > 5:
        size = 3 + at[1] if head == 0xC7 else 4 + big16(at + 1) if head == 0xC8 else 6 + <Py_ssize_t>big32(at + 1)
    if not of_value or size < 0 or size > left:
        raise Unusual
    place.at = at + size
    return careful_decode(PyBytes_FromStringAndSize(<const char*>at, size))


cdef object read_bin(Place* place, Py_ssize_t size):
    cdef const uint8_t* at = place.at
    if size > place.end - at:
        raise Unusual
    place.at = at + size
    return PyBytes_FromStringAndSize(<const char*>at, size)


cdef object read_str(Place* place, Py_ssize_t size, bint of_value):
    cdef const uint8_t* at = place.at
    if size > place.end - at:
        raise Unusual
    place.at = at + size
    return PyUnicode_DecodeUTF8(<char*>at, size, <char*>NULL if of_value else <char*>ESCAPED)


cdef object read_array(Place* place, Py_ssize_t size, int depth, bint of_value):
    cdef Py_ssize_t count
    cdef list items
    if size > place.end - place.at or depth == DEEPEST:
        raise Unusual
    if size <= KNOWN:
        items = PyList_New(size)
        for count in range(size):
            item = read(place, depth + 1, of_value)
            Py_INCREF(item)
            PyList_SET_ITEM(items, count, item)
        return items
    items = []
    for count in range(size):
        PyList_Append(items, read(place, depth + 1, of_value))
    return items


cdef object read_map(Place* place, Py_ssize_t size, int depth, bint of_value):
    cdef Py_ssize_t count
    cdef PyObject* interned
    if 2 * size > place.end - place.at or depth == DEEPEST:
        raise Unusual
    items = PyDict_New()
    for count in range(size):
        key = read(place, depth + 1, of_value)
        if not PyUnicode_CheckExact(key):
            if of_value:
                raise Unusual
        else:
            interned = <PyObject*>key
            Py_INCREF(key)
            PyUnicode_InternInPlace(&interned)
            key = <object>interned
            Py_DECREF(key)
        PyDict_SetItem(items, key, read(place, depth + 1, of_value))
    return items


# ---- requests
cdef class RequestPacker:
    """Makes frames of requests."""

    cdef object _packer

    def __init__(self):
        self._packer = Packer(autoreset=True)

    def pack(self, number, word, args, options, deadline, seq, seen, namespace, fence, trace):
        """Return the frame of a request; a *seq* of 0 is none. Raises what msgpack raises."""
        cdef uint8_t room[ROOM]
        cdef Out out
        cdef int meta = (
            (deadline is not None) + (2 if seq and seen is not None else 1 if seq else 0) + (namespace is not None)
            + (fence is not None) + (trace is not None)
        )  # fmt: skip
        begin(&out, room, ROOM)
        out.size = HEAD + 1
        room[HEAD] = 0x95
        try:
            if (
                put(&out, number, 0, MESSAGE)
                and put(&out, word, 0, MESSAGE)
                and put(&out, args, 0, MESSAGE)
                and put(&out, options, 0, MESSAGE)
                and put_meta(&out, 0x80 + meta, deadline, seq, seen, namespace, fence, trace)
                and out.size <= 0xFFFFFFFF
            ):
                put_length(out.start, <uint32_t>(out.size - HEAD))
                return PyBytes_FromStringAndSize(<char*>out.start, out.size)
        except (Unusual, UnicodeEncodeError):
            pass
        finally:
            finish(&out)
        return pack_request(self._packer, number, word, args, options, deadline, seq, seen, namespace, fence, trace)


cdef bint put_meta(Out* out, uint8_t head, deadline, seq, seen, namespace, fence, trace) except -1:
    reserve(out, 1)
    out.start[out.size] = head
    out.size += 1
    return (
        (deadline is None or put_one(out, DEADLINE, deadline))
        and (not seq or put_one(out, SEQ, seq))
        and (not seq or seen is None or put_one(out, SEEN, seen))
        and (namespace is None or put_one(out, NAMESPACE, namespace))
        and (fence is None or put_one(out, FENCE, fence))
        and (trace is None or put_one(out, TRACE, trace))
    )


cdef bint put_one(Out* out, uint8_t key, object item) except -1:
    reserve(out, 1)
    out.start[out.size] = key
    out.size += 1
    return put(out, item, 1, MESSAGE)


# ---- replies
cdef class ReplyReader(FrameReader):
    """A reader of frames that are replies."""

    def replies(self, bytes data not None):
        """Take *data* and return what is now complete: id, status and body of a reply, those of the next, and so on.

        It ends before the first frame that is no reply: `failure` tells of that.
        """
        cdef Place place
        cdef const uint8_t* start = <const uint8_t*>PyBytes_AS_STRING(data)
        cdef const uint8_t* end = start + PyBytes_GET_SIZE(data)
        cdef Py_ssize_t length
        cdef list found = [], bodies = []
        if self.failure is not None:
            return found
        if self._queued:
            bodies = self.feed(data)
            start = end
        elif self._held:
            start += self._resume(data, bodies)
        for body in bodies:
            place.at = <const uint8_t*>PyBytes_AS_STRING(body)
            place.end = place.at + PyBytes_GET_SIZE(body)
            if not self._take(&place, found):
                return found
        while end - start >= HEAD:
            length = big32(start)
            if not 0 < length <= self._limit or length > end - start - HEAD:
                break
            place.at = start + HEAD
            place.end = start = place.at + length
            if not self._take(&place, found):
                return found
        if start < end:
            self.feed(PyBytes_FromStringAndSize(<const char*>start, end - start))
        return found

    cdef bint _take(self, Place* place, list found) except -1:
        cdef const uint8_t* at = place.at
        cdef bytes body
        try:
            if at[0] == 0x93:
                place.at += 1
                number = read(place, 1, MESSAGE)
                status = read(place, 1, MESSAGE)
                result = read(place, 1, MESSAGE)
                if place.at == place.end and PyLong_CheckExact(number) and PyLong_CheckExact(status):
                    found.append(number)
                    found.append(status)
                    found.append(result)
                    return True
        except (Unusual, TypeError, UnicodeDecodeError):
            pass
        body = PyBytes_FromStringAndSize(<const char*>at, place.end - at)
        reply = reply_in(body)
        if isinstance(reply, ProtocolError):
            self.failure = reply
            return False
        found.extend(reply)
        return True
