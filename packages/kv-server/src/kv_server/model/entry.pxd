from cpython.object cimport PyObject, PyTypeObject
from libc.stdint cimport int64_t, uint32_t, uint64_t

cdef extern from "Python.h":
    PyTypeObject* Py_TYPE(object)

cdef enum:
    PLAIN = 1  # the kind of a scalar
    LOOSE = 8  # of `marks`: in no table, and without a key

cdef class Entry:
    cdef public uint64_t version
    cdef readonly int64_t expires_ms
    cdef uint32_t size  # of the blob of a scalar
    cdef uint32_t marks  # length of the key << 4 | LOOSE | kind

cdef class Loose(Entry):
    cdef PyObject* held

cdef class Cached(Entry):
    cdef public int64_t used, place

cdef inline uint32_t kind_of(Entry entry) noexcept:
    return entry.marks & 7

cdef inline uint32_t key_size(Entry entry) noexcept:
    return entry.marks >> 4

cdef inline char* rest_of(Entry entry) noexcept:
    """What follows the fields."""
    return <char*><PyObject*>entry + Py_TYPE(entry).tp_basicsize

cdef inline char* key_of(Entry entry) noexcept:
    return rest_of(entry) + (0 if entry.marks & 7 == PLAIN else sizeof(void*))

cdef inline char* blob_of(Entry entry) noexcept:
    """The blob of a scalar in a table."""
    return rest_of(entry) + (entry.marks >> 4)

cdef Entry laid(PyTypeObject* kind_of_entry, const char* key, size_t length, uint32_t kind, const char* blob,
                size_t size, PyObject* container, uint64_t version, int64_t expires_ms)
