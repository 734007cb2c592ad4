# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Requests and answers of kv's own protocol, frame by frame: the native twin of the plain module.

A body is read here if it is a short request of nothing but the plainest parts. Any other is read again, from its
beginning, by the code that says what is wrong with it, if anything is.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.list cimport PyList_New, PyList_SET_ITEM
from cpython.ref cimport Py_INCREF
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy

from kv_server.surfaces import requests
from kv_server.surfaces.requests import read_request

__all__ = ["answer", "read"]

cdef extern from "Python.h":
    int64_t integer_of "PyLong_AsLongLongAndOverflow"(object, int* beyond) except? -1

cdef object UNUSUAL = object()
cdef Py_ssize_t SHORT = requests.SHORT
cdef object LARGEST = 2**64 - 1

cdef enum:
    DEEPEST = 8  # arrays and maps within each other
    LONGEST_KNOWN = 16
    KNOWN = 256

cdef list known = [b""] * KNOWN
"""Names that came last, by what they look like: most are those of commands, and their hash is known."""

cdef struct Place:
    const uint8_t* at
    const uint8_t* end


cpdef tuple read(bytes body, set still_open, max_batch):
    """Id, name, arguments, options and meta of the request in *body*; its id is not one of *still_open*.

    Raises `ProtocolError`, and anything at all where *body* is no request; `Overfull` beyond *max_batch* arguments.
    """
    cdef tuple request = None
    if body is not None and 4 < PyBytes_GET_SIZE(body) <= SHORT:
        request = usual(body)
    if request is None or (still_open and request[0] in still_open):
        return read_request(body, still_open, max_batch)
    return request


cdef tuple usual(bytes body):
    """The parts of a request that is as most are, else None."""
    cdef Place place
    cdef int parts
    cdef uint64_t request_id
    cdef object name, args, options = None, meta = None
    place.at = <const uint8_t*>PyBytes_AS_STRING(body)
    place.end = place.at + PyBytes_GET_SIZE(body)
    parts = place.at[0] - 0x90
    place.at += 1
    if not 3 <= parts <= 5 or not unsigned_at(&place, &request_id) or not 0 < request_id <= 0xFFFFFFFF:
        return None
    name = name_at(&place)
    if name is UNUSUAL or place.at == place.end or not (0x90 <= place.at[0] < 0xA0 or 0xDC <= place.at[0] <= 0xDD):
        return None
    args = value_at(&place, 0)
    if args is UNUSUAL:
        return None
    if parts > 3:
        options = value_at(&place, 0)
        if options is not None and type(options) is not dict:
            return None
    if parts > 4:
        meta = value_at(&place, 0)
        if meta is not None and type(meta) is not dict:
            return None
    if place.at != place.end:
        return None
    return request_id, name, args, options, meta


cdef inline bint unsigned_at(Place* place, uint64_t* found) noexcept:
    """Whether a number from 0 on stands at *place*, and which."""
    cdef int size
    if place.at == place.end:
        return False
    if place.at[0] < 0x80:
        found[0] = place.at[0]
        place.at += 1
        return True
    if not 0xCC <= place.at[0] <= 0xCF:
        return False
    size = 1 << (place.at[0] - 0xCC)
    if place.end - place.at <= size:
        return False
    found[0] = big_endian(place.at + 1, size)
    place.at += 1 + size
    return True


cdef inline uint64_t big_endian(const uint8_t* at, int size) noexcept:
    cdef uint64_t found = 0
    cdef int place
    for place in range(size):
        found = found << 8 | at[place]
    return found


cdef object name_at(Place* place):
    """The bytes at *place*: those of before, if they are the same."""
    cdef Py_ssize_t size = octets_at(place)
    cdef const uint8_t* at = place.at
    cdef bytes name
    cdef unsigned int slot
    if size < 0:
        return UNUSUAL
    place.at += size
    if not 1 < size <= LONGEST_KNOWN:
        return PyBytes_FromStringAndSize(<const char*>at, size)
    slot = (<unsigned int>size * 89 + at[0] * 31 + at[size - 1] * 7 + at[size >> 1]) % KNOWN
    name = known[slot]
    if PyBytes_GET_SIZE(name) != size or memcmp(PyBytes_AS_STRING(name), at, size) != 0:
        name = known[slot] = PyBytes_FromStringAndSize(<const char*>at, size)
    return name


cdef Py_ssize_t octets_at(Place* place) noexcept:
    """Move to the octets of the string or bytes at *place*; how many there are, or -1 if it is something else."""
    cdef uint8_t head
    cdef int width
    cdef uint64_t size
    if place.at == place.end:
        return -1
    head = place.at[0]
    if 0xA0 <= head < 0xC0:
        size, width = head - 0xA0, 0
    elif 0xC4 <= head <= 0xC6:
        size, width = 0, 1 << (head - 0xC4)
    elif 0xD9 <= head <= 0xDB:
        size, width = 0, 1 << (head - 0xD9)
    else:
        return -1
    if place.end - place.at <= width:
        return -1
    if width:
        size = big_endian(place.at + 1, width)
    place.at += 1 + width
    if size > <uint64_t>(place.end - place.at):
        return -1
    return <Py_ssize_t>size


cdef object value_at(Place* place, int depth):
    """What stands at *place*, and move behind it; UNUSUAL for all that is rare, or wrong."""
    cdef uint8_t head
    cdef int width
    cdef uint64_t bits
    cdef double number
    cdef Py_ssize_t size
    cdef const uint8_t* at
    if place.at == place.end:
        return UNUSUAL
    head = place.at[0]
    if head < 0x80 or 0xCC <= head <= 0xCF:
        return bits if unsigned_at(place, &bits) else UNUSUAL
    if 0xA0 <= head < 0xC0 or 0xC4 <= head <= 0xC6 or 0xD9 <= head <= 0xDB:
        size = octets_at(place)
        if size < 0:
            return UNUSUAL
        at = place.at
        place.at += size
        return PyBytes_FromStringAndSize(<const char*>at, size)
    if head >= 0xE0:
        place.at += 1
        return <int>head - 0x100
    if 0xC0 <= head <= 0xC3:
        place.at += 1
        return None if head == 0xC0 else head == 0xC3 if head != 0xC1 else UNUSUAL
    if 0x90 <= head < 0xA0 or 0xDC <= head <= 0xDD:
        return array_at(place, depth + 1)
    if head < 0x90 or 0xDE <= head <= 0xDF:
        return map_at(place, depth + 1)
    if head != 0xCB and not 0xD0 <= head <= 0xD3:
        return UNUSUAL
    width = 8 if head == 0xCB else 1 << (head - 0xD0)
    if place.end - place.at <= width:
        return UNUSUAL
    bits = big_endian(place.at + 1, width)
    place.at += 1 + width
    if head == 0xCB:
        memcpy(&number, &bits, 8)
        return number
    return signed(bits, width)


cdef inline int64_t signed(uint64_t bits, int width) noexcept:
    if width == 1:
        return <int8_t>bits
    if width == 2:
        return <int16_t>bits
    return <int32_t>bits if width == 4 else <int64_t>bits


cdef Py_ssize_t count_at(Place* place, uint8_t small, uint8_t large, int each) noexcept:
    """Move to the elements of the array or map at *place*; how many there are. -1 if they cannot be, at *each* bytes."""
    cdef uint8_t head = place.at[0]
    cdef uint64_t count
    cdef int width = 0
    if head < large:
        count = head - small
    else:
        width = 2 << (head - large)
        if place.end - place.at <= width:
            return -1
        count = big_endian(place.at + 1, width)
    place.at += 1 + width
    return -1 if count * each > <uint64_t>(place.end - place.at) else <Py_ssize_t>count


cdef object array_at(Place* place, int depth):
    cdef Py_ssize_t index, count = count_at(place, 0x90, 0xDC, 1)
    cdef list items
    cdef object item
    if count < 0 or depth > DEEPEST:
        return UNUSUAL
    items = PyList_New(count)
    for index in range(count):
        item = value_at(place, depth)
        if item is UNUSUAL:
            return UNUSUAL
        Py_INCREF(item)
        PyList_SET_ITEM(items, index, item)
    return items


cdef object map_at(Place* place, int depth):
    cdef Py_ssize_t index, count = count_at(place, 0x80, 0xDE, 2)
    cdef dict items = {}
    cdef object key, item
    if count < 0 or depth > DEEPEST:
        return UNUSUAL
    for index in range(count):
        key = value_at(place, depth)
        if type(key) is not bytes and type(key) is not int:
            return UNUSUAL
        item = value_at(place, depth)
        if item is UNUSUAL:
            return UNUSUAL
        items[key] = item
    return items


cpdef answer(unsigned int request_id, reply, Py_ssize_t max_frame):
    """The frame of the answer *reply*, if it is as plain as most are."""
    cdef Py_ssize_t size
    cdef uint64_t number
    cdef int beyond = 0
    cdef bytes made
    cdef uint8_t* at
    if type(reply) is bytes:
        size = PyBytes_GET_SIZE(reply)
        if size >= 256 and size + 12 > max_frame:
            return None
        made = begun(request_id, 0xC4 if size < 256 else 0xC6, size + (1 if size < 256 else 4), &at)
        at = put(at, size, 1 if size < 256 else 4)
        memcpy(at, PyBytes_AS_STRING(reply), size)
        return made
    if reply is None:
        return begun(request_id, 0xC0, 0, &at)
    if type(reply) is bool:
        return begun(request_id, 0xC3 if reply is True else 0xC2, 0, &at)
    if type(reply) is not int:
        return None
    number = <uint64_t>integer_of(reply, &beyond)
    if beyond > 0 and reply <= LARGEST:
        number = reply
    elif beyond or <int64_t>number < 0:
        return None
    if number < 128:
        return begun(request_id, number, 0, &at)
    made = begun(request_id, 0xCF, 8, &at)
    put(at, number, 8)
    return made


cdef inline bytes begun(uint32_t request_id, uint8_t kind, Py_ssize_t size, uint8_t** rest):
    """The frame of an answer whose body is *kind* and as many bytes more, which are to be written at *rest*."""
    cdef bytes made = PyBytes_FromStringAndSize(NULL, 12 + size)
    cdef uint8_t* at = <uint8_t*>PyBytes_AS_STRING(made)
    at = put(at, 8 + size, 4)
    at = put(at, 0x93CE, 2)
    at = put(at, request_id, 4)
    rest[0] = put(at, kind, 2)
    return made


cdef inline uint8_t* put(uint8_t* at, uint64_t number, int width) noexcept:
    """Write *number* at this width, the highest byte first; where it ends."""
    cdef int place
    for place in range(width - 1, -1, -1):
        at[place] = <uint8_t>number
        number >>= 8
    return at + width
