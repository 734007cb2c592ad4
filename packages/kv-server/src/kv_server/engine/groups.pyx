# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The commits of a group as they lie in a frame of the log: the native twin of the plain module."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy

from msgpack import Packer

from kv_server.engine.logged import unpack_rows
from kv_server.engine.rows import DELETED, KEY_DROP, KEY_PUT
from kv_server.model.growing cimport let_go, need
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
        let_go(&self.out)
        PyMem_Free(self.stamps)

    def __len__(self):
        return self.count

    def __iter__(self):
        return unpack_rows(self.packed()) if self.count else iter(())

    cpdef append(self, row):
        """Add a commit."""
        cdef size_t before = self.out.size, count = self.count
        revision, now_ms, elapsed_ms, name, effects = row
        self.begin(revision, now_ms, elapsed_ms, name)
        try:
            self.write(effects, 0)
        except:
            self.out.size, self.count = before, count
            raise

    def clear(self):
        """Have none."""
        self.out.size = self.count = 0
        self.name = self.names = None
        if self.out.room > KEPT:
            let_go(&self.out)

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
            made = PyBytes_FromStringAndSize(NULL, (end - head) + PyBytes_GET_SIZE(names) + self.out.size)
            at = PyBytes_GET_SIZE(names)
            memcpy(PyBytes_AS_STRING(made), head, size)
            memcpy(PyBytes_AS_STRING(made) + size, PyBytes_AS_STRING(names), at)
            memcpy(PyBytes_AS_STRING(made) + size + at, head + size, end - head - size)
            memcpy(PyBytes_AS_STRING(made) + at + (end - head), self.out.octets, self.out.size)
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
            out = need(&self.out, HEAD + PyBytes_GET_SIZE(thing))
            self.out.size += octets_at(out, PyBytes_AS_STRING(thing), PyBytes_GET_SIZE(thing))
            return 0
        if kind is int:
            number = integer_of(thing, &beyond)
            if not beyond:
                self.out.size += int_blob(need(&self.out, HEAD), number)
                return 0
        elif thing is None or kind is bool:
            out = need(&self.out, 1)
            out[0] = <char>(0xC0 if thing is None else 0xC3 if thing else 0xC2)
            self.out.size += 1
            return 0
        elif (kind is tuple or kind is list) and depth < DEEPEST:
            self.out.size += array_head(need(&self.out, HEAD), len(thing))
            for each in thing:
                self.write(each, depth + 1)
            return 0
        elif kind is float:
            real = thing
            memcpy(&bits, &real, 8)
            out = need(&self.out, HEAD)
            out[0] = <char>0xCB
            self.out.size += 1 + put_big(out + 1, bits, 8)
            return 0
        octets = self.pack(thing)
        memcpy(need(&self.out, PyBytes_GET_SIZE(octets)), PyBytes_AS_STRING(octets), PyBytes_GET_SIZE(octets))
        self.out.size += PyBytes_GET_SIZE(octets)
        return 0

    cdef char* about(self, Stamp stamp, bytes name, char opcode, int parts, const char* key, size_t size,
                     size_t more) except NULL:
        """Begin a commit of one effect, about *key*; where the *more* octets go that end it."""
        cdef char* out = need(&self.out, 3 * HEAD + size + more)
        self.begin(stamp.revision, stamp.now_ms, stamp.elapsed_ms, name)
        out += array_head(out, 1)
        out += array_head(out, parts)
        out[0] = opcode
        return out + 1 + octets_at(out + 1, key, size)

    cdef int put(self, Stamp stamp, bytes name, const char* key, size_t size, const char* blob, size_t length,
                 int64_t expires_ms) except -1:
        """Add a commit whose one effect puts *blob* at *key*."""
        cdef char* out = self.about(stamp, name, PUT, 4, key, size, 2 * HEAD + length)
        out += octets_at(out, blob, length)
        out += int_blob(out, expires_ms)
        self.out.size = out - self.out.octets
        return 0

    cdef int drop(self, Stamp stamp, bytes name, const char* key, size_t size) except -1:
        """Add a commit whose one effect takes away what is at *key*."""
        cdef char* out = self.about(stamp, name, DROP, 3, key, size, 1)
        out[0] = CAUSE
        self.out.size = out + 1 - self.out.octets
        return 0
