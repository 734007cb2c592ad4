# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Lists: value blobs in order.

A small one is packed: one block of memory in which each element stands between two notes of its length, to be walked
over from either end. One that outgrows that holds a `LargeList` from there on.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.list cimport PyList_New, PyList_SET_ITEM
from cpython.mem cimport PyMem_Free
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdint cimport int64_t, uint16_t, uint32_t
from libc.string cimport memcmp, memcpy, memmove

from kv_server.model.collector cimport untrack
from kv_server.model.large_list cimport LargeList
from kv_server.model.packed cimport resized, room

from kv_server.model.container import CONTAINERS
from kv_server.model.entry import LIST

__all__ = ["List"]

cdef enum:
    MOST_SIZE = 4096
    MOST_LENGTH = 1024
    LARGE_BYTES = 120  # what a `LargeList` takes beside its elements


@cython.final
@cython.auto_pickle(False)
cdef class List:
    """The elements of one list: a packed one knows how many they are and how much of the block they fill."""

    cdef unsigned char* block  # of a large one, the `LargeList`
    cdef uint16_t count
    cdef uint16_t size
    cdef bint large

    def __init__(self, blobs=()):
        push(self, False, tuple(blobs))

    def __dealloc__(self):
        if self.large:
            Py_DECREF(in_large(self))
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
        if self.large:
            return in_large(self).at(place)
        if place < 0:
            place += self.count
        return element(find(self, place)) if 0 <= place < self.count else None

    def part(self, Py_ssize_t start, Py_ssize_t end):
        """The elements from *start* up to *end*, places from the first one."""
        if self.large:
            return in_large(self).part(start, end)
        end = min(end, self.count)
        return elements(find(self, start), end - start) if 0 <= start < end else []

    def places(self, bytes blob not None, *, bint backward, Py_ssize_t most):
        """Where *blob* stands among the first *most* elements, or *backward* among the last, the nearest first."""
        if self.large:
            return in_large(self).places(blob, backward=backward, most=most)
        return places(self, blob, backward, min(most, self.count))

    # ---- changes; each returns by how much the account grows
    def push(self, bint left, blobs):
        """Add *blobs* one after the other at the left or the right end."""
        return push(self, left, blobs if type(blobs) is tuple else tuple(blobs))

    def pop(self, bint left, Py_ssize_t count):
        """Take up to *count* elements off one end: these, the outermost first, and by how much the account grows."""
        cdef Py_ssize_t before = self.size
        if self.large:
            gone, grown = in_large(self).pop(left, count)
            return gone, charge(self, grown)
        count = max(min(count, self.count), 0)
        if not count:
            return [], 0
        if left:
            found = elements(self.block, count)
            cut(self, self.block, find(self, count), count)
        else:
            at = find(self, self.count - count)
            found = elements(at, count)
            if count > 1:
                found.reverse()
            cut(self, at, self.block + self.size, count)
        return found, taken(self.size) - taken(before)

    def set(self, Py_ssize_t place, bytes blob not None):
        """Put *blob* in the place of the element at *place*."""
        cdef Py_ssize_t before = self.size
        cdef int64_t grown
        cdef Py_ssize_t old
        cdef unsigned char* at
        if not 0 <= place < length_of(self):
            raise IndexError(place)
        if self.large:
            return charge(self, in_large(self).set(place, blob))
        at = find(self, place)
        old = after(at) - at
        if not fits(self, blob, old):
            grown = enlarge(self)
            return grown + self.set(place, blob)
        at = open_gap(self, at, old, filled(PyBytes_GET_SIZE(blob)))
        write(at, blob)
        return taken(self.size) - taken(before)

    def insert(self, Py_ssize_t place, bytes blob not None):
        """Add *blob* before the element at *place*."""
        cdef Py_ssize_t before = self.size
        cdef int64_t grown
        if self.large:
            return charge(self, in_large(self).insert(place, blob))
        if not fits(self, blob, 0):
            grown = enlarge(self)
            return grown + self.insert(place, blob)
        write(open_gap(self, find(self, max(min(place, self.count), 0)), 0, filled(PyBytes_GET_SIZE(blob))), blob)
        self.count += 1
        return taken(self.size) - taken(before)

    def remove(self, places):
        """Take out the elements at *places*, which ascend."""
        cdef Py_ssize_t before = self.size
        cdef Py_ssize_t place, at, last = -1
        if self.large:
            grown = in_large(self).remove(places)
            untrack(in_large(self).cells)
            return charge(self, grown)
        for place in places:
            if not last < place < self.count:
                raise IndexError(place)
            last = place
        remove(self, places)
        return taken(self.size) - taken(before)

    # ---- as a container
    def copy(self):
        """The same, to be changed apart."""
        cdef List made = List.__new__(List)
        if self.large:
            adopt(made, in_large(self).copy())
        elif self.size:
            made.block = resized(NULL, 0, self.size)
            memcpy(made.block, self.block, self.size)
            made.size, made.count = self.size, self.count
        return made

    def pieces(self):
        return in_large(self).pieces() if self.large else []

    def dump(self):
        """The elements in their order."""
        return in_large(self).dump() if self.large else elements(self.block, self.count)

    @classmethod
    def load(cls, dumped):
        """The list that was dumped."""
        return cls(dumped)

    @classmethod
    def loading(cls, dumped):
        cdef List made = List.__new__(List)
        if len(dumped) <= MOST_SIZE // 2:
            push(made, False, tuple(dumped))
            yield
            return made
        adopt(made, (yield from LargeList.loading(dumped)))
        return made

    @property
    def outgrown(self):
        """Whether it holds a `LargeList`: that stays, also if what is left could be packed."""
        return self.large

    @property
    def bytes(self):
        """What the elements are accounted for. Every change keeps this itself: what is set is what it is already."""
        return account(self)

    @bytes.setter
    def bytes(self, counted):
        pass


cdef inline int64_t taken(Py_ssize_t size) noexcept:
    """What a block is accounted for whose elements fill *size* bytes."""
    return room(size) if size <= 512 else room(size) + 16


cdef inline int64_t account(List self) noexcept:
    return LARGE_BYTES + in_large(self).bytes if self.large else taken(self.size)


cdef inline Py_ssize_t length_of(List self) noexcept:
    return len(in_large(self).cells) - in_large(self).head if self.large else self.count


# ---- packed
cdef inline Py_ssize_t filled(Py_ssize_t length) noexcept:
    """How much an element of *length* bytes fills."""
    return length + (2 if length < 128 else 4)


cdef inline unsigned char* content(unsigned char* at, Py_ssize_t* length) noexcept:
    """The bytes of the element at *at*, and how many they are."""
    if at[0] < 128:
        length[0] = at[0]
        return at + 1
    length[0] = (at[0] & 127) << 8 | at[1]
    return at + 2


cdef inline unsigned char* after(unsigned char* at) noexcept:
    cdef Py_ssize_t length = 0
    content(at, &length)
    return at + filled(length)


cdef inline unsigned char* previous(unsigned char* end) noexcept:
    """Where the element stands that ends at *end*."""
    cdef Py_ssize_t length = (end - 1)[0]
    return end - filled(length if length < 128 else (length & 127) << 8 | (end - 2)[0])


cdef inline bytes element(unsigned char* at):
    cdef Py_ssize_t length = 0
    at = content(at, &length)
    return PyBytes_FromStringAndSize(<char*>at, length)


cdef list elements(unsigned char* at, Py_ssize_t count):
    """*count* elements from *at* on."""
    cdef list found = PyList_New(count)
    cdef Py_ssize_t number
    for number in range(count):
        blob = element(at)
        Py_INCREF(blob)
        PyList_SET_ITEM(found, number, blob)
        at = after(at)
    return found


cdef inline unsigned char* write(unsigned char* at, bytes blob) noexcept:
    """Let *blob* be the element at *at*, where there is room for it; what follows it."""
    cdef Py_ssize_t length = PyBytes_GET_SIZE(blob)
    cdef Py_ssize_t note = 1 if length < 128 else 2
    memcpy(at + note, PyBytes_AS_STRING(blob), length)
    if length < 128:
        at[0] = at[1 + length] = <unsigned char>length
    else:
        at[0] = at[3 + length] = <unsigned char>(128 | length >> 8)
        at[1] = at[2 + length] = <unsigned char>length
    return at + length + 2 * note


cdef unsigned char* find(List self, Py_ssize_t place) noexcept:
    """Where the element at *place* stands, or the end."""
    cdef unsigned char* at
    if place <= self.count >> 1:
        at = self.block
        for _ in range(place):
            at = after(at)
    else:
        at = self.block + self.size
        for _ in range(self.count - place):
            at = previous(at)
    return at


cdef list places(List self, bytes blob, bint backward, Py_ssize_t most):
    cdef list found = []
    cdef Py_ssize_t wanted = PyBytes_GET_SIZE(blob)
    cdef Py_ssize_t length = 0, number
    cdef unsigned char* at = self.block + (self.size if backward else 0)
    cdef unsigned char* bytes_
    for number in range(most):
        if backward:
            at = previous(at)
        bytes_ = content(at, &length)
        if length == wanted and not memcmp(bytes_, PyBytes_AS_STRING(blob), length):
            found.append(self.count - 1 - number if backward else number)
        if not backward:
            at = after(at)
    return found


cdef inline bint fits(List self, bytes blob, Py_ssize_t old) noexcept:
    """Whether there may be *blob* in the place of an element that fills *old* bytes."""
    cdef Py_ssize_t length = PyBytes_GET_SIZE(blob)
    return length <= MOST_LENGTH and self.size - old + filled(length) <= MOST_SIZE


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


cdef int cut(List self, unsigned char* start, unsigned char* end, Py_ssize_t count) except -1:
    """Take out what stands from *start* up to *end*, *count* elements."""
    cdef Py_ssize_t size = self.size - (end - start)
    memmove(start, end, self.block + self.size - end)
    self.block = resized(self.block, self.size, size)
    self.size = size
    self.count -= count
    return 0


cdef int remove(List self, places) except -1:
    cdef unsigned char* kept = self.block
    cdef unsigned char* at = self.block
    cdef unsigned char* start = self.block
    cdef Py_ssize_t number = 0, place, size
    for place in places:
        while number < place:
            at = after(at)
            number += 1
        memmove(kept, start, at - start)
        kept += at - start
        start = at = after(at)
        number += 1
    return cut(self, kept, start, len(places)) if number else 0


cdef int64_t push(List self, bint left, tuple blobs) except? -1:
    cdef Py_ssize_t size = self.size, count = len(blobs), length, number
    cdef int64_t grown
    cdef unsigned char* at
    if not count:
        return 0
    for blob in blobs:
        if not PyBytes_CheckExact(blob):
            raise TypeError("elements of lists are bytes")
        length = PyBytes_GET_SIZE(blob)
        size = size + filled(length) if length <= MOST_LENGTH and size <= MOST_SIZE else MOST_SIZE + 1
    if self.large:
        return charge(self, in_large(self).push(left, blobs))
    if size > MOST_SIZE:
        grown = enlarge(self)
        return grown + push(self, left, blobs)
    grown = taken(size) - taken(self.size)
    at = open_gap(self, self.block + (0 if left else self.size), 0, size - self.size)
    for number in range(count):
        at = write(at, <bytes>blobs[count - 1 - number if left else number])
    self.count += count
    return grown


# ---- large
cdef inline LargeList in_large(List self):
    return <LargeList><PyObject*>self.block


cdef inline int64_t charge(List self, int64_t grown) noexcept:
    cdef LargeList large = in_large(self)
    large.bytes += grown
    return grown


cdef int64_t enlarge(List self) except? -1:
    """Hold a `LargeList` from here on; by how much the account grows."""
    cdef int64_t packed = account(self)
    adopt(self, LargeList(elements(self.block, self.count)))
    return account(self) - packed


cdef int adopt(List self, LargeList large) except -1:
    untrack(large)
    untrack(large.cells)
    Py_INCREF(large)
    PyMem_Free(self.block)
    self.block = <unsigned char*><PyObject*>large
    self.large = True
    return 0


CONTAINERS[LIST] = List
