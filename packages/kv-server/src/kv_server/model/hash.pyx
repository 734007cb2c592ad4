# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, binding=False
"""Hashes: value blobs by field, in the order in which the fields came.

A small one is packed: one block of memory in which each field stands before its value, both after their lengths. One
that outgrows that holds a `LargeHash` from there on.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_Contains, PyDict_DelItem, PyDict_GetItemWithError, PyDict_SetItem, PyDict_Size
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint32_t
from libc.string cimport memcmp, memcpy, memmove

from kv_server.model.collector cimport untrack
from kv_server.model.entry cimport LARGE, LOOSE, PLACED, SMALL, Packed, count_of, form_of, set_count, set_form
from kv_server.model.packed cimport (
    MOST_BYTES, MOST_ELEMENTS, MOST_LENGTH, OWN_BYTES, account, charge, hold, large, resized, room, take, untrack_set
)

from kv_server.model.container import CONTAINERS
from kv_server.model.entry import HASH
from kv_server.model.large_hash import FIELD_BYTES, LargeHash
from kv_server.model.large_set import sample

__all__ = ["FIELD_BYTES", "Hash"]

cdef enum:
    LARGE_BYTES = 120  # measured: what a `LargeHash` takes beside its fields

cdef int64_t _FIELD_BYTES = FIELD_BYTES
cdef uint32_t _KIND = HASH


@cython.final
@cython.auto_pickle(False)
cdef class Hash(Packed):
    """The fields of one hash. What is packed lies in the block, a large one behind it."""

    def __cinit__(self):
        self.marks = LOOSE | _KIND
        set_form(self, SMALL)

    def __len__(self):
        return count_of(self) if form_of(self) == SMALL else PyDict_Size(large(self))

    def __contains__(self, bytes field not None):
        if form_of(self) == SMALL:
            return find(self, field) is not NULL
        return PyDict_Contains(large(self), field)

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
        return put(self, field, blob) if form_of(self) == SMALL else put_large(self, field, blob)

    def drop(self, bytes field not None):
        """Take out *field*, which must be there, and return by how much the account shrinks."""
        return drop(self, field) if form_of(self) == SMALL else drop_large(self, field)

    def keys(self):
        return [field for field, _ in pairs(self)] if form_of(self) == SMALL else large(self).keys()

    def values(self):
        return [blob for _, blob in pairs(self)] if form_of(self) == SMALL else large(self).values()

    def items(self):
        return pairs(self) if form_of(self) == SMALL else large(self).items()

    def mapping(self):
        """All fields with their values, to be changed apart."""
        return mapping(self) if form_of(self) == SMALL else large(self).mapping()

    def page(self, cursor, count):
        """About *count* fields with their values, and the cursor of the next page; 0 begins, and ends."""
        if form_of(self) != SMALL:
            found = large(self).page(cursor, count)
            note_places(self)
            return found
        if not cursor:
            return 0, pairs(self)
        top = min(cursor, count_of(self))
        end = max(top - count, 0)
        return end, pairs(self)[end:top][::-1]

    def pick(self, count, dice, *, repeats):
        """*count* fields by chance with their values; unless there may be *repeats*, at most each of them once."""
        if form_of(self) != SMALL:
            found = large(self).pick(count, dice, repeats=repeats)
            note_places(self)
            return found
        if not repeats and count >= count_of(self):
            return pairs(self)
        return dice.choices(pairs(self), k=count) if repeats else sample(dice, pairs(self), count)

    def copy(self):
        """The same, to be changed apart."""
        cdef Hash made = Hash.__new__(Hash)
        if form_of(self) != SMALL:
            adopt(made, large(self).copy())
            charge(made, account(self))
        else:
            take(made, self)
        made.version, made.expires_ms = self.version, self.expires_ms
        return made

    def pieces(self):
        return [] if form_of(self) == SMALL else large(self).pieces()

    def dump(self):
        """Each field followed by its value."""
        return flat(self) if form_of(self) == SMALL else large(self).dump()

    @classmethod
    def load(cls, dumped):
        """The hash that was dumped."""
        cdef Hash made = Hash.__new__(Hash)
        cdef list parts = dumped if type(dumped) is list else list(dumped)
        cdef int64_t size = fit(parts)
        if size < 0:
            adopt(made, LargeHash.load(parts))
            return made
        made.block = resized(NULL, 0, <uint32_t>size)
        for at in range(0, len(parts), 2):
            if find(made, parts[at]) is not NULL:
                raise ValueError("a field twice")
            append(made, parts[at], parts[at + 1])
        return made

    @classmethod
    def loading(cls, dumped):
        cdef Hash made = Hash.__new__(Hash)
        if fit(list(dumped[:2 * MOST_ELEMENTS + 1])) >= 0:
            made = cls.load(dumped)
            if count_of(made):
                yield
            return made
        found = yield from LargeHash.loading(dumped)
        adopt(made, found)
        return made

    @property
    def outgrown(self):
        """Whether it holds a `LargeHash`: that stays, also if what is left could be packed."""
        return form_of(self) != SMALL

    @property
    def bytes(self):
        """What the fields are accounted for. Every change keeps this itself: what is set is what it is already."""
        return OWN_BYTES + account(self)

    @bytes.setter
    def bytes(self, counted):
        pass


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


cdef inline get(Hash self, bytes field):
    cdef unsigned char* at
    cdef PyObject* found
    if form_of(self) == SMALL:
        at = find(self, field)
        return blob_at(at) if at is not NULL else None
    found = PyDict_GetItemWithError(large(self), field)
    return <object>found if found is not NULL else None


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


cdef int64_t put(Hash self, bytes field, bytes blob) except? -1:
    cdef Py_ssize_t length = PyBytes_GET_SIZE(field)
    cdef Py_ssize_t filled = PyBytes_GET_SIZE(blob)
    cdef int64_t before = room(self.size)
    cdef uint32_t more
    cdef unsigned char* at = find(self, field)
    if at is not NULL and at[1] == filled:
        memcpy(at + 2 + length, PyBytes_AS_STRING(blob), filled)
        return 0
    if length <= MOST_LENGTH and filled <= MOST_LENGTH:
        if at is not NULL:
            if self.size + filled - at[1] <= MOST_BYTES:
                replace(self, at, blob)
                return room(self.size) - before
        elif count_of(self) < MOST_ELEMENTS and self.size + 2 + length + filled <= MOST_BYTES:
            more = <uint32_t>(2 + length + filled)
            self.block = resized(self.block, self.size, self.size + more)
            append(self, field, blob)
            return room(self.size) - before
    adopt(self, LargeHash.load(flat(self)))
    put_large(self, field, blob)
    return account(self) - before


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


cdef int64_t drop(Hash self, bytes field) except? -1:
    cdef unsigned char* at = find(self, field)
    if at is NULL:
        raise KeyError(field)
    cdef uint32_t gone = 2 + at[0] + at[1]
    cdef uint32_t before = self.size
    memmove(at, at + gone, before - gone - (at - self.block))
    self.block = resized(self.block, before, before - gone)
    self.size = before - gone
    set_count(self, count_of(self) - 1)
    return <int64_t>room(before) - room(self.size)


cdef list pairs(Hash self):
    cdef list found = []
    cdef uint32_t place = 0
    while place < self.size:
        found.append((field_at(self.block + place), blob_at(self.block + place)))
        place += 2 + self.block[place] + self.block[place + 1]
    return found


cdef dict mapping(Hash self):
    cdef dict found = {}
    cdef uint32_t place = 0
    while place < self.size:
        PyDict_SetItem(found, field_at(self.block + place), blob_at(self.block + place))
        place += 2 + self.block[place] + self.block[place + 1]
    return found


cdef list flat(Hash self):
    cdef list found = []
    cdef uint32_t place = 0
    while place < self.size:
        found.append(field_at(self.block + place))
        found.append(blob_at(self.block + place))
        place += 2 + self.block[place] + self.block[place + 1]
    return found


cdef int64_t fit(list parts) noexcept:
    """How many bytes *parts*, fields and values in turn, fill when they are packed; -1 if they cannot be."""
    cdef int64_t size = 0
    if len(parts) > 2 * MOST_ELEMENTS or len(parts) & 1:
        return -1
    for part in parts:
        if not PyBytes_CheckExact(part) or PyBytes_GET_SIZE(part) > MOST_LENGTH:
            return -1
        size += 1 + PyBytes_GET_SIZE(part)
    return size if size <= MOST_BYTES else -1


# ---- large
cdef int adopt(Hash self, found) except -1:
    """Hold the `LargeHash` that was *found* from here on."""
    untrack(found)
    return hold(self, found, LARGE_BYTES + found.bytes)


cdef int64_t put_large(Hash self, bytes field, bytes blob) except? -1:
    cdef int64_t grown
    cdef PyObject* old
    if form_of(self) == PLACED:
        grown = large(self).put(field, blob)
    else:
        old = PyDict_GetItemWithError(large(self), field)
        grown = PyBytes_GET_SIZE(blob)
        grown += -len(<object>old) if old is not NULL else PyBytes_GET_SIZE(field) + _FIELD_BYTES
        PyDict_SetItem(large(self), field, blob)
    charge(self, account(self) + grown)
    return grown


cdef int64_t drop_large(Hash self, bytes field) except? -1:
    cdef int64_t shrunk
    cdef PyObject* old
    if form_of(self) == PLACED:
        shrunk = large(self).drop(field)
    else:
        old = PyDict_GetItemWithError(large(self), field)
        if old is NULL:
            raise KeyError(field)
        shrunk = PyBytes_GET_SIZE(field) + len(<object>old) + _FIELD_BYTES
        PyDict_DelItem(large(self), field)
    charge(self, account(self) - shrunk)
    return shrunk


cdef int note_places(Hash self) except -1:
    """See whether the fields have places now."""
    if form_of(self) == LARGE and large(self).places is not None:
        untrack_set(large(self).places)
        set_form(self, PLACED)
    return 0


CONTAINERS[HASH] = Hash
