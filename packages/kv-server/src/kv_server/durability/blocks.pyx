# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Scalars between the memory of tables and the bytes of blocks. What is written otherwise than here, or wrong, goes
through `columns`.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Calloc, PyMem_Free, PyMem_Malloc
from cpython.object cimport PyObject, PyTypeObject
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdint cimport INT32_MAX, int64_t, uint32_t, uint64_t

from kv_server.model.entry cimport LENGTH, PLAIN, Entry, blob_of, key_of, key_size, kind_of, laid
from kv_server.model.cells cimport ADDRESS, Cells, hashed, seed_hashing
from kv_server.model.table cimport Table

from kv_server.durability.columns import put_columns
from kv_server.durability.columns import things as any_things
from kv_server.model.entry import DEADLINE_BYTES, ENTRY_BYTES

__all__ = ["SCALARS", "Walk", "put", "rows_in", "things"]

cdef extern from "blocks.h" nogil:
    ctypedef struct cursor:
        const unsigned char* at
        const unsigned char* end
    bint block_array(cursor* here, uint64_t* count) noexcept
    bint block_octets(cursor* here, const char** octets, size_t* length) noexcept
    bint block_whole(cursor* here, uint64_t* number) noexcept
    bint block_signed(cursor* here, int64_t* number) noexcept
    bint block_over(cursor* here) noexcept
    size_t block_array_size(size_t count) noexcept
    size_t block_octets_size(size_t length) noexcept
    size_t block_whole_size(uint64_t number) noexcept
    size_t block_signed_size(int64_t number) noexcept
    char* block_put_array(char* at, size_t count) noexcept
    char* block_put_octets(char* at, const char* octets, size_t length) noexcept
    char* block_put_whole(char* at, uint64_t number) noexcept
    char* block_put_signed(char* at, int64_t number) noexcept

cdef extern from *:
    void fetch "__builtin_prefetch"(const void* place) noexcept

SCALARS = SCALARS_KIND  # namespace, shard, then keys, values, versions and expiries in four rows

cdef enum:
    SCALARS_KIND = 1
    SCALARS_HEAD = 0x97  # an array of so many
    AHEAD = 8  # entries of which the memory is asked for in time
    IN_ONE = 4  # entries of a run, on average

cdef int64_t _ENTRY = ENTRY_BYTES
cdef int64_t _DEADLINE = DEADLINE_BYTES

seed_hashing()


cdef class Walk:
    """Goes through what *table* holds now, in slices, while it changes: in the order of the hashes, run by run."""

    cdef PyObject** entries
    cdef uint32_t* ends  # of each run, behind its last entry
    cdef size_t run, runs, at, count
    cdef int shift  # from a hash to its run

    def __cinit__(self, Table table not None):
        cdef size_t runs = 2
        self.shift = 63
        while self.shift > 48 and runs * IN_ONE < table.count:
            runs <<= 1
            self.shift -= 1
        self.runs = runs
        self.ends = <uint32_t*>PyMem_Calloc(runs + 1, sizeof(uint32_t))
        self.entries = <PyObject**>PyMem_Malloc(max(table.count, <size_t>1) * sizeof(PyObject*))
        if self.ends == NULL or self.entries == NULL or table.count > INT32_MAX:
            raise MemoryError
        self.tell_apart(&table.now, False)
        self.tell_apart(&table.old, False)
        cdef size_t at
        for at in range(runs):
            self.ends[at + 1] += self.ends[at]
        self.tell_apart(&table.now, True)
        self.tell_apart(&table.old, True)
        self.count = table.count

    cdef void tell_apart(self, Cells* cells, bint put) noexcept:
        """Count the entries of each run, or put them into their places."""
        cdef size_t at, run
        cdef uint64_t cell
        cdef PyObject* entry
        if cells.at == NULL:
            return
        for at in range(cells.size):
            cell = cells.at[at]
            if cell <= 1:
                continue
            entry = <PyObject*>(cell & ADDRESS)
            run = cell >> self.shift
            if put:
                Py_INCREF(<Entry>entry)
                self.entries[self.ends[run]] = entry
                self.ends[run] += 1
            else:
                self.ends[run + 1] += 1

    def __dealloc__(self):
        while self.at < self.count:
            Py_DECREF(<Entry>self.entries[self.at])
            self.at += 1
        PyMem_Free(self.entries)
        PyMem_Free(self.ends)

    @property
    def over(self):
        """The last slice was taken."""
        return self.at == self.count

    def passed(self, bytes key not None):
        """Whether *key* is behind, if it was there when this began."""
        return hashed(PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key)) >> self.shift < self.run

    def slice(self, size_t most, set left_out not None):
        """About *most* keys: how many were scalars, their four columns, and the others with their entries. What was
        changed, or added, since this began must be among *left_out*.
        """
        cdef size_t start = self.at, until = start, at, scalars = 0
        cdef list rest = []
        cdef Entry entry
        while until < self.count and until - start < most:
            until = self.ends[self.run]
            self.run += 1
        cdef PyObject** taken = <PyObject**>PyMem_Malloc(max(until - start, <size_t>1) * sizeof(PyObject*))
        if taken == NULL:
            raise MemoryError
        try:
            for at in range(start, until):
                if at + AHEAD < until:
                    fetch_entry(self.entries[at + AHEAD])
                entry = <Entry>self.entries[at]
                if left_out and entry.key in left_out:
                    continue
                if kind_of(entry) == PLAIN:
                    taken[scalars] = <PyObject*>entry
                    scalars += 1
                else:
                    rest.append((entry.key, entry))
            columns = columns_of(taken, scalars)
        finally:
            PyMem_Free(taken)
        while self.at < until:
            self.at += 1
            Py_DECREF(<Entry>self.entries[self.at - 1])
        return scalars, columns, rest


cdef inline void fetch_entry(PyObject* entry) noexcept:
    fetch(entry)
    fetch(<char*>entry + 64)
    fetch(<char*>entry + 128)


cdef bytes columns_of(PyObject** entries, size_t count):
    """The keys, blobs, versions and expiries of scalars, as four arrays."""
    cdef size_t at, size = block_array_size(count)
    cdef size_t sizes[4]
    cdef char* ends[4]
    cdef Entry entry
    sizes[:] = [size, size, size, size]
    for at in range(count):
        entry = <Entry>entries[at]
        sizes[0] += block_octets_size(key_size(entry))
        sizes[1] += block_octets_size(entry.size)
        sizes[2] += block_whole_size(entry.version)
        sizes[3] += block_signed_size(entry.expires_ms)
    made = PyBytes_FromStringAndSize(NULL, sizes[0] + sizes[1] + sizes[2] + sizes[3])
    ends[0] = PyBytes_AS_STRING(made)
    for at in range(3):
        ends[at + 1] = ends[at] + sizes[at]
    for at in range(4):
        ends[at] = block_put_array(ends[at], count)
    for at in range(count):
        entry = <Entry>entries[at]
        ends[0] = block_put_octets(ends[0], key_of(entry), key_size(entry))
        ends[1] = block_put_octets(ends[1], blob_of(entry), entry.size)
        ends[2] = block_put_whole(ends[2], entry.version)
        ends[3] = block_put_signed(ends[3], entry.expires_ms)
    return made


cdef class Packed:
    """Four columns that were looked through, and lie in *octets*."""

    cdef bytes octets
    cdef Py_ssize_t start, end
    cdef cursor keys, blobs, versions, expiries
    cdef size_t count

    def __len__(self):
        return self.count

    def lists(self):
        """The columns as Python has them."""
        return list(any_things(self.octets[self.start:self.end]))


cdef bint columns_at(cursor* here, Packed found) noexcept:
    """Look through four columns that fit each other, and go on behind them; whether they are so."""
    cdef const char* octets
    cdef size_t length
    cdef uint64_t count, others, at, number
    cdef int64_t expires_ms
    if not block_array(here, &count):
        return False
    found.count, found.keys = count, here[0]
    for at in range(count):
        if not block_octets(here, &octets, &length) or length > LENGTH:
            return False
    if not block_array(here, &others) or others != count:
        return False
    found.blobs = here[0]
    for at in range(count):
        if not block_octets(here, &octets, &length):
            return False
    if not block_array(here, &others) or others != count:
        return False
    found.versions = here[0]
    for at in range(count):
        if not block_whole(here, &number):
            return False
    if not block_array(here, &others) or others != count:
        return False
    found.expiries = here[0]
    for at in range(count):
        if not block_signed(here, &expires_ms):
            return False
    return True


cdef list scalars_at(bytes octets, Py_ssize_t at):
    """The scalars that *octets* tell of at *at*, as `things` has them; None if there is something else."""
    cdef const unsigned char* first = <const unsigned char*>PyBytes_AS_STRING(octets)
    cdef cursor here = cursor(first + at, first + PyBytes_GET_SIZE(octets))
    cdef const char* name
    cdef size_t length
    cdef uint64_t kind, shard
    if here.at[0] != SCALARS_HEAD:
        return None
    here.at += 1
    if (not block_whole(&here, &kind) or kind != SCALARS_KIND or not block_octets(&here, &name, &length)
            or not block_whole(&here, &shard)):
        return None
    cdef Packed found = Packed()
    found.octets, found.start = octets, here.at - first
    if not columns_at(&here, found):
        return None
    found.end = here.at - first
    return [SCALARS, PyBytes_FromStringAndSize(name, length), shard, found]


def things(bytes octets not None):
    """What *octets* say, piece by piece."""
    cdef const unsigned char* first = <const unsigned char*>PyBytes_AS_STRING(octets)
    cdef Py_ssize_t at = 0, size = PyBytes_GET_SIZE(octets)
    cdef cursor here
    while at < size:
        found = scalars_at(octets, at)
        if found is not None:
            at = (<Packed>found[3]).end
            yield found
            continue
        here = cursor(first + at, first + size)
        if not block_over(&here):
            yield from any_things(octets[at:])
            return
        yield from any_things(octets[at:here.at - first])
        at = here.at - first


def put(Table table not None, list columns not None, size_t expected=0):
    """Add the scalars of *columns* to *table*, which gets *expected* bytes of them, more or less; how many there were.
    Raises `ValueError` if they are none, or one of them was there.
    """
    if len(columns) != 1 or type(columns[0]) is not Packed:
        return put_columns(table, *columns)
    if type(table) is not Table:
        return put_columns(table, *columns[0].lists())
    cdef Packed found = columns[0]
    if not found.count:
        return 0
    make_room(table, found.count, expected // ((found.end - found.start) // found.count) // 16 * 17)
    return put_packed(table, found)


cdef int make_room(Table table, size_t more, size_t expected) except -1:
    """Have cells for *more* keys; at once for all that are *expected*, but not for many times those that are known."""
    cdef size_t needed = table.count + more
    return table.reserve(more, max(needed, min(expected, needed * 4)))


cdef size_t put_packed(Table table, Packed found) except? 0:
    cdef cursor keys = found.keys, blobs = found.blobs, versions = found.versions, expiries = found.expiries
    cdef const char* key = NULL
    cdef const char* blob = NULL
    cdef size_t length = 0, size = 0, at
    cdef uint64_t version = 0, code
    cdef int64_t expires_ms = 0, grown = 0
    for at in range(found.count):
        block_octets(&keys, &key, &length)
        block_octets(&blobs, &blob, &size)
        block_whole(&versions, &version)
        block_signed(&expiries, &expires_ms)
        code = hashed(key, length)
        if table.seek(key, length, code) is not None:
            raise ValueError("a key that was there")
        table.enter(laid(<PyTypeObject*>Entry, key, length, PLAIN, blob, size, NULL, version, expires_ms), code)
        grown += length + size + _ENTRY
        if expires_ms:
            table.add_deadline(expires_ms, code)
            table.expiring += 1
            grown += _DEADLINE
    table.arrivals += found.count
    table.home.keys += found.count
    table.grow(grown)
    if table.home.keys >= table.home.most_keys:
        table.home.whole.press(table.home)
    return found.count


def rows_in(list columns not None):
    """The scalars of *columns*, one by one."""
    if len(columns) == 1 and type(columns[0]) is Packed:
        columns = columns[0].lists()
    return zip(*columns, strict=True)
