# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""One key's value with what the store knows of it, in one piece of memory: fields, key, blob.

A collection's entry holds its container before the key, in place of a blob, or is that itself: then it is `Packed`.
One that was never in a table is `Loose`.
The collector knows nothing of entries: they are in no cycles.
"""

from typing import Final

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.object cimport PyObject, PyTypeObject
from cpython.mem cimport PyMem_Free
from cpython.ref cimport Py_INCREF, Py_XDECREF, Py_XINCREF
from libc.stdint cimport SIZE_MAX, int64_t, uint32_t, uint64_t
from libc.string cimport memcpy

from kv_server.model.crowd cimport chain_free, crowd_free_some
from kv_server.model.packed cimport adopt, crowd_of, resized, surrender

cdef extern from "Python.h":
    void* PyObject_Malloc(size_t)
    PyObject* PyObject_Init(PyObject*, PyTypeObject*)

from kv_server.model.kinds import HASH, KINDS, LIST, SCALAR, SET, STREAM, ZSET

__all__ = [
    "CACHED_BYTES", "COLLECTION_BYTES", "DEADLINE_BYTES", "ENTRY_BYTES", "HASH", "KINDS", "LIST", "SCALAR", "SET",
    "STREAM", "ZSET", "Cached", "Entry", "Loose",
]

ENTRY_BYTES: Final = 64  # measured: what one key costs beyond the bytes of its name and value
DEADLINE_BYTES: Final = 11  # measured: the same of a deadline
CACHED_BYTES: Final = 36  # measured: what one key of a cache costs more, with the room that coming and going leaves
COLLECTION_BYTES: Final = {HASH: 0, LIST: 48, SET: 0, ZSET: 48, STREAM: 500}
"""Measured: what one takes beside its elements."""


cdef class Entry:
    """A value of one kind, the revision of its last change, and its absolute expiry (0: none).

    The value of a scalar is its blob, that of a collection its container.
    """

    def __dealloc__(self):
        if self.marks & 7 > PLAIN and not self.marks & LOOSE and not form_of(self):
            Py_XDECREF((<PyObject**>rest_of(self))[0])

    @property
    def kind(self):
        return self.marks & 7

    @property
    def value(self):
        if self.marks & 15 == PLAIN:
            return PyBytes_FromStringAndSize(blob_of(self), self.size)
        return <object>container_of(self)

    @property
    def key(self):
        """The name under which it lies in its table."""
        return PyBytes_FromStringAndSize(key_of(self), key_size(self))

    @property
    def bytes(self):
        """What the value is accounted for."""
        if self.marks & 7 == PLAIN:
            return self.size
        return COLLECTION_BYTES[self.marks & 7] + self.value.bytes

    def copy(self):
        """The same, to be changed apart."""
        value = self.value
        return Loose(self.marks & 7, value if self.marks & 7 == PLAIN else value.copy(), self.version, self.expires_ms)


cdef class Loose(Entry):
    """One that lies in no table."""

    def __cinit__(self, uint32_t kind, value, uint64_t version, int64_t expires_ms):
        if kind == PLAIN:
            self.size = len(<bytes?>value)
        self.marks = LOOSE | kind
        self.version = version
        self.expires_ms = expires_ms
        self.held = <PyObject*>value
        Py_XINCREF(self.held)

    def __dealloc__(self):
        Py_XDECREF(self.held)


cdef class Cached(Entry):
    """An entry that may be evicted while *place* is not negative: there it stands in the ring. *used* is when it was
    used last, or how often: a minute, and a count that grows ever more rarely in the lowest eight bits.
    """


cdef class Packed(Entry):
    """A collection that is its own entry, and holds what is in it in a block; if it is large, in a crowd."""

    def __dealloc__(self):
        cdef Crowd* large = crowd_of(self)
        if form_of(self) == LARGE:
            crowd_free_some(&large, SIZE_MAX)
        else:
            PyMem_Free(self.block)


cdef class Remains:
    """What a large collection was made of, to be freed in slices."""

    def __dealloc__(self):
        chain_free(&self.chain, SIZE_MAX)
        crowd_free_some(&self.crowd, SIZE_MAX)

    def __len__(self):
        return self.chained + (self.crowd.count if self.crowd is not NULL else 0)

    def free(self, size_t count):
        """Free up to *count* elements, and return how many that were."""
        cdef size_t freed = chain_free(&self.chain, count)
        self.chained -= freed
        return freed + crowd_free_some(&self.crowd, count - freed)


cdef Entry laid(PyTypeObject* kind_of_entry, const char* key, size_t length, uint32_t kind, const char* blob,
                size_t size, PyObject* container, uint64_t version, int64_t expires_ms):
    """A new entry of the class *kind_of_entry*, as it lies in a table."""
    cdef size_t head = kind_of_entry.tp_basicsize
    if length > LENGTH:
        raise ValueError(f"a key of {length} bytes")
    cdef size_t room = length + (size if kind == PLAIN else sizeof(void*) if container != NULL else 0)
    cdef PyObject* made = <PyObject*>PyObject_Malloc(head + room)
    if made == NULL:
        raise MemoryError
    PyObject_Init(made, kind_of_entry)
    cdef char* rest = <char*>made + head
    if kind == PLAIN:
        memcpy(rest, key, length)
        memcpy(rest + length, blob, size)
    elif container == NULL:
        memcpy(rest, key, length)
    else:
        (<PyObject**>rest)[0] = container
        Py_INCREF(<object>container)
        memcpy(rest + sizeof(void*), key, length)
    entry = <Entry>made
    entry.size = size
    entry.marks = length << 4 | kind
    entry.version = version
    entry.expires_ms = expires_ms
    if kind_of_entry is <PyTypeObject*>Cached:
        (<Cached>entry).place = -1
    Py_XDECREF(made)  # `entry` holds it
    return entry


cdef Entry laid_packed(Packed held, const char* key, size_t length, uint64_t version, int64_t expires_ms):
    """The same with what is in *held*; of a large one nothing is left there."""
    cdef Packed made
    cdef unsigned char* block = NULL
    if form_of(held) == SMALL and held.size:
        block = resized(NULL, 0, held.size)
        memcpy(block, held.block, held.size)
    try:
        made = laid(Py_TYPE(held), key, length, held.marks & 7, NULL, held.size, NULL, version, expires_ms)
    except:
        PyMem_Free(block)
        raise
    made.block = block
    set_form(made, SMALL)
    if form_of(held) == LARGE:
        adopt(made, surrender(held))
    else:
        set_count(made, count_of(held))
    return made
