# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, binding=False
"""Hashes: value blobs by field, in the order in which the fields came.

A small one is packed: one block of memory in which each field stands before its value, both after their lengths. One
that outgrows that is a crowd from there on.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_SetItem
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memmove

from kv_server.model.crowd cimport *
from kv_server.model.entry cimport LOOSE, SMALL, Packed, count_of, form_of, set_count, set_form
from kv_server.model.packed cimport (
    MOST_BYTES, MOST_ELEMENTS, MOST_LENGTH, OWN_BYTES, account, adopt, begin, check, crowd_of, find_in, pieces_of,
    resized, size_of, surrender, take
)

from kv_server.model.container import CONTAINERS
from kv_server.model.entry import HASH
from kv_server.model.large_hash import FIELD_BYTES
from kv_server.model.large_set import sample
from kv_server.model.steps import parts

__all__ = ["FIELD_BYTES", "Hash", "drop", "get", "has", "put"]

cdef enum:
    IN_ONE_PAGE = 512  # a hash of so many fields is walked in one page

cdef uint32_t _KIND = HASH


@cython.final
@cython.auto_pickle(False)
cdef class Hash(Packed):
    """The fields of one hash. What is packed lies in the block, a large one behind it."""

    def __cinit__(self):
        self.marks = LOOSE | _KIND
        set_form(self, SMALL)

    def __len__(self):
        return size_of(self)

    def __contains__(self, bytes field not None):
        return has(self, field)

    def __iter__(self):
        return iter(self.keys())

    def __getitem__(self, bytes field not None):
        blob = get(self, field)
        if blob is None:
            raise KeyError(field)
        return blob

    def get(self, bytes field not None):
        """The value of *field*, None if there is no such field."""
        return get(self, field)

    def put(self, bytes field not None, bytes blob not None):
        """Set *field* to *blob*, and return by how much the account grows."""
        return put(self, field, blob)

    def drop(self, bytes field not None):
        """Take out *field*, which must be there, and return by how much the account shrinks."""
        return drop(self, field)

    def keys(self):
        return flat(self, True, False)

    def values(self):
        return flat(self, False, True)

    def items(self):
        return pairs(self)

    def mapping(self):
        """All fields with their values, to be changed apart."""
        return mapping(self)

    def page(self, cursor, count):
        """About *count* fields with their values, and the cursor of the next page; 0 begins, and ends."""
        cdef Py_ssize_t size = size_of(self)
        cdef Py_ssize_t top = min(cursor or size, size)
        cdef Py_ssize_t end = max(top - count, 0)
        if not cursor and (form_of(self) == SMALL or size <= IN_ONE_PAGE):
            return 0, pairs(self)
        if placed(self):
            return end, picked(self, range(top - 1, end - 1, -1))
        return end, pairs(self)[end:top][::-1]

    def pick(self, count, dice, *, repeats):
        """*count* fields by chance with their values; unless there may be *repeats*, at most each of them once."""
        cdef Py_ssize_t size = size_of(self)
        if not repeats and count >= size:
            return pairs(self)
        if form_of(self) == SMALL or size <= IN_ONE_PAGE:
            return dice.choices(pairs(self), k=count) if repeats else sample(dice, pairs(self), count)
        placed(self)
        return picked(self, dice.choices(range(size), k=count) if repeats else sample(dice, range(size), count))

    def copy(self):
        """The same, to be changed apart."""
        cdef Hash made = Hash.__new__(Hash)
        take(made, self)
        return made

    def pieces(self):
        return pieces_of(self)

    def dump(self):
        """Each field followed by its value."""
        return flat(self)

    @classmethod
    def load(cls, dumped):
        """The hash that was dumped."""
        cdef Hash made = Hash.__new__(Hash)
        cdef list told = dumped if type(dumped) is list else list(dumped)
        cdef int64_t size = fit(told)
        if size < 0:
            begin(made, OF_FIELDS)
            set_all(made, told)
        else:
            made.block = resized(NULL, 0, <uint32_t>size)
            for at in range(0, len(told), 2):
                if find(made, told[at]) is NULL:
                    append(made, told[at], told[at + 1])
        if 2 * size_of(made) != len(told):
            raise ValueError("a field twice")
        return made

    @classmethod
    def loading(cls, dumped):
        cdef Hash made = Hash.__new__(Hash)
        if fit(list(dumped[:2 * MOST_ELEMENTS + 1])) >= 0:
            made = cls.load(dumped)
            if count_of(made):
                yield
            return made
        begin(made, OF_FIELDS)
        for part in parts(dumped):
            set_all(made, part)
            yield
        if 2 * size_of(made) != len(dumped):
            raise ValueError("a field twice")
        return made

    @property
    def outgrown(self):
        """Whether it is large: that it stays, also if what is left could be packed."""
        return form_of(self) != SMALL

    @property
    def bytes(self):
        """What the fields are accounted for."""
        return OWN_BYTES + account(self)


# ---- packed
cdef inline unsigned char* find(Hash self, bytes field) noexcept:
    """Where *field* stands with its value, NULL if it does not."""
    cdef const unsigned char* name = <const unsigned char*>PyBytes_AS_STRING(field)
    cdef Py_ssize_t length = PyBytes_GET_SIZE(field)
    cdef unsigned char* at = self.block
    cdef unsigned char* end = at + self.size
    while at < end:
        if at[0] == length and (not length or at[1 + length] == name[length - 1]) and not memcmp(at + 2, name, length):
            return at
        at += 2 + at[0] + at[1]
    return NULL


cdef inline bytes field_at(unsigned char* at):
    return PyBytes_FromStringAndSize(<char*>at + 2, at[0])


cdef inline bytes blob_at(unsigned char* at):
    return PyBytes_FromStringAndSize(<char*>at + 2 + at[0], at[1])


cpdef bint has(Hash self, bytes field) except -1:
    cdef uint64_t hash
    check(field)
    if form_of(self) == SMALL:
        return find(self, field) is not NULL
    return find_in(crowd_of(self), field, &hash) is not NULL


cpdef bytes get(Hash self, bytes field):
    cdef unsigned char* at
    cdef uint64_t hash
    cdef Item* item
    check(field)
    if form_of(self) == SMALL:
        at = find(self, field)
        return blob_at(at) if at is not NULL else None
    item = find_in(crowd_of(self), field, &hash)
    return blob_of(item) if item is not NULL else None


cdef inline void append(Hash self, bytes field, bytes blob) noexcept:
    """Write at the end of the block, which is large enough."""
    cdef unsigned char* at = self.block + self.size
    cdef Py_ssize_t length = PyBytes_GET_SIZE(field)
    at[0] = <unsigned char>length
    at[1] = <unsigned char>PyBytes_GET_SIZE(blob)
    memcpy(at + 2, PyBytes_AS_STRING(field), length)
    memcpy(at + 2 + length, PyBytes_AS_STRING(blob), at[1])
    self.size += 2 + at[0] + at[1]
    set_count(self, count_of(self) + 1)


cpdef int64_t put(Hash self, bytes field, bytes blob) except? -1:
    cdef int64_t before = account(self)
    check(field)
    check(blob)
    if form_of(self) != SMALL:
        set_field(crowd_of(self), field, blob)
    elif not put_packed(self, field, blob):
        outgrow(self, field, blob)
    return account(self) - before


cdef bint put_packed(Hash self, bytes field, bytes blob) except -1:
    """Set *field* to *blob* if that can be packed."""
    cdef Py_ssize_t length = PyBytes_GET_SIZE(field)
    cdef Py_ssize_t filled = PyBytes_GET_SIZE(blob)
    cdef unsigned char* at = find(self, field)
    if at is not NULL and at[1] == filled:
        memcpy(at + 2 + length, PyBytes_AS_STRING(blob), filled)
        return True
    if length > MOST_LENGTH or filled > MOST_LENGTH:
        return False
    if at is not NULL:
        if self.size + filled - at[1] > MOST_BYTES:
            return False
        replace(self, at, blob)
        return True
    if count_of(self) == MOST_ELEMENTS or self.size + 2 + length + filled > MOST_BYTES:
        return False
    self.block = resized(self.block, self.size, <uint32_t>(self.size + 2 + length + filled))
    append(self, field, blob)
    return True


cdef int replace(Hash self, unsigned char* at, bytes blob) except -1:
    """Let *blob*, of another length, be the value of the field at *at*."""
    cdef uint32_t start = <uint32_t>(at - self.block)
    cdef uint32_t place = start + 2 + at[0]
    cdef uint32_t old = at[1]
    cdef uint32_t new = <uint32_t>PyBytes_GET_SIZE(blob)
    cdef uint32_t after = self.size - place - old
    cdef uint32_t size = self.size + new - old
    if new > old:
        self.block = resized(self.block, self.size, size)
    memmove(self.block + place + new, self.block + place + old, after)
    memcpy(self.block + place, PyBytes_AS_STRING(blob), new)
    self.block[start + 1] = <unsigned char>new
    if new < old:
        self.block = resized(self.block, self.size, size)
    self.size = size
    return 0


cpdef int64_t drop(Hash self, bytes field) except? -1:
    cdef int64_t before = account(self)
    cdef unsigned char* at
    cdef uint32_t gone, size
    cdef uint64_t hash
    cdef Item* item
    check(field)
    if form_of(self) != SMALL:
        item = find_in(crowd_of(self), field, &hash)
        if item is NULL:
            raise KeyError(field)
        crowd_remove(crowd_of(self), item, hash)
        return before - account(self)
    at = find(self, field)
    if at is NULL:
        raise KeyError(field)
    gone, size = 2 + at[0] + at[1], self.size
    memmove(at, at + gone, size - gone - (at - self.block))
    self.block = resized(self.block, size, size - gone)
    self.size = size - gone
    set_count(self, count_of(self) - 1)
    return before - account(self)


cdef list flat(Hash self, bint fields=True, bint blobs=True):
    """Each field followed by its value; or the one or the other alone."""
    cdef list found = []
    cdef Item* item = crowd_of(self).first if form_of(self) != SMALL else NULL
    cdef uint32_t place = 0
    while item is not NULL:
        if fields:
            found.append(PyBytes_FromStringAndSize(item.bytes, item.length))
        if blobs:
            found.append(blob_of(item))
        item = item_after(item)
    while place < self.size:
        if fields:
            found.append(field_at(self.block + place))
        if blobs:
            found.append(blob_at(self.block + place))
        place += 2 + self.block[place] + self.block[place + 1]
    return found


cdef list pairs(Hash self):
    cdef list told = flat(self)
    return list(zip(told[::2], told[1::2]))


cdef dict mapping(Hash self):
    cdef dict found = {}
    cdef list told = flat(self)
    cdef Py_ssize_t at
    for at in range(0, len(told), 2):
        PyDict_SetItem(found, told[at], told[at + 1])
    return found


cdef int64_t fit(list told) noexcept:
    """How many bytes *told*, fields and values in turn, fill when they are packed; -1 if they cannot be."""
    cdef int64_t size = 0
    if len(told) > 2 * MOST_ELEMENTS or len(told) & 1:
        return -1
    for part in told:
        if not PyBytes_CheckExact(part) or PyBytes_GET_SIZE(part) > MOST_LENGTH:
            return -1
        size += 1 + PyBytes_GET_SIZE(part)
    return size if size <= MOST_BYTES else -1


# ---- large
cdef inline bytes blob_of(Item* item):
    return PyBytes_FromStringAndSize(value_of(item), value_size(item))


cdef inline int set_field(Crowd* large, bytes field, bytes blob) except -1:
    check(field)
    check(blob)
    if crowd_put(
        large, PyBytes_AS_STRING(field), PyBytes_GET_SIZE(field), PyBytes_AS_STRING(blob), PyBytes_GET_SIZE(blob)
    ) < 0:
        raise MemoryError
    return 0


cdef int outgrow(Hash self, bytes field, bytes blob) except -1:
    """Be large, with what is packed and *field*."""
    cdef Hash made = Hash.__new__(Hash)
    begin(made, OF_FIELDS)
    set_all(made, flat(self))
    set_field(crowd_of(made), field, blob)
    adopt(self, surrender(made))
    return 0


cdef int set_all(Hash self, told) except -1:
    """Take in what was *told*, fields and values in turn."""
    for field, blob in zip(told[::2], told[1::2], strict=True):
        set_field(crowd_of(self), field, blob)
    return 0


cdef bint placed(Hash self) except -1:
    """Whether the fields have places: many are given some."""
    if form_of(self) == SMALL:
        return False
    if size_of(self) > IN_ONE_PAGE and crowd_place(crowd_of(self)):
        raise MemoryError
    return crowd_of(self).placed


cdef list picked(Hash self, places):
    """The fields at *places*, which there are, with their values."""
    cdef list found = []
    cdef uint32_t place
    cdef Item* item
    for place in places:
        item = item_at(crowd_of(self), place)
        found.append((PyBytes_FromStringAndSize(item.bytes, item.length), blob_of(item)))
    return found


seed_hashing()
CONTAINERS[HASH] = Hash
