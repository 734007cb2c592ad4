# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The commits of a group as they lie in a frame of the log: the native twin of the plain module."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy

from msgpack import Packer

from kv_server.engine.logged import unpack_rows
from kv_server.engine.rows import DELETED, KEY_DROP, KEY_PUT
from kv_server.model.octets cimport array_head, bin_head, int_blob, put_big

__all__ = ["Group"]

cdef extern from "Python.h":
    int64_t integer_of "PyLong_AsLongLongAndOverflow"(object, int* beyond) except? -1

cdef enum:
    KEPT = 1 << 20  # octets: a buffer that has grown beyond is let go
    HEAD = 9  # octets that a number or a head takes at most
    DEEPEST = 32
    MOST = 0xFFFFFFFF  # octets

cdef char PUT = KEY_PUT, DROP = KEY_DROP, CAUSE = DELETED


cdef inline size_t octets_at(char* out, const char* octets, size_t size) noexcept:
    """Write *octets* with their head; how much that is."""
    cdef size_t head = bin_head(out, size)
    memcpy(out + head, octets, size)
    return head + size


cdef class Group:
    """Commits that are to be written."""

    def __cinit__(self):
        self.pack = Packer(unicode_errors="surrogateescape", autoreset=True).pack

    def __dealloc__(self):
        PyMem_Free(self.out)
        PyMem_Free(self.stamps)

    def __len__(self):
        return self.count

    def __iter__(self):
        return unpack_rows(self.packed()) if self.count else iter(())

    cpdef append(self, row):
        """Add a commit."""
        cdef size_t before = self.size, count = self.count
        revision, now_ms, elapsed_ms, name, effects = row
        self.begin(revision, now_ms, elapsed_ms, name)
        try:
            self.write(effects, 0)
        except:
            self.size, self.count = before, count
            raise

    def clear(self):
        """Have none."""
        self.size = self.count = 0
        self.name = self.names = None
        if self.room > KEPT:
            PyMem_Free(self.out)
            self.out = NULL
            self.room = 0

    @property
    def last(self):
        """The revision of the last of them."""
        if not self.count:
            raise IndexError("there are none")
        return self.stamps[self.count - 1].revision

    def packed(self):
        """Their columns. Of the three in the middle, one whose values are all the same is that value."""
        cdef size_t at, count = self.count, size
        cdef bint now = True, elapsed = True
        cdef bytes names, made
        cdef char* head
        cdef char* end
        if not count:
            raise ValueError("there are none")
        names = self.pack(self.name if self.names is None else self.names[:<Py_ssize_t>count])
        for at in range(1, count):
            now = now and self.stamps[at].now_ms == self.stamps[0].now_ms
            elapsed = elapsed and self.stamps[at].elapsed_ms == self.stamps[0].elapsed_ms
        head = end = <char*>PyMem_Malloc(HEAD * (3 * count + 5))
        if head == NULL:
            raise MemoryError
        try:
            end += array_head(end, 5)
            end += array_head(end, count)
            for at in range(count):
                end += int_blob(end, self.stamps[at].revision)
            if not now:
                end += array_head(end, count)
            for at in range(1 if now else count):
                end += int_blob(end, self.stamps[at].now_ms)
            if not elapsed:
                end += array_head(end, count)
            for at in range(1 if elapsed else count):
                end += int_blob(end, self.stamps[at].elapsed_ms)
            size = end - head
            end += array_head(end, count)
            made = PyBytes_FromStringAndSize(NULL, (end - head) + PyBytes_GET_SIZE(names) + self.size)
            at = PyBytes_GET_SIZE(names)
            memcpy(PyBytes_AS_STRING(made), head, size)
            memcpy(PyBytes_AS_STRING(made) + size, PyBytes_AS_STRING(names), at)
            memcpy(PyBytes_AS_STRING(made) + size + at, head + size, end - head - size)
            memcpy(PyBytes_AS_STRING(made) + at + (end - head), self.out, self.size)
        finally:
            PyMem_Free(head)
        return made

    # ---- one commit
    cdef int begin(self, int64_t revision, int64_t now_ms, int64_t elapsed_ms, bytes name) except -1:
        """Add the stamp of a commit; its effects follow."""
        cdef size_t places
        cdef Stamp* stamps
        if self.count == self.places:
            places = 2 * self.places + 64
            stamps = <Stamp*>PyMem_Realloc(self.stamps, places * sizeof(Stamp))
            if stamps == NULL:
                raise MemoryError
            self.stamps, self.places = stamps, places
        if not self.count:
            self.name, self.names = name, None
        elif self.names is not None:
            del self.names[self.count:]  # that of a commit which failed
            self.names.append(name)
        elif name is not self.name and name != self.name:
            self.names = [self.name] * self.count
            self.names.append(name)
        self.stamps[self.count] = Stamp(revision, now_ms, elapsed_ms)
        self.count += 1
        return 0

    cdef char* need(self, size_t more) except NULL:
        """Where the next *more* octets can be written."""
        cdef size_t room
        cdef char* out
        if self.size + more > self.room:
            room = 2 * (self.size + more) + 4_096
            out = <char*>PyMem_Realloc(self.out, room)
            if out == NULL:
                raise MemoryError
            self.out, self.room = out, room
        return self.out + self.size

    cdef int write(self, thing, int depth) except -1:
        """Write *thing* as `Packer` does."""
        cdef int beyond = 0
        cdef int64_t number
        cdef double real
        cdef uint64_t bits
        cdef char* out
        cdef bytes octets
        kind = type(thing)
        if kind is bytes and PyBytes_GET_SIZE(thing) <= MOST:
            out = self.need(HEAD + PyBytes_GET_SIZE(thing))
            self.size += octets_at(out, PyBytes_AS_STRING(thing), PyBytes_GET_SIZE(thing))
            return 0
        if kind is int:
            number = integer_of(thing, &beyond)
            if not beyond:
                self.size += int_blob(self.need(HEAD), number)
                return 0
        elif thing is None or kind is bool:
            out = self.need(1)
            out[0] = <char>(0xC0 if thing is None else 0xC3 if thing else 0xC2)
            self.size += 1
            return 0
        elif (kind is tuple or kind is list) and depth < DEEPEST:
            self.size += array_head(self.need(HEAD), len(thing))
            for each in thing:
                self.write(each, depth + 1)
            return 0
        elif kind is float:
            real = thing
            memcpy(&bits, &real, 8)
            out = self.need(HEAD)
            out[0] = <char>0xCB
            self.size += 1 + put_big(out + 1, bits, 8)
            return 0
        octets = self.pack(thing)
        memcpy(self.need(PyBytes_GET_SIZE(octets)), PyBytes_AS_STRING(octets), PyBytes_GET_SIZE(octets))
        self.size += PyBytes_GET_SIZE(octets)
        return 0

    cdef int put(self, Stamp stamp, bytes name, const char* key, size_t size, const char* blob, size_t length,
                 int64_t expires_ms) except -1:
        """Add a commit whose one effect puts *blob* at *key*."""
        cdef char* out = self.need(4 * HEAD + size + length)
        self.begin(stamp.revision, stamp.now_ms, stamp.elapsed_ms, name)
        out += array_head(out, 1)
        out += array_head(out, 4)
        out[0] = PUT
        out += 1
        out += octets_at(out, key, size)
        out += octets_at(out, blob, length)
        out += int_blob(out, expires_ms)
        self.size = out - self.out
        return 0

    cdef int drop(self, Stamp stamp, bytes name, const char* key, size_t size) except -1:
        """Add a commit whose one effect takes away what is at *key*."""
        cdef char* out = self.need(4 * HEAD + size)
        self.begin(stamp.revision, stamp.now_ms, stamp.elapsed_ms, name)
        out += array_head(out, 1)
        out += array_head(out, 3)
        out[0] = DROP
        out += 1
        out += octets_at(out, key, size)
        out[0] = CAUSE
        self.size = out + 1 - self.out
        return 0
