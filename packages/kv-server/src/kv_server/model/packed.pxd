"""What packed containers share: how much one holds, how large its block is, and how large forms elude the collector.

A block is as large as what it holds needs, and no larger: what a container is accounted for follows from its elements.
"""

from cpython.mem cimport PyMem_Free, PyMem_Realloc
from cpython.object cimport PyObject
from libc.stdint cimport uint32_t


cdef extern from "Python.h":
    void PyObject_GC_UnTrack(void* thing) noexcept


cdef enum:
    MOST_ELEMENTS = 128
    MOST_LENGTH = 128
    MOST_BYTES = 2048


cdef inline uint32_t room(uint32_t size) noexcept:
    """How large the block is that holds *size* bytes: at most 15 of it are free, or an eighth."""
    cdef uint32_t grain = 16
    while size > grain << 4:
        grain <<= 1
    return (size + grain - 1) & ~(grain - 1)


cdef inline unsigned char* resized(unsigned char* block, uint32_t before, uint32_t size) except? NULL:
    """*block*, which holds *before* bytes, made to hold *size*; NULL for none. To make one smaller does not fail."""
    cdef unsigned char* made
    if room(before) == room(size):
        return block
    if not size:
        PyMem_Free(block)
        return NULL
    made = <unsigned char*>PyMem_Realloc(block, room(size))
    if made is not NULL:
        return made
    if size > before:
        raise MemoryError
    return block


cdef inline void untrack(object thing) noexcept:
    """Spare the collector *thing*, which holds bytes and numbers alone."""
    PyObject_GC_UnTrack(<PyObject*>thing)


cdef inline int untrack_set(object members) except -1:
    """The same for a `LargeSet`."""
    untrack(members)
    untrack(members.members)
    untrack(members.places)
    return 0
