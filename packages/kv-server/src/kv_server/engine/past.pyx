# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Runs of calls, and changes: the native twin of the plain module. They lie in a ring, which grows up to its most."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from cpython.ref cimport Py_INCREF, Py_XDECREF, Py_XINCREF
from libc.stdint cimport INT64_MIN as NOBODY  # no session has that number
from libc.string cimport memcmp

from kv_server.model.cells cimport prefetch

__all__ = ["Changes", "Runs"]

cdef enum:
    FEW = 64  # places at first
    KEY = 1  # among the things of a change
    WHAT = 2
    OTHER = 4


cdef inline Py_ssize_t length(Past past) noexcept:
    return past.end if past.end < past.most else past.most


cdef inline Py_ssize_t place_of(Past past, Py_ssize_t number) noexcept:
    """Where the one with that *number*, which is kept, lies in the ring."""
    cdef Py_ssize_t place = past.next - (past.end - number)
    return place if place >= 0 else place + past.most


cdef Py_ssize_t seat(Past past, Py_ssize_t place) except -1:
    """Where the one lies that is so many after the oldest, or from the end."""
    if place < 0:
        place += length(past)
    if not 0 <= place < length(past):
        raise IndexError("so many are not kept")
    return place_of(past, past.end - length(past) + place)


cdef inline int let_in(Past past, size_t width) except -1:
    """See that there is a next place."""
    cdef Py_ssize_t room
    cdef char* ring
    if past.next == past.room:
        room = min(max(2 * past.room, FEW), past.most)
        ring = <char*>PyMem_Realloc(past.ring, room * width)
        if ring == NULL:
            raise MemoryError
        past.ring, past.room = ring, room
    return 0


cdef inline bint go_on(Past past) noexcept:
    """The next place has been filled; whether one was forgotten for that."""
    past.end += 1
    past.next += 1
    if past.next == past.most:
        past.next = 0
    return past.end > past.most


cdef inline PyObject* owned(object thing) noexcept:
    Py_INCREF(thing)
    return <PyObject*>thing


cdef inline void forget(Change* change) noexcept:
    cdef int each
    for each in range(5):
        Py_XDECREF(change.things[each])


cdef class Past:
    """The newest *most*."""

    def __cinit__(self, Py_ssize_t most=0):
        self.most = max(most, 0)

    def __len__(self):
        return length(self)


cdef class Runs(Past):
    """Calls of one command that had revisions one after the other."""

    def __dealloc__(self):
        cdef Py_ssize_t place
        for place in range(length(self)):
            Py_XDECREF((<Run*>self.ring)[place].command)
        PyMem_Free(self.ring)

    def __getitem__(self, Py_ssize_t place):
        """The one at *place*: the oldest is at 0."""
        cdef Run* run = <Run*>self.ring + seat(self, place)
        return run.first, run.end, run.now_ms, run.session, <object>run.command

    def last(self, Py_ssize_t most):
        """Another that keeps so many, with the newest of these."""
        cdef Runs made = Runs(most)
        cdef Py_ssize_t number
        cdef Run* run
        for number in range(self.end - min(most, length(self)), self.end):
            run = <Run*>self.ring + place_of(self, number)
            made.add(run.first, run.end, run.now_ms, run.session, <str>run.command)
        return made

    cpdef add(self, int64_t first, int64_t end, int64_t now_ms, int64_t session, str command):
        """Remember the calls of *command* from revision *first* up to *end*."""
        cdef Run before
        cdef Run* run
        if self.most == 0:
            return
        let_in(self, sizeof(Run))
        run = <Run*>self.ring + self.next
        before = run[0]
        run[0] = Run(first, end, now_ms, session, owned(command))
        prefetch(run + 2)
        if go_on(self):
            Py_XDECREF(before.command)


cdef class Changes(Past):
    """What happened to keys."""

    def __dealloc__(self):
        cdef Py_ssize_t place
        for place in range(length(self)):
            forget(<Change*>self.ring + place)
        PyMem_Free(self.ring)

    def __getitem__(self, Py_ssize_t place):
        """The one at *place*: the oldest is at 0."""
        return told(<Change*>self.ring + seat(self, place))

    def last(self, Py_ssize_t most):
        """Another that keeps so many, with the newest of these."""
        cdef Changes made = Changes(most)
        cdef Py_ssize_t number
        cdef Change* change
        cdef int each
        for number in range(self.end - min(most, length(self)), self.end):
            let_in(made, sizeof(Change))
            change = <Change*>made.ring + made.next
            change[0] = (<Change*>self.ring)[place_of(self, number)]
            for each in range(5):
                Py_XINCREF(change.things[each])
            go_on(made)
        return made

    cpdef add(
        self, int64_t revision, int64_t now_ms, bytes namespace, bytes key, str what, str command, session, tuple other,
        int64_t version,
    ):
        """Remember one change."""
        cdef int64_t caller = NOBODY if session is None else session
        cdef Change before
        cdef Change* change
        if self.most == 0:
            return
        let_in(self, sizeof(Change))
        change = <Change*>self.ring + self.next
        before = change[0]
        change.revision, change.now_ms, change.session, change.version = revision, now_ms, caller, version
        change.things[0], change.things[1], change.things[2] = owned(namespace), owned(key), owned(what)
        change.things[3], change.things[4] = owned(command), owned(other)
        if go_on(self):
            forget(&before)

    def rename(self, Py_ssize_t count, str what, tuple other):
        """The last *count* happened because of *other*."""
        cdef Py_ssize_t number
        cdef PyObject** things
        cdef PyObject* before
        cdef PyObject* with_it
        for number in range(self.end - min(count, length(self)), self.end):
            things = (<Change*>self.ring)[place_of(self, number)].things
            before, with_it = things[WHAT], things[OTHER]
            things[WHAT], things[OTHER] = owned(what), owned(other)
            Py_XDECREF(before)
            Py_XDECREF(with_it)

    def about(self, bytes key not None, Py_ssize_t end, Py_ssize_t count):
        """Of the *count* before number *end*, those still kept that concern *key*, or all keys, the latest first."""
        cdef list found = []
        cdef Py_ssize_t number
        cdef Change* change
        for number in range(min(end, self.end) - 1, max(end - count, self.end - length(self)) - 1, -1):
            change = <Change*>self.ring + place_of(self, number)
            if concerns(change, key):
                found.append(told(change))
        return found


cdef bint concerns(Change* change, bytes key) noexcept:
    cdef PyObject* own = change.things[KEY]
    if own == <PyObject*>None or own == <PyObject*>key:
        return True
    cdef Py_ssize_t size = PyBytes_GET_SIZE(<object>own)
    return size == PyBytes_GET_SIZE(key) and memcmp(PyBytes_AS_STRING(<object>own), PyBytes_AS_STRING(key), size) == 0


cdef tuple told(Change* change):
    cdef PyObject** things = change.things
    return (
        change.revision, change.now_ms, <object>things[0], <object>things[1], <object>things[2], <object>things[3],
        None if change.session == NOBODY else change.session, <object>things[4], change.version,
    )
