# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, binding=False
"""Sets of names, in an order that follows from what was done to them alone.

A small one is packed: one block of memory in which the members stand in the order of their places, each after its
length. One that outgrows that holds a `LargeSet` from there on.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_Contains, PyDict_DelItem, PyDict_GetItemWithError, PyDict_SetItem
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint32_t
from libc.string cimport memcmp, memcpy, memmove

from kv_server.model.entry cimport LOOSE, SMALL, Packed, count_of, form_of, set_count, set_form
from kv_server.model.packed cimport (
    MOST_BYTES, MOST_ELEMENTS, MOST_LENGTH, OWN_BYTES, account, charge, hold, large, resized, room, take, untrack_set
)

from kv_server.model.container import CONTAINERS
from kv_server.model.entry import SET
from kv_server.model.large_set import MEMBER_BYTES, LargeSet, few, sample

__all__ = ["MEMBER_BYTES", "Set", "few", "sample"]

cdef enum:
    LARGE_BYTES = 140  # measured: what a `LargeSet` takes beside its members

cdef int64_t _MEMBER_BYTES = MEMBER_BYTES
cdef uint32_t _KIND = SET


@cython.final
@cython.auto_pickle(False)
cdef class Set(Packed):
    """The members of one set. What is packed lies in the block, a large one behind it."""

    def __cinit__(self, members=()):
        self.marks = LOOSE | _KIND
        set_form(self, SMALL)
        if members:
            add_all(self, members if type(members) is list else list(members))

    def __len__(self):
        return count_of(self) if form_of(self) == SMALL else len(large(self))

    def __contains__(self, bytes member not None):
        return has(self, member)

    def __iter__(self):
        return iter(self.members)

    @property
    def members(self):
        """All of them in the order of their places; those of a packed one are listed now."""
        return flat(self) if form_of(self) == SMALL else large(self).members

    @property
    def places(self):
        """At which place each member stands; those of a packed one are looked up now."""
        return dict(zip(flat(self), range(count_of(self)))) if form_of(self) == SMALL else large(self).places

    def which(self, names, bint there):
        """Those of *names* that are in it; or, unless they are to be *there*, those that are not."""
        cdef list found = []
        for name in names:
            if not PyBytes_CheckExact(name):
                raise TypeError(f"a name is bytes, not {name!r}")
            if has(self, name) == there:
                found.append(name)
        return found

    def add(self, bytes member not None):
        """Add *member*, which must not be there yet, and return what it is accounted for."""
        return add(self, member) if form_of(self) == SMALL else add_large(self, member)

    def add_all(self, members):
        """Add *members*, each once, none of which is there yet; what they are accounted for."""
        return add_all(self, members if type(members) is list else list(members))

    def remove(self, bytes member not None):
        """Take out *member*, which must be there, and return what it was accounted for. The last takes its place."""
        return remove(self, member) if form_of(self) == SMALL else remove_large(self, member)

    def remove_all(self, members):
        """Take out *members*, each once, all of them there, and return what they were accounted for.

        The others move up. What it was made of before is left as it was.
        """
        return remove_all(self, members)

    def page(self, cursor, count):
        """Up to *count* members, and the cursor of the next page; 0 begins, and ends. The walk goes down the places."""
        if form_of(self) != SMALL:
            return large(self).page(cursor, count)
        top = min(cursor or count_of(self), count_of(self))
        end = max(top - count, 0)
        return end, flat(self)[end:top][::-1]

    def copy(self):
        """The same, to be changed apart."""
        cdef Set made = Set.__new__(Set)
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
        """The members in their order."""
        return flat(self) if form_of(self) == SMALL else large(self).dump()

    @classmethod
    def load(cls, dumped):
        """The set that was dumped."""
        cdef Set made = Set.__new__(Set)
        cdef list members = dumped if type(dumped) is list else list(dumped)
        cdef int64_t size = fit(made, members)
        if size < 0:
            adopt(made, LargeSet.load(members))
            return made
        made.block = resized(NULL, 0, <uint32_t>size)
        for member in members:
            if find(made, member) is not NULL:
                raise ValueError("a member twice")
            append(made, member)
        return made

    @classmethod
    def loading(cls, dumped):
        cdef Set made = Set.__new__(Set)
        if fit(made, list(dumped[:MOST_ELEMENTS + 1])) >= 0:
            made = cls.load(dumped)
            if count_of(made):
                yield
            return made
        found = yield from LargeSet.loading(dumped)
        adopt(made, found)
        return made

    @property
    def outgrown(self):
        """Whether it holds a `LargeSet`: that stays, also if what is left could be packed."""
        return form_of(self) != SMALL

    @property
    def bytes(self):
        """What the members are accounted for. Every change keeps this itself: what is set is what it is already."""
        return OWN_BYTES + account(self)

    @bytes.setter
    def bytes(self, counted):
        pass


# ---- packed
cdef inline unsigned char* find(Set self, bytes member) noexcept:
    """Where *member* stands, NULL if it does not."""
    cdef const unsigned char* name = <const unsigned char*>PyBytes_AS_STRING(member)
    cdef Py_ssize_t length = PyBytes_GET_SIZE(member)
    cdef unsigned char* at = self.block
    cdef unsigned char* end = at + self.size
    while at < end:
        if at[0] == length and (not length or at[length] == name[length - 1]) and not memcmp(at + 1, name, length):
            return at
        at += 1 + at[0]
    return NULL


cdef inline bint has(Set self, bytes member) except -1:
    return find(self, member) is not NULL if form_of(self) == SMALL else PyDict_Contains(large(self).places, member)


cdef list flat(Set self):
    cdef list found = []
    cdef uint32_t place = 0
    while place < self.size:
        found.append(PyBytes_FromStringAndSize(<char*>self.block + place + 1, self.block[place]))
        place += 1 + self.block[place]
    return found


cdef int64_t fit(Set self, list more) noexcept:
    """How many bytes are filled with *more* members; -1 if it cannot be packed then."""
    cdef int64_t size = self.size
    if form_of(self) != SMALL or count_of(self) + len(more) > MOST_ELEMENTS:
        return -1
    for member in more:
        if not PyBytes_CheckExact(member) or PyBytes_GET_SIZE(member) > MOST_LENGTH:
            return -1
        size += 1 + PyBytes_GET_SIZE(member)
    return size if size <= MOST_BYTES else -1


cdef inline void append(Set self, bytes member) noexcept:
    """Write at the end of the block, which is large enough."""
    cdef unsigned char* at = self.block + self.size
    at[0] = <unsigned char>PyBytes_GET_SIZE(member)
    memcpy(at + 1, PyBytes_AS_STRING(member), at[0])
    self.size += 1 + at[0]
    set_count(self, count_of(self) + 1)


cdef int64_t add(Set self, bytes member) except? -1:
    cdef Py_ssize_t length = PyBytes_GET_SIZE(member)
    cdef int64_t before = room(self.size)
    if count_of(self) < MOST_ELEMENTS and length <= MOST_LENGTH and self.size + 1 + length <= MOST_BYTES:
        self.block = resized(self.block, self.size, <uint32_t>(self.size + 1 + length))
        append(self, member)
        return room(self.size) - before
    adopt(self, LargeSet(flat(self)))
    add_large(self, member)
    return account(self) - before


cdef int64_t add_all(Set self, list members) except? -1:
    cdef int64_t before = account(self)
    cdef int64_t size = fit(self, members)
    if size >= 0:
        self.block = resized(self.block, self.size, <uint32_t>size)
        for member in members:
            append(self, member)
    else:
        if form_of(self) == SMALL:
            adopt(self, LargeSet(flat(self)))
        charge(self, account(self) + large(self).add_all(members))
    return account(self) - before


cdef int64_t remove(Set self, bytes member) except? -1:
    cdef unsigned char[1 + MOST_LENGTH] moved
    cdef unsigned char* at = find(self, member)
    cdef unsigned char* last = at
    cdef unsigned char* end = self.block + self.size
    cdef uint32_t before = self.size
    cdef uint32_t gone, come
    if at is NULL:
        raise KeyError(member)
    while last + 1 + last[0] < end:
        last += 1 + last[0]
    gone, come = 1 + at[0], 1 + last[0]
    if last != at:
        memcpy(moved, last, come)
        memmove(at + come, at + gone, last - at - gone)
        memcpy(at, moved, come)
    self.block = resized(self.block, before, before - gone)
    self.size = before - gone
    set_count(self, count_of(self) - 1)
    return <int64_t>room(before) - room(self.size)


cdef int64_t remove_all(Set self, members) except? -1:
    cdef int64_t before = account(self)
    cdef uint32_t size = self.size
    cdef list kept
    if form_of(self) != SMALL:
        charge(self, before - <int64_t>large(self).remove_all(members))
        untrack_set(large(self))
        return before - account(self)
    gone = frozenset(members)
    kept = [member for member in flat(self) if member not in gone]
    if len(kept) + len(gone) != count_of(self):
        raise KeyError("members that are not there")
    self.size = 0
    set_count(self, 0)
    for member in kept:
        append(self, member)
    self.block = resized(self.block, size, self.size)
    return before - account(self)


# ---- large
cdef int adopt(Set self, found) except -1:
    """Hold the `LargeSet` that was *found* from here on."""
    untrack_set(found)
    return hold(self, found, LARGE_BYTES + found.bytes)


cdef int64_t add_large(Set self, bytes member) except? -1:
    cdef list members = large(self).members
    PyDict_SetItem(large(self).places, member, len(members))
    members.append(member)
    charge(self, account(self) + PyBytes_GET_SIZE(member) + _MEMBER_BYTES)
    return PyBytes_GET_SIZE(member) + _MEMBER_BYTES


cdef int64_t remove_large(Set self, bytes member) except? -1:
    cdef list members = large(self).members
    cdef dict places = large(self).places
    cdef PyObject* found = PyDict_GetItemWithError(places, member)
    if found is NULL:
        raise KeyError(member)
    number = <object>found
    place = <Py_ssize_t>number
    PyDict_DelItem(places, member)
    last = members.pop()
    if place < len(members):
        members[place] = last
        PyDict_SetItem(places, last, number)
    charge(self, account(self) - PyBytes_GET_SIZE(member) - _MEMBER_BYTES)
    return PyBytes_GET_SIZE(member) + _MEMBER_BYTES


CONTAINERS[SET] = Set
