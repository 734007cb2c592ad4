# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, binding=False
"""Sets of names, in an order that follows from what was done to them alone.

A small one is packed: one block of memory in which the members stand in the order of their places, each after its
length. One that outgrows that is a crowd from there on.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memmove

from kv_server.model.crowd cimport *
from kv_server.model.entry cimport LOOSE, SMALL, Packed, count_of, form_of, set_count, set_form
from kv_server.model.packed cimport (
    MOST_BYTES, MOST_ELEMENTS, MOST_LENGTH, OWN_BYTES, account, adopt, begin, check, crowd_of, find_in, pieces_of,
    resized, room, size_of, surrender, take, unlinked
)

from kv_server.model.container import CONTAINERS
from kv_server.model.entry import SET
from kv_server.model.large_set import MEMBER_BYTES, few, sample
from kv_server.model.steps import parts

__all__ = ["MEMBER_BYTES", "Set", "add", "add_all", "few", "has", "remove", "sample", "which"]

cdef uint32_t _KIND = SET


@cython.final
@cython.auto_pickle(False)
cdef class Set(Packed):
    """The members of one set. What is packed lies in the block, a large one behind it."""

    def __cinit__(self, members=()):
        self.marks = LOOSE | _KIND
        set_form(self, SMALL)
        if members:
            add_all(self, members)

    def __len__(self):
        return size_of(self)

    def __contains__(self, bytes member not None):
        return has(self, member)

    def __iter__(self):
        return iter(listed(self))

    def which(self, names, bint there):
        """Those of *names* that are in it; or, unless they are to be *there*, those that are not."""
        return which(self, names, there)

    def picked(self, places):
        """The members at *places*."""
        cdef Py_ssize_t place
        cdef list found
        if form_of(self) == SMALL:
            found = listed(self)
            return [found[place] for place in within(self, places)]
        return [name_of(item_at(crowd_of(self), place)) for place in within(self, places)]

    def add(self, bytes member not None):
        """Add *member*, which must not be there yet, and return what it is accounted for."""
        return add(self, member)

    def add_all(self, members):
        """Add *members*, each once, none of which is there yet; what they are accounted for."""
        return add_all(self, members)

    def remove(self, bytes member not None):
        """Take out *member*, which must be there, and return what it was accounted for. The last takes its place."""
        return remove(self, member)

    def remove_all(self, members, list garbage not None):
        """Take out *members*, each once, all of them there, and return what they were accounted for.

        The others move up. What is to be freed in slices comes to *garbage*.
        """
        cdef int64_t before = account(self)
        if form_of(self) == SMALL:
            remove_small(self, members)
        else:
            garbage.append(unlinked(crowd_of(self), members))
        return before - account(self)

    def page(self, cursor, count):
        """Up to *count* members, and the cursor of the next page; 0 begins, and ends. The walk goes down the places."""
        cdef Py_ssize_t size = size_of(self)
        cdef Py_ssize_t top = min(cursor or size, size)
        cdef Py_ssize_t end = max(top - count, 0)
        return end, self.picked(range(top - 1, end - 1, -1))

    def copy(self):
        """The same, to be changed apart."""
        cdef Set made = Set.__new__(Set)
        take(made, self)
        return made

    def pieces(self):
        return pieces_of(self)

    def dump(self):
        """The members in their order."""
        return listed(self)

    @classmethod
    def load(cls, dumped):
        """The set that was dumped."""
        cdef Set made = Set.__new__(Set)
        cdef list members = dumped if type(dumped) is list else list(dumped)
        cdef int64_t size = fit(made, members)
        if size < 0:
            begin(made, OF_MEMBERS)
            join_all(crowd_of(made), members)
        else:
            made.block = resized(NULL, 0, <uint32_t>size)
            for member in members:
                if find(made, member) is NULL:
                    append(made, member)
        if size_of(made) != len(members):
            raise ValueError("a member twice")
        return made

    @classmethod
    def loading(cls, dumped):
        cdef Set made = Set.__new__(Set)
        if fit(made, list(dumped[:MOST_ELEMENTS + 1])) >= 0:
            made = cls.load(dumped)
            if count_of(made):
                yield
            return made
        begin(made, OF_MEMBERS)
        for part in parts(dumped):
            join_all(crowd_of(made), part)
            yield
        if size_of(made) != len(dumped):
            raise ValueError("a member twice")
        return made

    @property
    def outgrown(self):
        """Whether it is large: that it stays, also if what is left could be packed."""
        return form_of(self) != SMALL

    @property
    def bytes(self):
        """What the members are accounted for."""
        return OWN_BYTES + account(self)


cdef inline bytes name_of(Item* item):
    return PyBytes_FromStringAndSize(item.bytes, item.length)


cpdef bint has(Set self, bytes member) except -1:
    cdef uint64_t hash
    check(member)
    if form_of(self) == SMALL:
        return find(self, member) is not NULL
    return find_in(crowd_of(self), member, &hash) is not NULL


cpdef list which(Set self, names, bint there):
    cdef list found = []
    for name in names:
        if not PyBytes_CheckExact(name):
            raise TypeError(f"a name is bytes, not {name!r}")
        if has(self, name) == there:
            found.append(name)
    return found


cdef list listed(Set self):
    """All of them in the order of their places."""
    cdef list found = []
    cdef uint32_t place = 0
    if form_of(self) != SMALL:
        return [name_of(item_at(crowd_of(self), place)) for place in range(crowd_of(self).count)]
    while place < self.size:
        found.append(PyBytes_FromStringAndSize(<char*>self.block + place + 1, self.block[place]))
        place += 1 + self.block[place]
    return found


cdef within(Set self, places):
    """*places*, all of which there are."""
    cdef Py_ssize_t place
    for place in places:
        if not 0 <= place < size_of(self):
            raise IndexError(place)
    return places


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


cpdef int64_t add(Set self, bytes member) except? -1:
    cdef int64_t before = account(self)
    cdef Py_ssize_t length
    check(member)
    length = PyBytes_GET_SIZE(member)
    if form_of(self) != SMALL:
        join(crowd_of(self), member)
    elif count_of(self) < MOST_ELEMENTS and length <= MOST_LENGTH and self.size + 1 + length <= MOST_BYTES:
        self.block = resized(self.block, self.size, <uint32_t>(self.size + 1 + length))
        append(self, member)
    else:
        return add_all(self, [member])
    return account(self) - before


cpdef int64_t add_all(Set self, members) except? -1:
    cdef int64_t before = account(self)
    cdef int64_t size
    cdef Set made
    members = members if type(members) is list else list(members)
    size = fit(self, members)
    if size >= 0:
        self.block = resized(self.block, self.size, <uint32_t>size)
        for member in <list>members:
            append(self, member)
    elif form_of(self) != SMALL:
        join_all(crowd_of(self), members)
    else:
        made = Set.__new__(Set)
        begin(made, OF_MEMBERS)
        join_all(crowd_of(made), listed(self))
        join_all(crowd_of(made), members)
        adopt(self, surrender(made))
    return account(self) - before


cdef int64_t remove_packed(Set self, bytes member) except? -1:
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


cdef int remove_small(Set self, members) except -1:
    cdef uint32_t size = self.size
    gone = frozenset(members)
    cdef list kept = [member for member in listed(self) if member not in gone]
    if len(kept) + len(gone) != count_of(self):
        raise KeyError("members that are not there")
    self.size = 0
    set_count(self, 0)
    for member in kept:
        append(self, member)
    self.block = resized(self.block, size, self.size)
    return 0


cpdef int64_t remove(Set self, bytes member) except? -1:
    cdef int64_t before
    cdef uint64_t hash
    cdef Item* item
    check(member)
    if form_of(self) == SMALL:
        return remove_packed(self, member)
    before = account(self)
    item = find_in(crowd_of(self), member, &hash)
    if item is NULL:
        raise KeyError(member)
    crowd_remove(crowd_of(self), item, hash)
    return before - account(self)


# ---- large
cdef inline int join(Crowd* large, bytes member) except -1:
    check(member)
    if crowd_join(large, PyBytes_AS_STRING(member), PyBytes_GET_SIZE(member)) < 0:
        raise MemoryError
    return 0


cdef int join_all(Crowd* large, members) except -1:
    for member in members:
        join(large, member)
    return 0


seed_hashing()
CONTAINERS[SET] = Set
