"""What packed containers share: how much one holds, how large its block is, and what it is accounted for.

A block is as large as what it holds needs, and no larger: what a container is accounted for follows from its elements.
A large one keeps its account where a small one notes its count and its size.
"""

from cpython.mem cimport PyMem_Free, PyMem_Realloc
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF
from libc.stdint cimport int64_t, uint32_t
from libc.string cimport memcpy

from kv_server.model.collector cimport untrack
from kv_server.model.entry cimport LARGE, SMALL, Packed, count_of, form_of, set_count, set_form


cdef enum:
    MOST_ELEMENTS = 128
    MOST_LENGTH = 128
    MOST_BYTES = 2048
    OWN_BYTES = 8  # measured: what an entry takes more that is a container itself


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


cdef inline int untrack_set(object members) except -1:
    """The same for a `LargeSet`."""
    untrack(members)
    untrack(members.members)
    untrack(members.places)
    return 0


cdef inline large(Packed self):
    return <object><PyObject*>self.block


cdef inline int64_t account(Packed self) noexcept:
    """What the elements are accounted for."""
    return room(self.size) if form_of(self) == SMALL else <int64_t>count_of(self) << 32 | self.size


cdef inline void charge(Packed self, int64_t size) noexcept:
    """Let a large one be accounted for as *size* bytes, at most two terabytes."""
    set_count(self, <uint32_t>(size >> 32))
    self.size = <uint32_t>(size & 0xFFFFFFFF)


cdef inline int hold(Packed self, found, int64_t size) except -1:
    """Hold the container *found* from here on, which is accounted for as *size* bytes."""
    Py_INCREF(found)
    PyMem_Free(self.block)
    self.block = <unsigned char*><PyObject*>found
    set_form(self, LARGE)
    charge(self, size)
    return 0


cdef inline int take(Packed self, Packed other) except -1:
    """Copy what is in *other*, which is small, into *self*, which is new; and what is known of it."""
    if other.size:
        self.block = resized(NULL, 0, other.size)
        memcpy(self.block, other.block, other.size)
    self.size = other.size
    set_count(self, count_of(other))
    return 0
