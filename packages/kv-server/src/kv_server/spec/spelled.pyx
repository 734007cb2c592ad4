# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""What the words of a command line are read as, and RESP reads values as: the native twin of the plain module."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.list cimport PyList_GET_ITEM, PyList_GET_SIZE
from cpython.object cimport PyObject, PyTypeObject
from cpython.ref cimport Py_INCREF
from cpython.tuple cimport PyTuple_GET_ITEM, PyTuple_GET_SIZE, PyTuple_New, PyTuple_SET_ITEM
from libc.stdint cimport INT64_MAX, INT64_MIN, int64_t, uint8_t
from libc.string cimport memcpy

cdef extern from "Python.h":
    object PyType_GenericAlloc(PyTypeObject*, Py_ssize_t)
    int64_t PyLong_AsLongLongAndOverflow(object, int*) except? -1
    object PyObject_Vectorcall(object, PyObject**, size_t, void*)
    size_t PY_VECTORCALL_ARGUMENTS_OFFSET

from kv_server.model.octets cimport bin_head, digits, int_blob, int_in, octets_of as octets_in, spelled, str_head, text_blob

from kv_protocol import limits, values
from kv_protocol.errors import InvalidArgument
from kv_server.spec import numerals

__all__ = [
    "from_octets", "int_sum", "new", "resp_value", "spread", "text_float", "text_int", "text_name", "text_number",
    "values_in", "whole",
]

cdef enum:
    MOST_SPREAD = 32  # arguments for which the stack has room
    EXACT_DIGITS = 15  # a number of so many digits is a float without rounding

cdef Py_ssize_t MOST_NAME = limits.MAX_NAME
cdef int64_t[16] POWERS
cdef int _at
POWERS[0] = 1
for _at in range(1, 16):
    POWERS[_at] = 10 * POWERS[_at - 1]


cdef const char* octets_of(bytes raw) except NULL:
    if raw is None:
        raise TypeError("a word is bytes")
    return PyBytes_AS_STRING(raw)


cpdef bytes from_octets(bytes octets):
    """The value that *octets* are: a str where they are UTF-8, else bytes."""
    blob = text_blob(octets_of(octets), PyBytes_GET_SIZE(octets))
    return values.from_octets(octets) if blob is None else blob


cpdef object new(record, tuple fields):
    """A *record* of *fields*, without the argument handling of its constructor."""
    cdef Py_ssize_t size = PyTuple_GET_SIZE(fields), at
    made = PyType_GenericAlloc(<PyTypeObject*>record, size)
    for at in range(size):
        field = <object>PyTuple_GET_ITEM(fields, at)
        Py_INCREF(field)
        PyTuple_SET_ITEM(made, at, field)
    return made


cpdef object spread(function, tuple first, tuple rest):
    """Call *function* with *first* and *rest*."""
    cdef PyObject* words[MOST_SPREAD + 1]
    cdef Py_ssize_t before = PyTuple_GET_SIZE(first), after = PyTuple_GET_SIZE(rest), at
    if before + after > MOST_SPREAD:
        return function(*first, *rest)
    for at in range(before):
        words[1 + at] = PyTuple_GET_ITEM(first, at)
    for at in range(after):
        words[1 + before + at] = PyTuple_GET_ITEM(rest, at)
    return PyObject_Vectorcall(function, words + 1, (before + after) | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL)


cpdef bytes text_name(bytes raw, str label):
    if octets_of(raw) != NULL and PyBytes_GET_SIZE(raw) > MOST_NAME:
        raise InvalidArgument(f"{label} must be a name of at most {MOST_NAME:,} bytes")
    return raw


cpdef tuple values_in(list words, Py_ssize_t start, Py_ssize_t stop):
    """The values that the words from *start* up to *stop* are."""
    cdef Py_ssize_t at
    stop = min(stop, PyList_GET_SIZE(words))
    cdef tuple found = PyTuple_New(max(stop - start, 0))
    for at in range(start, stop):
        value = from_octets(<bytes?>PyList_GET_ITEM(words, at))
        Py_INCREF(value)
        PyTuple_SET_ITEM(found, at - start, value)
    return found


cpdef object text_int(bytes raw, low=None, high=None):
    """The integer that *raw* spells in canonical form."""
    cdef int64_t number
    if spelled(octets_of(raw), PyBytes_GET_SIZE(raw), &number) and (low is None or number >= low):
        if high is None or number <= high:
            return number
    given = {name: limit for name, limit in (("low", low), ("high", high)) if limit is not None}
    return numerals.text_int(raw, **given)


cpdef double text_float(bytes raw) except? -1:
    """The float that *raw* spells; infinity must be spelled as such."""
    cdef const char* text = octets_of(raw)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(raw), at = 0, digits = 0, behind = -1
    cdef int64_t value = 0
    cdef double number
    cdef bint negative = size > 0 and text[0] == c"-"
    for at in range(negative, size):
        if c"0" <= text[at] <= c"9" and digits < EXACT_DIGITS:
            value = 10 * value + (text[at] - c"0")
            digits += 1
        elif text[at] == c"." and behind < 0:
            behind = digits
        else:
            return numerals.text_float(raw)
    if not digits:
        return numerals.text_float(raw)
    number = <double>value
    if behind >= 0:
        number /= <double>POWERS[digits - behind]
    return -number if negative else number


cpdef bytes text_number(bytes raw):
    """The number that *raw* spells as a value: an int where it is a canonical one, else a Decimal."""
    cdef int64_t number
    cdef char[9] blob
    if spelled(octets_of(raw), PyBytes_GET_SIZE(raw), &number):
        return PyBytes_FromStringAndSize(blob, int_blob(blob, number))
    return numerals.text_number(raw)


cpdef bytes resp_value(bytes blob):
    """A value as RESP reads it: its plain text; nothing for null."""
    cdef const char* at = octets_of(blob)
    cdef const char* found
    cdef Py_ssize_t size = PyBytes_GET_SIZE(blob)
    cdef size_t length
    cdef int64_t number
    cdef char[24] text
    if size and octets_in(<const uint8_t*>at, size, &found, &length):
        return PyBytes_FromStringAndSize(found, length)
    if size and int_in(<const uint8_t*>at, size, &number):
        return PyBytes_FromStringAndSize(text, digits(text, number))
    return None if blob == b"\xc0" else values.octets(blob)


cdef enum:
    NO_INT, INT, TEXT, OCTETS
    MOST_DIGITS = 20  # of an int of 64 bits, with its sign


cdef int int_within(bytes blob, int64_t* number) except -1:
    """What *blob* has the *number* as: an int, or text or bytes that spell one."""
    cdef const uint8_t* at = <const uint8_t*>octets_of(blob)
    cdef const char* found
    cdef size_t size = PyBytes_GET_SIZE(blob), length
    if size and int_in(at, size, number):
        return INT
    if not size or not octets_in(at, size, &found, &length) or length > MOST_DIGITS:
        return NO_INT
    if not spelled(found, length, number):
        try:
            number[0] = numerals.text_int(PyBytes_FromStringAndSize(found, length))
        except InvalidArgument:
            return NO_INT
    return OCTETS if 0xC4 <= at[0] <= 0xC6 else TEXT


cpdef bytes int_sum(bytes blob, step):
    """The int that *blob* is or spells and *step* added up, in the class of *blob*; nothing if that is no int, or
    one of the three has more than 64 bits.
    """
    cdef char[32] total
    cdef char[24] text
    cdef int64_t old = 0, more
    cdef int beyond, form = int_within(blob, &old)
    cdef size_t size, head
    if form == NO_INT:
        return None
    more = PyLong_AsLongLongAndOverflow(step, &beyond)
    if beyond or (more > INT64_MAX - old if old > 0 else more < INT64_MIN - old):
        return None
    if form == INT:
        return PyBytes_FromStringAndSize(total, int_blob(total, old + more))
    size = digits(text, old + more)
    head = str_head(total, size) if form == TEXT else bin_head(total, size)
    memcpy(total + head, text, size)
    return PyBytes_FromStringAndSize(total, head + size)


cpdef object whole(bytes blob):
    """The number that *blob* is or spells, without what is behind its point."""
    cdef int64_t number
    return number if int_within(blob, &number) else int(values.number(blob))
