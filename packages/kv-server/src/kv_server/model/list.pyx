# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Lists: value blobs in order.

A small one is packed: one block of memory in which each element stands between two notes of its length, to be walked
over from either end. One that outgrows that is many such blocks from there on, see `chunks.h`.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.list cimport PyList_New, PyList_SET_ITEM
from cpython.mem cimport PyMem_Free
from cpython.ref cimport Py_INCREF
from libc.stdint cimport SIZE_MAX, int64_t, uint16_t, uint32_t
from libc.string cimport memcmp, memcpy, memmove

from kv_server.model.packed cimport resized, room

from kv_server.model.container import CONTAINERS
from kv_server.model.entry import LIST
from kv_server.model.steps import parts

__all__ = ["List"]


cdef extern from "hashing.h":
    pass

cdef extern from "members.h":
    pass

cdef extern from "pages.h":
    pass

cdef extern from "chunks.h":
    ctypedef struct Chunk:
        unsigned char* bytes
        uint32_t start
        uint32_t end
        uint32_t room
        uint16_t count
        uint16_t lone

    ctypedef struct Chunks:
        size_t count
        uint32_t used

    enum:
        MOST_NOTED

    size_t filled(size_t) noexcept
    void write_element(unsigned char*, const char*, size_t) noexcept
    unsigned char* chunk_start(const Chunk*) noexcept
    unsigned char* chunk_end(const Chunk*) noexcept
    const char* chunk_read(const Chunk*, unsigned char*, size_t*) noexcept
    unsigned char* chunk_after(const Chunk*, unsigned char*) noexcept
    unsigned char* chunk_previous(const Chunk*, unsigned char*) noexcept
    unsigned char* chunk_find(const Chunk*, size_t) noexcept
    void chunk_drop(Chunk*, bint, size_t) noexcept
    void chunk_shift(Chunk*, unsigned char*, size_t, size_t) noexcept
    Chunk* chunk_at(const Chunks*, uint32_t) noexcept
    size_t chunks_bytes(const Chunks*) noexcept
    uint32_t chunks_find(const Chunks*, size_t*) noexcept
    int chunks_push(Chunks*, bint, const char*, size_t) noexcept
    int chunks_insert(Chunks*, size_t, const char*, size_t) noexcept
    int chunks_set(Chunks*, size_t, const char*, size_t) noexcept
    size_t chunks_drop(Chunks*, bint, size_t) noexcept
    void chunks_tidy(Chunks*) noexcept
    Chunks* chunks_new() noexcept
    size_t chunks_free_some(Chunks**, size_t) noexcept
    Chunks* chunks_copy(const Chunks*) noexcept

cdef enum:
    MOST_SIZE = 4096


@cython.final
@cython.auto_pickle(False)
cdef class List:
    """The elements of one list: a packed one knows how many they are and how much of the block they fill."""

    def __init__(self, blobs=()):
        push(self, False, tuple(blobs))

    def __dealloc__(self):
        cdef Chunks* large = chunks_of(self)
        if self.large:
            chunks_free_some(&large, SIZE_MAX)
        else:
            PyMem_Free(self.block)

    def __len__(self):
        return length_of(self)

    def __eq__(self, other):
        return isinstance(other, List) and self.dump() == other.dump()

    __hash__ = None

    # ---- reads
    def at(self, Py_ssize_t place):
        """The element at *place*, from the end if that is negative; None beyond either end."""
        if place < 0:
            place += length_of(self)
        return elements(self, place, 1)[0] if 0 <= place < length_of(self) else None

    def part(self, Py_ssize_t start, Py_ssize_t end):
        """The elements from *start* up to *end*, places from the first one."""
        end = min(end, length_of(self))
        return elements(self, start, end - start) if 0 <= start < end else []

    def places(self, bytes blob not None, *, bint backward, Py_ssize_t most, Py_ssize_t skip=0, count=None):
        """Where *blob* stands among the first *most* elements, or *backward* among the last, the nearest first: *count*
        places (all unless given) after the first *skip*.
        """
        cdef list found = []
        cdef Search search = Search(backward, min(most, length_of(self)), skip, length_of(self))
        cdef Py_ssize_t base = 0
        cdef uint32_t number
        cdef Chunk held
        if count is not None:
            search.wanted = min(<object>search.wanted, count)
        if not self.large:
            held = packed(self)
            find_in(&held, blob, 0, &search, found)
            return found
        if backward:
            base = length_of(self)
        for number in range(chunks_of(self).used):
            chunk = chunk_at(chunks_of(self), chunks_of(self).used - 1 - number if backward else number)
            if backward:
                base -= chunk.count
            if not find_in(chunk, blob, base, &search, found):
                break
            if not backward:
                base += chunk.count
        return found

    # ---- changes; each returns by how much the account grows
    cpdef int64_t push(self, bint left, blobs) except? -1:
        """Add *blobs* one after the other at the left or the right end."""
        return push(self, left, blobs if type(blobs) is tuple else tuple(blobs))

    cpdef tuple pop(self, bint left, Py_ssize_t count):
        """Take up to *count* elements off one end: these, the outermost first, and by how much the account grows."""
        cdef int64_t before = account(self)
        cdef list found
        count = max(min(count, length_of(self)), 0)
        if not count:
            return [], 0
        found = elements(self, 0 if left else length_of(self) - count, count)
        if not left and count > 1:
            found.reverse()
        drop(self, left, count)
        return found, account(self) - before

    def trim(self, Py_ssize_t start, Py_ssize_t end):
        """Keep the elements from *start* up to *end* alone, places within the list."""
        cdef int64_t before = account(self)
        cdef Py_ssize_t length = length_of(self)
        if not 0 <= start <= end <= length:
            raise IndexError(start, end)
        drop(self, False, length - end)
        drop(self, True, start)
        return account(self) - before

    def set(self, Py_ssize_t place, bytes blob not None):
        """Put *blob* in the place of the element at *place*."""
        cdef int64_t before = account(self)
        cdef Py_ssize_t old, new = filled(PyBytes_GET_SIZE(blob))
        cdef unsigned char* at
        cdef Chunk held
        if not 0 <= place < length_of(self):
            raise IndexError(place)
        if not self.large:
            held = packed(self)
            at = chunk_find(&held, place)
            old = chunk_after(&held, at) - at
            if fits(self, blob, old):
                write_element(open_gap(self, at, old, new), PyBytes_AS_STRING(blob), PyBytes_GET_SIZE(blob))
                return account(self) - before
        large = enlarged(self)
        adopt(self, large, chunks_set(large, place, PyBytes_AS_STRING(blob), PyBytes_GET_SIZE(blob)))
        return account(self) - before

    def insert(self, Py_ssize_t place, bytes blob not None):
        """Add *blob* before the element at *place*."""
        cdef int64_t before = account(self)
        cdef Chunk held
        place = max(min(place, length_of(self)), 0)
        if not self.large:
            if fits(self, blob, 0):
                held = packed(self)
                at = open_gap(self, chunk_find(&held, place), 0, filled(PyBytes_GET_SIZE(blob)))
                write_element(at, PyBytes_AS_STRING(blob), PyBytes_GET_SIZE(blob))
                self.count += 1
                return account(self) - before
        large = enlarged(self)
        adopt(self, large, chunks_insert(large, place, PyBytes_AS_STRING(blob), PyBytes_GET_SIZE(blob)))
        return account(self) - before

    def remove(self, list places not None):
        """Take out the elements at *places*, which ascend."""
        cdef int64_t before = account(self)
        cdef Py_ssize_t place, last = -1, number = 0, base = 0, count
        cdef uint32_t at
        cdef Chunk held
        for place in places:
            if not last < place < length_of(self):
                raise IndexError(place)
            last = place
        if not self.large:
            held = packed(self)
            remove_from(&held, places, 0, 0)
            keep(self, &held)
            return account(self) - before
        for at in range(chunks_of(self).used):
            chunk = chunk_at(chunks_of(self), at)
            count = chunk.count
            number = remove_from(chunk, places, number, base)
            base += count
        chunks_tidy(chunks_of(self))
        return account(self) - before

    # ---- as a container
    def copy(self):
        """The same, to be changed apart."""
        cdef List made = List.__new__(List)
        if self.large:
            large = chunks_copy(chunks_of(self))
            adopt(made, large, large is NULL)
        elif self.size:
            made.block = resized(NULL, 0, self.size)
            memcpy(made.block, self.block, self.size)
            made.size, made.count = self.size, self.count
        return made

    def pieces(self):
        cdef Leftover rest
        if not self.large:
            return []
        rest = Leftover.__new__(Leftover)
        rest.chunks, self.block, self.large = chunks_of(self), NULL, False
        return [rest]

    def dump(self):
        """The elements in their order."""
        return elements(self, 0, length_of(self))

    @classmethod
    def load(cls, dumped):
        """The list that was dumped."""
        return cls(dumped)

    @classmethod
    def loading(cls, dumped):
        cdef List made = List.__new__(List)
        for part in parts(dumped):
            push(made, False, tuple(part))
            yield
        return made

    @property
    def outgrown(self):
        """Whether it is large: that it stays, also if what is left could be packed."""
        return self.large

    @property
    def bytes(self):
        """What the elements are accounted for."""
        return account(self)


@cython.final
@cython.auto_pickle(False)
cdef class Leftover:
    """What a large list was made of, to be freed in slices."""

    cdef Chunks* chunks

    def __dealloc__(self):
        chunks_free_some(&self.chunks, SIZE_MAX)

    def __len__(self):
        return self.chunks.count if self.chunks is not NULL else 0

    def free(self, size_t count):
        """Free about *count* elements, and return how many that were."""
        return chunks_free_some(&self.chunks, count)


cdef inline Chunks* chunks_of(List self) noexcept:
    """What a large one holds."""
    return <Chunks*>self.block


cdef inline int64_t taken(Py_ssize_t size) noexcept:
    """What a block is accounted for whose elements fill *size* bytes."""
    return room(size) if size <= 512 else room(size) + 16


cdef inline int64_t account(List self) noexcept:
    return <int64_t>chunks_bytes(chunks_of(self)) if self.large else taken(self.size)


cdef inline Py_ssize_t length_of(List self) noexcept:
    return chunks_of(self).count if self.large else self.count


# ---- of either form
cdef struct Search:
    bint backward
    Py_ssize_t most  # elements to look at
    Py_ssize_t skip
    Py_ssize_t wanted


cdef bint find_in(const Chunk* chunk, bytes blob, Py_ssize_t base, Search* search, list found) except -1:
    """Add the places of *blob* in *chunk*, in which *base* is the first; whether to search on."""
    cdef size_t wanted = PyBytes_GET_SIZE(blob), length = 0
    cdef Py_ssize_t number
    cdef unsigned char* at = chunk_end(chunk) if search.backward else chunk_start(chunk)
    for number in range(chunk.count):
        if not search.most or not search.wanted:
            return False
        search.most -= 1
        if search.backward:
            at = chunk_previous(chunk, at)
        content = chunk_read(chunk, at, &length)
        if length == wanted and not memcmp(content, PyBytes_AS_STRING(blob), length):
            if search.skip:
                search.skip -= 1
            else:
                search.wanted -= 1
                found.append(base + (chunk.count - 1 - number if search.backward else number))
        if not search.backward:
            at = chunk_after(chunk, at)
    return True


cdef list elements(List self, size_t place, size_t count):
    """*count* elements from *place* on, where so many are."""
    cdef list found = PyList_New(count)
    cdef size_t number, length = 0
    cdef uint32_t next = 0
    cdef unsigned char* at
    cdef const char* content
    cdef Chunk held
    cdef const Chunk* chunk = &held
    if not count:
        return found
    if self.large:
        next = chunks_find(chunks_of(self), &place)
        chunk = chunk_at(chunks_of(self), next)
    else:
        held = packed(self)
    at = chunk_find(chunk, place)
    for number in range(count):
        if at is chunk_end(chunk):
            next += 1
            chunk = chunk_at(chunks_of(self), next)
            at = chunk_start(chunk)
        content = chunk_read(chunk, at, &length)
        blob = PyBytes_FromStringAndSize(content, length)
        Py_INCREF(blob)
        PyList_SET_ITEM(found, number, blob)
        at = chunk_after(chunk, at)
    return found


cdef Py_ssize_t remove_from(Chunk* chunk, list places, Py_ssize_t number, Py_ssize_t base) except -1:
    """Take those out of *chunk* of *places*, from *number* on, that are in it, where *base* is the first; how many of
    *places* are done.
    """
    cdef Py_ssize_t end = base + chunk.count, place, size
    cdef unsigned char* at = chunk_start(chunk)
    cdef unsigned char* start = at
    cdef unsigned char* kept = at
    while number < len(places):
        place = places[number]
        if place >= end:
            break
        while base < place:
            at = chunk_after(chunk, at)
            base += 1
        memmove(kept, start, at - start)
        kept += at - start
        start = at = chunk_after(chunk, at)
        base += 1
        number += 1
        chunk.count -= 1
    size = chunk_end(chunk) - start
    memmove(kept, start, size)
    chunk.end = <uint32_t>(kept + size - chunk.bytes)
    return number


cdef int drop(List self, bint left, Py_ssize_t count) except -1:
    """Take *count* elements, where so many are, off one end."""
    cdef Chunk held
    if self.large:
        chunks_drop(chunks_of(self), left, count)
    else:
        held = packed(self)
        chunk_drop(&held, left, count)
        keep(self, &held)
    return 0


cdef int64_t push(List self, bint left, tuple blobs) except? -1:
    cdef int64_t before = account(self)
    cdef Py_ssize_t size = self.size, length
    cdef size_t done = 0
    cdef Chunks* large
    for blob in blobs:
        if not PyBytes_CheckExact(blob):
            raise TypeError("elements of lists are bytes")
        length = PyBytes_GET_SIZE(blob)
        size = size + filled(length) if length <= MOST_NOTED and size <= MOST_SIZE else MOST_SIZE + 1
    if not self.large and size <= MOST_SIZE:
        push_packed(self, left, blobs, size)
        return account(self) - before
    large = enlarged(self)
    for blob in blobs:
        if chunks_push(large, left, PyBytes_AS_STRING(blob), PyBytes_GET_SIZE(blob)):
            chunks_drop(large, left, done)
            adopt(self, large, True)
        done += 1
    adopt(self, large, False)
    return account(self) - before


# ---- packed
cdef inline Chunk packed(List self) noexcept:
    """The block as a chunk."""
    return Chunk(self.block, 0, self.size, self.size, self.count, 0)


cdef int keep(List self, const Chunk* held) except -1:
    """Have in the block what is left in *held*."""
    cdef uint32_t size = held.end - held.start
    memmove(self.block, chunk_start(held), size)
    self.block = resized(self.block, self.size, size)
    self.size = size
    self.count = held.count
    return 0


cdef inline bint fits(List self, bytes blob, Py_ssize_t old) noexcept:
    """Whether there may be *blob* in the place of an element that fills *old* bytes."""
    cdef Py_ssize_t length = PyBytes_GET_SIZE(blob)
    return length <= MOST_NOTED and self.size - old + <Py_ssize_t>filled(length) <= MOST_SIZE


cdef unsigned char* open_gap(List self, unsigned char* at, Py_ssize_t old, Py_ssize_t new) except NULL:
    """Make *new* bytes of room in the place of *old* ones at *at*; where that is now."""
    cdef Py_ssize_t start = at - self.block
    cdef Py_ssize_t size = self.size + new - old
    if new > old:
        self.block = resized(self.block, self.size, size)
    memmove(self.block + start + new, self.block + start + old, self.size - start - old)
    if new < old:
        self.block = resized(self.block, self.size, size)
    self.size = size
    return self.block + start


cdef int push_packed(List self, bint left, tuple blobs, Py_ssize_t size) except -1:
    """Add *blobs*, with which the elements fill *size* bytes."""
    cdef Py_ssize_t number, count = len(blobs)
    cdef unsigned char* at
    if not count:
        return 0
    at = open_gap(self, self.block + (0 if left else self.size), 0, size - self.size)
    for number in range(count):
        blob = <bytes>blobs[count - 1 - number if left else number]
        write_element(at, PyBytes_AS_STRING(blob), PyBytes_GET_SIZE(blob))
        at += filled(PyBytes_GET_SIZE(blob))
    self.count += count
    return 0


# ---- large
cdef Chunks* enlarged(List self) except NULL:
    """What a large one holds, or what this would hold if it were large."""
    cdef Chunk held = packed(self)
    cdef unsigned char* at = chunk_start(&held)
    cdef const char* content
    cdef size_t length = 0
    if self.large:
        return chunks_of(self)
    large = chunks_new()
    while large is not NULL and at is not chunk_end(&held):
        content = chunk_read(&held, at, &length)
        if chunks_push(large, False, content, length):
            chunks_free_some(&large, SIZE_MAX)
        at = chunk_after(&held, at)
    if large is NULL:
        raise MemoryError
    return large


cdef int adopt(List self, Chunks* large, bint failed) except -1:
    """Be large, and hold *large*, unless what was to be done with that has *failed*."""
    if self.large:
        if failed:
            raise MemoryError
        return 0
    if failed:
        chunks_free_some(&large, SIZE_MAX)
        raise MemoryError
    PyMem_Free(self.block)
    self.block = <unsigned char*>large
    self.large = True
    self.size = self.count = 0
    return 0


CONTAINERS[LIST] = List
