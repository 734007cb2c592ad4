# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The commonest replies of RESP as bytes, in one stroke: the native twin of the plain module.

Short lists and maps of such replies are common too here. What is to be written is measured first, then written once.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_Next
from cpython.list cimport PyList_GET_ITEM, PyList_GET_SIZE
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy

from kv_server.spec import resp_kinds

__all__ = ["bulks", "frame"]

cdef extern from "Python.h":
    int64_t integer_of "PyLong_AsLongLongAndOverflow"(object, int* beyond) except? -1

cdef object OK = resp_kinds.OK
cdef Py_ssize_t LONG = resp_kinds.LONG

cdef enum:
    NEITHER = -1  # bytes, nor a number, nor nothing


cpdef frame(reply, int protocol):
    """The bytes of *reply* in version *protocol*, if it is as plain as most are."""
    cdef Py_ssize_t size
    cdef bytes made
    if reply is OK:
        return b"+OK\r\n"
    if type(reply) is list:
        if PyList_GET_SIZE(reply) <= LONG:
            return list_frame(<list>reply, protocol)
        return None
    if type(reply) is dict:
        if 2 * len(<dict>reply) <= LONG:
            return map_frame(<dict>reply, protocol)
        return None
    size = width(reply, protocol)
    if size == NEITHER:
        return None
    made = PyBytes_FromStringAndSize(NULL, size)
    write(reply, protocol, PyBytes_AS_STRING(made))
    return made


cpdef bulks(items):
    """Bulk strings in a row, if *items* are a list of bytes."""
    cdef Py_ssize_t place, total = 0
    cdef object item
    cdef bytes made
    cdef char* at
    if type(items) is not list:
        return None
    for place in range(PyList_GET_SIZE(items)):
        item = <object>PyList_GET_ITEM(items, place)
        if type(item) is not bytes:
            return None
        total += width(item, 2)
    made = PyBytes_FromStringAndSize(NULL, total)
    at = PyBytes_AS_STRING(made)
    for place in range(PyList_GET_SIZE(items)):
        at = write(<object>PyList_GET_ITEM(items, place), 2, at)
    return made


cdef list_frame(list items, int protocol):
    cdef Py_ssize_t place, size, count = PyList_GET_SIZE(items), total = 3 + digits_of(count)
    cdef bytes made
    cdef char* at
    for place in range(count):
        size = width(<object>PyList_GET_ITEM(items, place), protocol)
        if size == NEITHER:
            return None
        total += size
    made = PyBytes_FromStringAndSize(NULL, total)
    at = write_head(c"*", count, PyBytes_AS_STRING(made))
    for place in range(count):
        at = write(<object>PyList_GET_ITEM(items, place), protocol, at)
    return made


cdef map_frame(dict items, int protocol):
    cdef Py_ssize_t place = 0, first, second, count = len(items) * (2 if protocol == 2 else 1)
    cdef Py_ssize_t total = 3 + digits_of(count)
    cdef PyObject* key
    cdef PyObject* value
    cdef bytes made
    cdef char* at
    while PyDict_Next(items, &place, &key, &value):
        first, second = width(<object>key, protocol), width(<object>value, protocol)
        if first == NEITHER or second == NEITHER:
            return None
        total += first + second
    made = PyBytes_FromStringAndSize(NULL, total)
    at = write_head(c"*" if protocol == 2 else c"%", count, PyBytes_AS_STRING(made))
    place = 0
    while PyDict_Next(items, &place, &key, &value):
        at = write(<object>key, protocol, at)
        at = write(<object>value, protocol, at)
    return made


cdef inline Py_ssize_t width(object reply, int protocol) except -2:
    """How many octets a reply that holds no others takes; NEITHER if it has another form."""
    cdef Py_ssize_t size
    cdef int64_t number
    cdef int beyond = 0
    if type(reply) is bytes:
        size = PyBytes_GET_SIZE(reply)
        return 5 + digits_of(size) + size
    if type(reply) is int:
        number = integer_of(reply, &beyond)
        if beyond:
            return NEITHER
        return 3 + (number < 0) + digits_of(magnitude(number))
    if reply is None:
        return 5 if protocol == 2 else 3
    if type(reply) is bool:
        return 4
    return NEITHER


cdef inline char* write(object reply, int protocol, char* at) except NULL:
    """Write a reply as wide as `width` said; where it ends."""
    cdef Py_ssize_t size
    cdef int64_t number
    cdef int beyond
    if type(reply) is bytes:
        size = PyBytes_GET_SIZE(reply)
        at = write_head(c"$", size, at)
        memcpy(at, PyBytes_AS_STRING(reply), size)
        return end_line(at + size)
    if type(reply) is int:
        number = integer_of(reply, &beyond)
        at[0] = c":"
        if number < 0:
            at += 1
            at[0] = c"-"
        return end_line(write_number(magnitude(number), at + 1))
    if reply is None:
        memcpy(at, b"$-1\r\n" if protocol == 2 else b"_\r\n", 5 if protocol == 2 else 3)
        return at + (5 if protocol == 2 else 3)
    memcpy(at, b":1\r\n" if reply is True else b":0\r\n", 4)
    return at + 4


cdef inline char* write_head(char mark, Py_ssize_t size, char* at) noexcept:
    at[0] = mark
    return end_line(write_number(size, at + 1))


cdef inline char* write_number(uint64_t number, char* at) noexcept:
    cdef char* end = at + digits_of(number)
    at = end
    while True:
        at -= 1
        at[0] = <char>(c"0" + number % 10)
        number //= 10
        if number == 0:
            return end


cdef inline char* end_line(char* at) noexcept:
    at[0] = c"\r"
    at[1] = c"\n"
    return at + 2


cdef inline uint64_t magnitude(int64_t number) noexcept:
    return 0 - <uint64_t>number if number < 0 else <uint64_t>number


cdef inline int digits_of(uint64_t number) noexcept:
    cdef int count = 1
    while number >= 10:
        number //= 10
        count += 1
    return count
