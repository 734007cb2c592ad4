# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The keys of one shard of one namespace in C memory, with the heap of their deadlines.

When the cells are full, others, a third more, are made and filled step by step: meanwhile an entry is in one of both.
The heap knows deadlines by bits of the hash that are in the cells; those that a later change made stale match no key,
and are swept out once they are half of it.
"""

from heapq import heapify, heappop

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.object cimport PyObject, PyTypeObject
from cpython.ref cimport Py_DECREF, Py_INCREF, Py_TYPE
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from kv_server.model.account cimport Account
from kv_server.model.cells cimport (
    ADDRESS, GONE, MOMENT, Cells, cell_of, deadline_of, empty, entry_in, fill, find, hashed, home, prefetch, seed_hashing
)
from kv_server.model.entry cimport (
    LOOSE, PLAIN, Cached, Entry, Loose, Packed, blob_of, container_of, key_of, key_size, kind_of, laid, laid_packed
)

from kv_server.model.entry import DEADLINE_BYTES, ENTRY_BYTES

__all__ = ["Table"]

cdef enum:
    LEAST = 16  # cells of a table
    STEP = 32  # cells that are moved with each key that comes
    STALE_FLOOR = 64  # a heap this small is not worth a sweep
    AHEAD = 8  # cells whose entries are on their way from memory

cdef extern from "pages.h" nogil:
    size_t array_room(size_t size) noexcept
    void* array_new(size_t size) noexcept
    void* array_grown(void* array, size_t before, size_t size) noexcept
    void array_free(void* array, size_t size) noexcept

cdef int64_t _ENTRY = ENTRY_BYTES
cdef int64_t _DEADLINE = DEADLINE_BYTES

seed_hashing()


cdef class Table:
    """Entries by key. *due_ms* is the deadline under which the store has scheduled this table, 0 for none.

    With a *cache* its entries may be evicted.
    """

    def __cinit__(self, Account home, cache=None):
        self.home = home
        self.cache = cache
        self.now.size = LEAST
        self.now.at = <uint64_t*>array_new(LEAST * sizeof(uint64_t))
        if self.now.at == NULL:
            raise MemoryError

    def __dealloc__(self):
        if self.now.at != NULL:
            self.wipe(&self.now)
        if self.old.at != NULL:
            self.wipe(&self.old)
        array_free(self.heap, self.room * sizeof(uint64_t))

    cdef void wipe(self, Cells* cells) noexcept:
        cdef size_t at
        for at in range(cells.size):
            if cells.at[at] > GONE:
                Py_DECREF(entry_in(cells.at[at]))
        array_free(cells.at, cells.size * sizeof(uint64_t))
        cells.at = NULL

    # ---- cells
    cdef Entry seek(self, const char* key, size_t length, uint64_t code):
        """The entry at *key*, whose hash is *code*, or None."""
        cdef uint64_t* cell = find(&self.now, key, length, code)
        if cell == NULL:
            if self.old.at == NULL:
                return None
            cell = find(&self.old, key, length, code)
            if cell == NULL:
                return None
        return entry_in(cell[0])

    cdef int enter(self, Entry entry, uint64_t code) except -1:
        """Add *entry*, whose key is absent."""
        cdef size_t size = self.now.size
        if self.old.at != NULL:
            self.move(STEP)
        if (self.now.filled + 1) * 6 > size * 5:
            self.remake(size + size // 3 if self.count * 3 > size * 2 else size)
        Py_INCREF(entry)
        fill(&self.now, cell_of(entry, code))
        self.count += 1
        return 0

    cdef int remake(self, size_t size) except -1:
        """Begin to move to *size* cells."""
        if self.old.at != NULL:
            self.move(self.old.size)
        size = array_room(size * sizeof(uint64_t)) // sizeof(uint64_t)
        cdef uint64_t* cells = <uint64_t*>array_new(size * sizeof(uint64_t))
        if cells == NULL:
            raise MemoryError
        self.old, self.moved = self.now, 0
        self.now.at, self.now.size, self.now.filled = cells, size, 0
        self.move(STEP)
        return 0

    cdef int reserve(self, size_t more, size_t count) except -1:
        """Have cells for *more* keys at once; if there are none, for *count* keys in all."""
        if (self.now.filled + more) * 6 > self.now.size * 5:
            self.remake(count * 6 // 5 + LEAST)
            if self.old.at != NULL:
                self.move(self.old.size)
        return 0

    cdef void move(self, size_t most) noexcept:
        """Move what lies in the next *most* of the old cells."""
        cdef size_t until = min(self.moved + most, self.old.size)
        while self.moved < until:
            if self.old.at[self.moved] > GONE:
                fill(&self.now, self.old.at[self.moved])
                self.old.at[self.moved] = GONE
            self.moved += 1
        if self.moved == self.old.size:
            array_free(self.old.at, self.old.size * sizeof(uint64_t))
            self.old.at = NULL

    cdef Entry take(self, const char* key, size_t length, uint64_t code):
        """Take the entry at *key* out, or None."""
        cdef Cells* cells = &self.now
        cdef uint64_t* cell = find(cells, key, length, code)
        if cell == NULL and self.old.at != NULL:
            cells = &self.old
            cell = find(cells, key, length, code)
        if cell == NULL:
            return None
        entry = entry_in(cell[0])
        Py_DECREF(entry)
        if cells == &self.old:
            cell[0] = GONE
        else:
            empty(cells, cell)
        self.count -= 1
        if self.old.at != NULL:
            self.move(STEP)
        elif self.now.size > 4 * LEAST and self.count * 8 < self.now.size:
            self.remake(self.now.size // 4)
        return entry

    cdef int swap(self, Entry entry, Entry made, uint64_t code) except -1:
        """Let *made* be in the place of *entry*, which has the same key."""
        cdef uint64_t* cell = find(&self.now, key_of(entry), key_size(entry), code)
        if cell == NULL:
            cell = find(&self.old, key_of(entry), key_size(entry), code)
        cell[0] = cell_of(made, code)
        Py_INCREF(made)
        Py_DECREF(entry)
        return 0

    cdef list all(self):
        cdef list found = []
        cdef size_t at
        for at in range(self.now.size):
            if self.now.at[at] > GONE:
                found.append(entry_in(self.now.at[at]))
        if self.old.at != NULL:
            for at in range(self.moved, self.old.size):
                if self.old.at[at] > GONE:
                    found.append(entry_in(self.old.at[at]))
        return found

    # ---- as a mapping
    def __len__(self):
        return self.count

    def __contains__(self, bytes key not None):
        return self.peek(key) is not None

    def __getitem__(self, bytes key not None):
        entry = self.peek(key)
        if entry is None:
            raise KeyError(key)
        return entry

    def __iter__(self):
        return iter([PyBytes_FromStringAndSize(key_of(entry), key_size(entry)) for entry in self.all()])

    def items(self):
        """Keys with their entries, as they are now."""
        return [(PyBytes_FromStringAndSize(key_of(entry), key_size(entry)), entry) for entry in self.all()]

    def peek(self, bytes key not None):
        """The entry at *key*, without a mark that it was used."""
        cdef const char* octets = PyBytes_AS_STRING(key)
        cdef size_t length = PyBytes_GET_SIZE(key)
        return self.seek(octets, length, hashed(octets, length))

    cpdef Entry get(self, bytes key):
        """The entry at *key*, or None."""
        cdef const char* octets = PyBytes_AS_STRING(key)
        cdef size_t length = PyBytes_GET_SIZE(key)
        return self.seek(octets, length, hashed(octets, length))

    def popitem(self):
        """Any key with its entry, taken out of a table that is used no more; accounts for nothing."""
        if self.old.at != NULL:
            self.move(self.old.size)
        if not self.count:
            raise KeyError("the table is empty")
        if self.rest == 0 or self.rest > self.now.size:
            self.rest = self.now.size
        while self.now.at[self.rest - 1] <= GONE:
            self.rest -= 1
            if self.rest == 0:
                self.rest = self.now.size
        entry = entry_in(self.now.at[self.rest - 1])
        Py_DECREF(entry)
        self.now.at[self.rest - 1] = GONE
        self.count -= 1
        return entry.key, entry

    # ---- accounts
    cpdef object grow(self, int64_t delta):
        """Account for *delta* bytes more: here, in the namespace and in the store."""
        cdef Account home = self.home, whole = home.whole
        self.bytes += delta
        home.bytes += delta
        whole.bytes += delta
        if home.bytes > home.most_bytes or whole.bytes > whole.most_bytes:
            whole.press(home)

    # ---- changes
    cpdef Entry put(self, bytes key, Entry entry):
        """Add *entry* under *key*, which must be absent; the entry as it lies here."""
        cdef const char* octets = PyBytes_AS_STRING(key)
        cdef size_t length = PyBytes_GET_SIZE(key)
        return self.lay(octets, length, hashed(octets, length), entry)

    cdef Entry lay(self, const char* key, size_t length, uint64_t code, Entry entry):
        cdef const char* blob = NULL
        cdef PyTypeObject* made_of
        cdef bint loose = entry.marks & LOOSE
        if entry.marks & 7 == PLAIN:
            if not loose:
                return self.lay_blob(key, length, code, blob_of(entry), entry.size, entry.version, entry.expires_ms)
            blob = PyBytes_AS_STRING(<bytes>(<Loose>entry).held)
            return self.lay_blob(key, length, code, blob, entry.size, entry.version, entry.expires_ms)
        container = <object>container_of(entry)
        cdef bint packed = isinstance(container, Packed)
        if packed and self.cache is None:
            made = laid_packed(container, key, length, entry.version, entry.expires_ms)
        else:
            if packed and not (<Packed>container).marks & LOOSE:
                container = container.copy()
            made_of = <PyTypeObject*>Entry if self.cache is None else <PyTypeObject*>Cached
            made = laid(made_of, key, length, entry.marks & 7, NULL, 0, <PyObject*>container, entry.version,
                        entry.expires_ms)
        self.enter(made, code)
        self.account(length + _ENTRY + made.bytes, made.expires_ms, code)
        return made

    cdef Entry lay_blob(self, const char* key, size_t length, uint64_t code, const char* blob, size_t size,
                        uint64_t version, int64_t expires_ms):
        """Add a scalar under *key*, which must be absent."""
        cdef PyTypeObject* made_of = <PyTypeObject*>Entry if self.cache is None else <PyTypeObject*>Cached
        made = laid(made_of, key, length, PLAIN, blob, size, NULL, version, expires_ms)
        self.enter(made, code)
        self.account(length + _ENTRY + size, expires_ms, code)
        return made

    cdef int account(self, int64_t grown, int64_t expires_ms, uint64_t code) except -1:
        """Account for a key that has come."""
        cdef Account home = self.home
        self.arrivals += 1
        if expires_ms:
            self.add_deadline(expires_ms, code)
            self.expiring += 1
            grown += _DEADLINE
        home.keys += 1
        self.grow(grown)
        if home.keys >= home.most_keys:
            home.whole.press(home)
        return 0

    def put_all(self, keys, blobs, versions, expiries):
        """Add many scalars at once."""
        cdef const char* octets
        cdef size_t length
        cdef bytes key, blob
        for key, blob, version, expires_ms in zip(keys, blobs, versions, expiries, strict=True):
            octets, length = PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key)
            self.lay_blob(
                octets, length, hashed(octets, length), PyBytes_AS_STRING(blob), PyBytes_GET_SIZE(blob), version,
                expires_ms,
            )

    cpdef Entry replace(self, bytes key, Entry entry, bytes value, uint64_t version):
        """Let the scalar *entry* at *key* hold *value*; the entry as it lies here then."""
        return self.renew(entry, PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value), version)

    cdef Entry renew(self, Entry entry, const char* blob, size_t size, uint64_t version):
        cdef Entry made
        if entry.size == size:
            memcpy(blob_of(entry), blob, size)
            entry.version = version
            return entry
        cdef const char* key = key_of(entry)
        cdef size_t length = key_size(entry)
        cdef int64_t grown = <int64_t>size - <int64_t>entry.size
        made = laid(Py_TYPE(entry), key, length, PLAIN, blob, size, NULL, version, entry.expires_ms)
        self.swap(entry, made, hashed(key, length))
        self.grow(grown)
        return made

    cpdef object content(self, Entry entry, uint32_t kind):
        """The value of *entry*, which lies here; None if it is of another *kind*."""
        if kind_of(entry) != kind:
            return None
        return entry.value if kind == PLAIN else <object>container_of(entry)

    cpdef Entry remove(self, bytes key):
        """Take *key*, which must be present, out."""
        cdef const char* octets = PyBytes_AS_STRING(key)
        cdef size_t length = PyBytes_GET_SIZE(key)
        cdef int64_t taken
        entry = self.take(octets, length, hashed(octets, length))
        if entry is None:
            raise KeyError(key)
        self.home.keys -= 1
        taken = <int64_t>entry.size if entry.marks & 7 == PLAIN else <int64_t>entry.bytes
        self.grow(-taken - <int64_t>length - _ENTRY)
        if entry.expires_ms:
            self.expiring -= 1
            self.sweep()
        return entry

    # ---- deadlines
    cpdef object set_expiry(self, bytes key, Entry entry, int64_t expires_ms):
        """Give the *entry* at *key* another deadline, 0 for none."""
        if entry.expires_ms:
            self.expiring -= 1
        entry.expires_ms = expires_ms
        if expires_ms:
            self.expiring += 1
            self.add_deadline(expires_ms, hashed(PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key)))
            self.grow(_DEADLINE)
        self.sweep()

    cdef int add_deadline(self, int64_t at_ms, uint64_t code) except -1:
        cdef size_t room, at, above
        cdef uint64_t deadline = deadline_of(at_ms, code)
        cdef uint64_t* heap
        if self.deadlines == self.room:
            room = array_room((self.room + self.room // 8 + 8) * sizeof(uint64_t)) // sizeof(uint64_t)
            heap = <uint64_t*>array_grown(self.heap, self.room * sizeof(uint64_t), room * sizeof(uint64_t))
            if heap == NULL:
                raise MemoryError
            self.heap, self.room = heap, room
        at = self.deadlines
        self.deadlines += 1
        while at:
            above = (at - 1) // 2
            if self.heap[above] <= deadline:
                break
            self.heap[at] = self.heap[above]
            at = above
        self.heap[at] = deadline
        return 0

    cdef void sink(self, size_t at) noexcept:
        """Let the deadline at *at* go down to its place."""
        cdef uint64_t moved = self.heap[at]
        cdef size_t below = 2 * at + 1
        while below < self.deadlines:
            if below + 1 < self.deadlines and self.heap[below + 1] < self.heap[below]:
                below += 1
            if moved <= self.heap[below]:
                break
            self.heap[at] = self.heap[below]
            at, below = below, 2 * below + 1
        self.heap[at] = moved

    cdef Entry due(self, uint64_t deadline, list found):
        """An entry that *deadline* may be of, or None if it is stale; all of them are *found*, if somebody asks."""
        cdef Cells* cells = &self.now
        cdef uint64_t code = deadline << 48, cell
        cdef size_t at
        cdef int64_t homes  # where its way may begin
        while cells.at != NULL:
            at = home(cells, code)
            homes = home(cells, code | 15) - at
            while cells.at[at] or homes > 0:
                cell = cells.at[at]
                homes -= 1
                if cell > GONE and cell >> 48 == code >> 48:
                    entry = entry_in(cell)
                    if entry.expires_ms and deadline_of(entry.expires_ms, code) == deadline:
                        if found is None:
                            return entry
                        found.append(entry.key)
                at += 1
                if at == cells.size:
                    at = 0
            if cells == &self.old:
                break
            cells = &self.old
        return None

    cpdef int64_t first_due(self) noexcept:
        """The first deadline, be it stale or not; 0 if there is none."""
        return self.heap[0] >> MOMENT if self.deadlines else 0

    @property
    def pending(self):
        """How many deadlines there are, stale ones among them."""
        return self.deadlines

    cdef int gather(self, size_t at, unsigned char* seen, list found) except -1:
        """Add the keys whose deadline is the first one, from *at* on downwards: it is in the top of the heap."""
        cdef uint64_t tag
        if at < self.deadlines and self.heap[at] >> MOMENT == self.heap[0] >> MOMENT:
            tag = self.heap[at] & 0xFFFF
            if not seen[tag >> 3] >> (tag & 7) & 1:
                seen[tag >> 3] |= 1 << (tag & 7)
                self.due(self.heap[at], found)
            self.gather(2 * at + 1, seen, found)
            self.gather(2 * at + 2, seen, found)
        return 0

    cdef bint shared(self) noexcept:
        """Whether the first deadline is there more than once."""
        cdef uint64_t* heap = self.heap
        return (
            (self.deadlines > 1 and heap[1] >> MOMENT == heap[0] >> MOMENT)
            or (self.deadlines > 2 and heap[2] >> MOMENT == heap[0] >> MOMENT)
        )

    cdef int drop_deadline(self) except -1:
        """Take the first deadline off the heap."""
        self.deadlines -= 1
        if self.deadlines:
            self.heap[0] = self.heap[self.deadlines]
            self.sink(0)
        self.grow(-_DEADLINE)
        return 0

    def due_key(self, int64_t now_ms):
        """A key whose deadline has passed, the first by name of those that share it; it stays due until it is taken
        out. None when there is none.
        """
        cdef unsigned char[8192] seen
        cdef int64_t at_ms
        while self.deadlines and <int64_t>(self.heap[0] >> MOMENT) <= now_ms:
            at_ms = self.heap[0] >> MOMENT
            if not self.ready or self.ready_ms != at_ms:
                if not self.shared():
                    entry = self.due(self.heap[0], None)
                    if entry is not None:
                        return entry.key
                    self.drop_deadline()
                    continue
                self.ready, self.ready_ms = [], at_ms
                memset(seen, 0, sizeof(seen))
                self.gather(0, seen, self.ready)
                heapify(self.ready)
            if self.ready:
                key = self.ready[0]
                entry = <Entry>self.peek(key)
                if entry is not None and entry.expires_ms == at_ms:
                    return key
                heappop(self.ready)
                self.drop_deadline()
            else:
                while self.deadlines and <int64_t>(self.heap[0] >> MOMENT) == at_ms:
                    self.drop_deadline()
        return None

    cdef int sweep(self) except -1:
        """Rebuild the heap of deadlines when half of it is stale."""
        if <int64_t>self.deadlines > 2 * self.expiring + STALE_FLOOR:
            self.sweep_all()
        return 0

    def sweep_all(self):
        """Make the heap of deadlines anew."""
        cdef size_t before = self.deadlines, at
        self.clear_deadlines()
        self.sweep_cells(&self.now)
        if self.old.at != NULL:
            self.sweep_cells(&self.old)
        self.grow((<int64_t>self.deadlines - <int64_t>before) * _DEADLINE)

    cdef int sweep_cells(self, Cells* cells) except -1:
        """Add the deadlines of what lies in *cells*."""
        cdef size_t at
        for at in range(cells.size):
            if at + AHEAD < cells.size:
                prefetch(<const void*>(cells.at[at + AHEAD] & ADDRESS))
            if cells.at[at] > GONE:
                entry = entry_in(cells.at[at])
                if entry.expires_ms:
                    self.add_deadline(entry.expires_ms, cells.at[at])
        return 0

    def clear_deadlines(self):
        """Forget all deadlines, without a word to the account."""
        array_free(self.heap, self.room * sizeof(uint64_t))
        self.heap, self.deadlines, self.room, self.ready = NULL, 0, 0, None
