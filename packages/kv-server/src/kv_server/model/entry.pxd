from cpython.object cimport PyObject, PyTypeObject
from libc.stdint cimport int64_t, uint32_t, uint64_t

from kv_server.model.crowd cimport Crowd

cdef extern from "Python.h":
    PyTypeObject* Py_TYPE(object)

cdef enum:
    PLAIN = 1  # the kind of a scalar
    LOOSE = 8  # of `marks`: in no table, and without a key
    LENGTH = (1 << 17) - 1  # so long may a key be
    SMALL = 1  # the form of a `Packed` entry: its block holds the elements
    LARGE = 2  # its block is a `Crowd`

cdef class Entry:
    cdef public uint64_t version
    cdef readonly int64_t expires_ms
    cdef uint32_t size  # of the blob of a scalar, of what a packed collection fills
    cdef uint32_t marks  # count << 23 | form << 21 | length of the key << 4 | LOOSE | kind

cdef class Loose(Entry):
    cdef PyObject* held

cdef class Cached(Entry):
    cdef public int64_t used, place

cdef class Packed(Entry):
    cdef unsigned char* block

cdef class Remains:
    cdef Crowd* crowd
    cdef void* chain
    cdef size_t chained

cdef inline uint32_t kind_of(Entry entry) noexcept:
    return entry.marks & 7

cdef inline uint32_t key_size(Entry entry) noexcept:
    return entry.marks >> 4 & LENGTH

cdef inline uint32_t form_of(Entry entry) noexcept:
    """The form of a `Packed` entry, 0 of any other."""
    return entry.marks >> 21 & 3

cdef inline void set_form(Packed entry, uint32_t form) noexcept:
    entry.marks = entry.marks & ~<uint32_t>(3 << 21) | form << 21

cdef inline uint32_t count_of(Packed entry) noexcept:
    return entry.marks >> 23

cdef inline void set_count(Packed entry, uint32_t count) noexcept:
    entry.marks = entry.marks & ((1 << 23) - 1) | count << 23

cdef inline char* rest_of(Entry entry) noexcept:
    """What follows the fields."""
    return <char*><PyObject*>entry + Py_TYPE(entry).tp_basicsize

cdef inline char* key_of(Entry entry) noexcept:
    return rest_of(entry) + (0 if entry.marks & 7 == PLAIN or form_of(entry) else sizeof(void*))

cdef inline char* blob_of(Entry entry) noexcept:
    """The blob of a scalar in a table."""
    return rest_of(entry) + key_size(entry)

cdef inline PyObject* container_of(Entry entry) noexcept:
    """The container of a collection."""
    if form_of(entry):
        return <PyObject*>entry
    return (<Loose>entry).held if entry.marks & LOOSE else (<PyObject**>rest_of(entry))[0]

cdef Entry laid(PyTypeObject* kind_of_entry, const char* key, size_t length, uint32_t kind, const char* blob,
                size_t size, PyObject* container, uint64_t version, int64_t expires_ms)

cdef Entry laid_packed(Packed held, const char* key, size_t length, uint64_t version, int64_t expires_ms)
