# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Sorted sets: members in an order of places, each with a score, and ranked by it, in memory of their own.

A small one is packed in one block; one that outgrows that has items, a table to find them and a tree to rank them.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.list cimport PyList_New, PyList_SET_ITEM
from cpython.ref cimport Py_INCREF
from libc.stdint cimport SIZE_MAX, int64_t, uint32_t

from kv_server.model.crowd cimport *
from kv_server.model.entry cimport Remains
from kv_server.model.packed cimport unlinked
from kv_server.model.scored cimport *

from kv_server.model.container import CONTAINERS
from kv_server.model.entry import ZSET
from kv_server.model.large_set import few
from kv_server.model.steps import parts

__all__ = ["SortedSet"]


@cython.final
@cython.auto_pickle(False)
cdef class SortedSet:
    """Members, each with a score that is a number, in the order of the scores and, where those tie, of their bytes.

    Places are another order: new members come at the end. Walks go by it: no change of a score disturbs them.
    """

    def __init__(self, members=(), scores=()):
        fill(self, list(members), list(scores))

    def __dealloc__(self):
        sorted_free(&self.few)

    def __len__(self):
        return count(self)

    def __contains__(self, bytes member not None):
        cdef double score
        return look_up(self, member, &score)

    def __iter__(self):
        return iter(whole(self)[0])

    def score(self, bytes member not None):
        cdef double score
        return score if look_up(self, member, &score) else None

    # ---- changes
    def put(self, double score, bytes member not None):
        """Give *member* a *score* and return by how many bytes that grows the account. There is one zero only."""
        return put(self, score, member)

    def put_all(self, pairs):
        """The same as `put` for many."""
        cdef int64_t before
        if len(pairs) == 1:
            score, member = pairs[0]
            return put(self, score, member)
        before = account(self)
        if not count(self) and len(pairs) > FEW_MOST:
            fill(self, [member for _, member in pairs], [score for score, _ in pairs])
        else:
            for score, member in pairs:
                put(self, score, member)
        return account(self) - before

    def remove(self, bytes member not None):
        """Take out *member*, which must be there, and return what it was accounted for."""
        return remove(self, member)

    def remove_all(self, members, list garbage not None):
        """The same as `remove` for many, each once; what is to be freed in slices comes to *garbage*."""
        cdef int64_t before
        if len(members) == 1:
            return remove(self, members[0])
        before = account(self)
        if few(len(members), count(self)):
            for member in members:
                remove(self, member)
        elif self.few.large:
            garbage.append(unlinked(large(self), members))
        else:
            gone = frozenset(members)
            if not all([each in self for each in gone]):
                raise KeyError(members)
            left = [pair for pair in pairs(self, 0, count(self)) if pair[1] not in gone]
            refill(self, left)
        return before - account(self)

    # ---- reads
    def rank(self, bytes member not None):
        """How many stand before *member*, which must be there."""
        cdef double score
        if not look_up(self, member, &score):
            raise KeyError(member)
        return below(self, Key(score, PyBytes_AS_STRING(member), PyBytes_GET_SIZE(member), BELOW_BOTH))

    def rank_of_score(self, double score, *, bint beyond):
        """How many have a lower score; *beyond*: a lower one or this."""
        return below(self, Key(score, NULL, 0, UP_TO_SCORE if beyond else BELOW_SCORE))

    def rank_of_member(self, bytes member not None, *, bint beyond):
        """How many members are lower, given that all have one score; *beyond*: lower or this."""
        cdef Side side = UP_TO_MEMBER if beyond else BELOW_MEMBER
        return below(self, Key(0, PyBytes_AS_STRING(member), PyBytes_GET_SIZE(member), side))

    def slice(self, Py_ssize_t start, Py_ssize_t stop):
        """The pairs of the ranks from *start*, which is not negative, up to *stop*, which is left out."""
        return ranked(self, max(start, 0), min(stop, count(self)))

    def pair(self, Py_ssize_t place):
        """Score and member at a place of the walk."""
        if not 0 <= place < count(self):
            raise IndexError(place)
        return pairs(self, place, place + 1)[0]

    def pairs(self):
        """All of them in the order in which walks meet them."""
        return pairs(self, 0, count(self))

    def page(self, cursor, most):
        """Up to *most* members with their scores, and the cursor of the next page, as those of a set."""
        cdef Py_ssize_t top = min(cursor or count(self), count(self))
        cdef Py_ssize_t end = max(top - most, 0)
        found = pairs(self, end, top)
        found.reverse()
        return end, found

    # ---- as a container
    def copy(self):
        """The same, to be changed apart."""
        cdef SortedSet made = SortedSet.__new__(SortedSet)
        if sorted_copy(&made.few, &self.few):
            raise MemoryError
        return made

    def pieces(self):
        cdef Remains rest
        if not self.few.large:
            return []
        rest = Remains.__new__(Remains)
        rest.crowd = large(self)
        self.few = Few(NULL, 0, 0, 0)
        return [rest]

    def dump(self):
        """The members in the order of walks, and their scores in the same."""
        return whole(self)

    @classmethod
    def load(cls, dumped):
        """The sorted set that was dumped."""
        members, scores = dumped
        cdef SortedSet made = SortedSet.__new__(SortedSet)
        fill(made, members, scores)
        if count(made) != len(members):
            raise ValueError("a member twice")
        return made

    @classmethod
    def loading(cls, dumped):
        members, scores = dumped
        cdef SortedSet made = SortedSet.__new__(SortedSet)
        for some, found in zip(parts(scores), parts(members), strict=True):
            for score, member in zip(some, found, strict=True):
                put(made, score, member)
            yield
        if count(made) != len(members):
            raise ValueError("a member twice")
        return made

    @property
    def outgrown(self):
        """Whether it is large: that it stays, also if what is left could be packed."""
        return self.few.large != 0

    @property
    def bytes(self):
        """What the members are accounted for."""
        return account(self)


cdef inline Crowd* large(SortedSet self) noexcept:
    return large_of(&self.few)


cdef inline Py_ssize_t count(SortedSet self) noexcept:
    return sorted_count(&self.few)


cdef inline int64_t account(SortedSet self) noexcept:
    return sorted_bytes(&self.few)


# ---- changes
cdef inline int check(double score, bytes member) except -1:
    if member is None:
        raise TypeError("members of sorted sets are bytes")
    if score != score:
        raise ValueError("a score must be a number")
    return 0


cdef inline int64_t put(SortedSet self, double score, bytes member) except? -1:
    cdef int64_t before = account(self)
    check(score, member)
    if sorted_put(&self.few, score, PyBytes_AS_STRING(member), PyBytes_GET_SIZE(member)):
        raise MemoryError
    return account(self) - before


cdef inline int64_t remove(SortedSet self, bytes member) except? -1:
    cdef int64_t before = account(self)
    check(0, member)
    if sorted_remove(&self.few, PyBytes_AS_STRING(member), PyBytes_GET_SIZE(member)):
        raise KeyError(member)
    return before - account(self)


cdef int refill(SortedSet self, list left) except -1:
    """Hold *left* alone, which are fewer and small."""
    cdef SortedSet made = SortedSet.__new__(SortedSet)
    for score, member in left:
        put(made, score, member)
    self.few, made.few = made.few, self.few
    return 0


cdef int fill(SortedSet self, list members, list scores) except -1:
    """Take in *members* with their *scores* where there are none: many are ranked together."""
    cdef Crowd* made
    cdef Py_ssize_t at, size = len(members)
    cdef double score
    cdef bytes member
    if size != len(scores):
        raise ValueError("not as many scores as members")
    if size <= FEW_MOST:
        for at in range(size):
            put(self, scores[at], members[at])
        return 0
    made = crowd_new(OF_SCORES)
    try:
        for at in range(size):
            score, member = scores[at], members[at]
            check(score, member)
            if made is NULL or scored_put(made, score + 0.0, PyBytes_AS_STRING(member), len(member), False) < 0:
                raise MemoryError
        if scored_rank(made):
            raise MemoryError
    except BaseException:
        crowd_free_some(&made, SIZE_MAX)
        raise
    sorted_adopt(&self.few, made)
    return 0


# ---- reads
cdef inline bint look_up(SortedSet self, bytes member, double* score) noexcept:
    return sorted_find(&self.few, PyBytes_AS_STRING(member), PyBytes_GET_SIZE(member), score)


cdef inline uint32_t below(SortedSet self, Key key) noexcept:
    return sorted_below(&self.few, &key)


cdef inline object pair_of(Item* item):
    return score_of(item)[0], PyBytes_FromStringAndSize(item.bytes, item.length)


cdef inline bytes few_bytes_at(SortedSet self, uint32_t at):
    return PyBytes_FromStringAndSize(few_member(&self.few, at), few_length(&self.few, at))


cdef inline object few_pair(SortedSet self, uint32_t at):
    return few_score(&self.few, at), few_bytes_at(self, at)


cdef list ranked(SortedSet self, Py_ssize_t start, Py_ssize_t stop):
    cdef list found = []
    cdef const Leaf* leaf
    cdef uint32_t at
    while start < stop:
        if not self.few.large:
            found.append(few_pair(self, few_order(&self.few)[start]))
            start += 1
            continue
        at = start
        leaf = leaf_with(&large(self).ranks, &at)
        while at < leaf.count and start < stop:
            found.append(pair_of(leaf.ranks[at].item))
            at += 1
            start += 1
    return found


cdef list pairs(SortedSet self, Py_ssize_t start, Py_ssize_t stop):
    """Those of the places from *start* up to *stop*."""
    cdef Py_ssize_t place
    cdef list found = []
    cdef uint32_t at
    if self.few.large:
        return [pair_of(item_at(large(self), place)) for place in range(start, stop)]
    at = few_at(&self.few, start)
    for place in range(start, stop):
        found.append(few_pair(self, at))
        at = few_after(&self.few, at)
    return found


cdef list whole(SortedSet self):
    """The members and, apart, their scores, in the order of places."""
    cdef Py_ssize_t place, size = count(self)
    cdef list members = PyList_New(size)
    cdef list scores = PyList_New(size)
    cdef uint32_t at = 0
    cdef Item* item
    cdef bytes member
    cdef object score
    for place in range(size):
        if self.few.large:
            item = item_at(large(self), place)
            member, score = PyBytes_FromStringAndSize(item.bytes, item.length), score_of(item)[0]
        else:
            member, score = few_bytes_at(self, at), few_score(&self.few, at)
            at = few_after(&self.few, at)
        Py_INCREF(member)
        PyList_SET_ITEM(members, place, member)
        Py_INCREF(score)
        PyList_SET_ITEM(scores, place, score)
    return [members, scores]


seed_hashing()
CONTAINERS[ZSET] = SortedSet
