"""What packed containers share: how much one holds, how large its block is, and what it is accounted for.

A block is as large as what it holds needs, and no larger: what a container is accounted for follows from its elements.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcpy

from kv_server.model.crowd cimport (
    Crowd, Item, crowd_bytes, crowd_copy, crowd_find, crowd_move_up, crowd_new, crowd_unlink
)
from kv_server.model.entry cimport LARGE, SMALL, Packed, Remains, count_of, form_of, set_count, set_form


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


cdef inline Crowd* crowd_of(Packed self) noexcept:
    """What a large one holds."""
    return <Crowd*>self.block


cdef inline Py_ssize_t size_of(Packed self) noexcept:
    """How many elements there are."""
    return count_of(self) if form_of(self) == SMALL else crowd_of(self).count


cdef inline int64_t account(Packed self) noexcept:
    """What the elements are accounted for."""
    return room(self.size) if form_of(self) == SMALL else <int64_t>crowd_bytes(crowd_of(self))


cdef inline void adopt(Packed self, Crowd* large) noexcept:
    """Hold *large* in place of the block from here on."""
    PyMem_Free(self.block)
    self.block = <unsigned char*>large
    self.size = 0
    set_form(self, LARGE)
    set_count(self, 0)


cdef inline int begin(Packed self, uint32_t head) except -1:
    """Be large, without elements."""
    cdef Crowd* made = crowd_new(head)
    if made is NULL:
        raise MemoryError
    adopt(self, made)
    return 0


cdef inline Crowd* surrender(Packed self) noexcept:
    """What a large one holds, which holds nothing from here on."""
    cdef Crowd* large = crowd_of(self)
    self.block = NULL
    set_form(self, SMALL)
    return large


cdef inline list pieces_of(Packed self):
    """All that a large one holds, to be freed in slices."""
    cdef Remains rest
    if form_of(self) == SMALL:
        return []
    rest = Remains.__new__(Remains)
    rest.crowd = surrender(self)
    return [rest]


cdef inline int take(Packed self, Packed other) except -1:
    """Copy what is in *other* into *self*, which is new; and what is known of it."""
    cdef Crowd* large
    if form_of(other) == LARGE:
        large = crowd_copy(crowd_of(other))
        if large is NULL:
            raise MemoryError
        adopt(self, large)
    else:
        if other.size:
            self.block = resized(NULL, 0, other.size)
            memcpy(self.block, other.block, other.size)
        self.size = other.size
        set_count(self, count_of(other))
    self.version = other.version
    self.expires_ms = other.expires_ms
    return 0


cdef inline int check(bytes name) except -1:
    if name is None:
        raise TypeError("names are bytes")
    return 0


cdef inline Item* find_in(const Crowd* large, bytes name, uint64_t* hash) except? NULL:
    """Where *name* is, NULL if it is not there."""
    check(name)
    return crowd_find(large, PyBytes_AS_STRING(name), PyBytes_GET_SIZE(name), hash)


cdef inline Remains unlinked(Crowd* large, members):
    """Take *members*, each once, all of them there, out of *large*; the others move up."""
    cdef Remains rest = Remains.__new__(Remains)
    cdef uint64_t hash
    cdef Item* item
    for member in members:
        if find_in(large, member, &hash) is NULL:
            raise KeyError(member)
    try:
        for member in members:
            item = find_in(large, member, &hash)
            if item is NULL:
                raise KeyError(member)
            crowd_unlink(large, item, hash, &rest.chain)
            rest.chained += 1
    finally:
        crowd_move_up(large)
    return rest
