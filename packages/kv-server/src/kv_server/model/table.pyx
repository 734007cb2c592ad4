# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The keys of one shard of one namespace in C memory, with the heap of their deadlines.

Cells hold an entry's address under sixteen bits of its key's seeded hash; whoever collides goes to the next free one.
When they are full, larger ones are made and filled step by step: meanwhile an entry is in one of the two. The heap knows
deadlines by the hash of their key; those that a later change made stale match no key, and are swept out once they are a
third of it.
"""

from typing import Final

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Calloc, PyMem_Free, PyMem_Realloc
from cpython.object cimport PyObject, PyTypeObject
from cpython.ref cimport Py_DECREF, Py_INCREF, Py_TYPE
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcmp, memcpy

from kv_server.model.account cimport Account
from kv_server.model.entry cimport PLAIN, LOOSE, Cached, Entry, Loose, blob_of, key_of, key_size, laid, rest_of

from kv_server.model.entry import DEADLINE_BYTES, ENTRY_BYTES

__all__ = ["Table"]

cdef enum:
    LEAST = 16  # cells of a table
    STEP = 32  # cells that are moved with each key that comes
    GONE = 1  # a cell whose entry went, while others may lie behind it
    STALE_FLOOR = 64  # a heap this small is not worth a sweep

cdef uint64_t ADDRESS = (<uint64_t>1 << 48) - 1
cdef int64_t _ENTRY = ENTRY_BYTES
cdef int64_t _DEADLINE = DEADLINE_BYTES

seed_hashing()


cdef inline Entry entry_in(uint64_t cell):
    return <Entry><PyObject*>(cell & ADDRESS)


cdef inline bint same(Entry entry, const char* key, size_t length) noexcept:
    return key_size(entry) == length and memcmp(key_of(entry), key, length) == 0


cdef uint64_t* find(Cells* cells, const char* key, size_t length, uint64_t code) noexcept:
    """The cell with the entry at *key*, or NULL."""
    cdef size_t mask = cells.mask, at = code & mask
    cdef uint64_t tag = code >> 48, cell
    while True:
        cell = cells.at[at]
        if cell == 0:
            return NULL
        if cell >> 48 == tag and cell != GONE and same(<Entry><PyObject*>(cell & ADDRESS), key, length):
            return cells.at + at
        at = (at + 1) & mask


cdef void fill(Cells* cells, uint64_t address, uint64_t code) noexcept:
    """Put the entry at *address* into the first free cell of its way."""
    cdef size_t mask = cells.mask, at = code & mask
    while cells.at[at] > GONE:
        at = (at + 1) & mask
    cells.filled += cells.at[at] == 0
    cells.at[at] = address | code >> 48 << 48


cdef void empty(Cells* cells, uint64_t* cell) noexcept:
    """Free *cell*: for good, with those before it that wait for that, if nothing can lie behind it."""
    cdef size_t mask = cells.mask, at = cell - cells.at
    cell[0] = GONE
    if cells.at[(at + 1) & mask] != 0:
        return
    while cells.at[at] == GONE:
        cells.at[at] = 0
        cells.filled -= 1
        at = (at - 1) & mask


cdef class Table:
    """Entries by key. *due_ms* is the deadline under which the store has scheduled this table, 0 for none.

    With a *cache* its entries may be evicted.
    """

    def __cinit__(self, Account home, cache=None):
        self.home = home
        self.cache = cache
        self.now.mask = LEAST - 1
        self.now.at = <uint64_t*>PyMem_Calloc(LEAST, sizeof(uint64_t))
        if self.now.at == NULL:
            raise MemoryError

    def __dealloc__(self):
        if self.now.at != NULL:
            self.wipe(&self.now)
        if self.old.at != NULL:
            self.wipe(&self.old)
        PyMem_Free(self.heap)

    cdef void wipe(self, Cells* cells) noexcept:
        cdef size_t at
        for at in range(cells.mask + 1):
            if cells.at[at] > GONE:
                Py_DECREF(entry_in(cells.at[at]))
        PyMem_Free(cells.at)
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
        cdef size_t size = self.now.mask + 1
        if self.old.at != NULL:
            self.move(STEP)
        if (self.now.filled + 1) * 4 > size * 3:
            self.remake(size * 2 if self.count * 2 > size else size)
        Py_INCREF(entry)
        fill(&self.now, <uint64_t><PyObject*>entry, code)
        self.count += 1
        return 0

    cdef int remake(self, size_t size) except -1:
        """Begin to move to *size* cells."""
        if self.old.at != NULL:
            self.move(self.old.mask + 1)
        cdef uint64_t* cells = <uint64_t*>PyMem_Calloc(size, sizeof(uint64_t))
        if cells == NULL:
            raise MemoryError
        self.old, self.moved = self.now, 0
        self.now.at, self.now.mask, self.now.filled = cells, size - 1, 0
        self.move(STEP)
        return 0

    cdef void move(self, size_t most) noexcept:
        """Move what lies in the next *most* of the old cells."""
        cdef size_t until = min(self.moved + most, self.old.mask + 1)
        cdef uint64_t cell
        while self.moved < until:
            cell = self.old.at[self.moved]
            if cell > GONE:
                entry = <PyObject*>(cell & ADDRESS)
                fill(&self.now, <uint64_t>entry, hashed(key_of(<Entry>entry), key_size(<Entry>entry)))
                self.old.at[self.moved] = GONE
            self.moved += 1
        if self.moved > self.old.mask:
            PyMem_Free(self.old.at)
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
        elif self.now.mask >= 4 * LEAST and self.count * 8 < self.now.mask:
            self.remake((self.now.mask + 1) // 4)
        return entry

    cdef int swap(self, Entry entry, Entry made, uint64_t code) except -1:
        """Let *made* be in the place of *entry*, which has the same key."""
        cdef uint64_t* cell = find(&self.now, key_of(entry), key_size(entry), code)
        if cell == NULL:
            cell = find(&self.old, key_of(entry), key_size(entry), code)
        cell[0] = <uint64_t><PyObject*>made | code >> 48 << 48
        Py_INCREF(made)
        Py_DECREF(entry)
        return 0

    cdef list all(self):
        cdef list found = []
        cdef size_t at
        for at in range(self.now.mask + 1):
            if self.now.at[at] > GONE:
                found.append(entry_in(self.now.at[at]))
        if self.old.at != NULL:
            for at in range(self.moved, self.old.mask + 1):
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
            self.move(self.old.mask + 1)
        if not self.count:
            raise KeyError("the table is empty")
        if self.rest == 0 or self.rest > self.now.mask + 1:
            self.rest = self.now.mask + 1
        while self.now.at[self.rest - 1] <= GONE:
            self.rest -= 1
            if self.rest == 0:
                self.rest = self.now.mask + 1
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
        cdef PyObject* held = NULL
        cdef bint loose = entry.marks & LOOSE
        if entry.marks & 7 == PLAIN:
            if not loose:
                return self.lay_blob(key, length, code, blob_of(entry), entry.size, entry.version, entry.expires_ms)
            blob = PyBytes_AS_STRING(<bytes>(<Loose>entry).held)
            return self.lay_blob(key, length, code, blob, entry.size, entry.version, entry.expires_ms)
        held = (<Loose>entry).held if loose else (<PyObject**>rest_of(entry))[0]
        cdef PyTypeObject* made_of = <PyTypeObject*>Entry if self.cache is None else <PyTypeObject*>Cached
        made = laid(made_of, key, length, entry.marks & 7, NULL, 0, held, entry.version, entry.expires_ms)
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
                octets, length, hashed(octets, length), PyBytes_AS_STRING(blob), PyBytes_GET_SIZE(blob), version, expires_ms
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

    cpdef Entry remove(self, bytes key):
        """Take *key*, which must be present, out."""
        cdef const char* octets = PyBytes_AS_STRING(key)
        cdef size_t length = PyBytes_GET_SIZE(key)
        entry = self.take(octets, length, hashed(octets, length))
        if entry is None:
            raise KeyError(key)
        self.home.keys -= 1
        self.grow(-<int64_t>length - _ENTRY - (<int64_t>entry.size if entry.marks & 7 == PLAIN else <int64_t>entry.bytes))
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
        cdef Deadline* heap
        if self.deadlines == self.room:
            room = self.room + self.room // 4 + 8
            heap = <Deadline*>PyMem_Realloc(self.heap, room * sizeof(Deadline))
            if heap == NULL:
                raise MemoryError
            self.heap, self.room = heap, room
        at = self.deadlines
        self.deadlines += 1
        while at:
            above = (at - 1) // 2
            if self.heap[above].at_ms <= at_ms:
                break
            self.heap[at] = self.heap[above]
            at = above
        self.heap[at].at_ms, self.heap[at].code = at_ms, code
        return 0

    cdef void sink(self, size_t at) noexcept:
        """Let the deadline at *at* go down to its place."""
        cdef Deadline moved = self.heap[at]
        cdef size_t below = 2 * at + 1
        while below < self.deadlines:
            if below + 1 < self.deadlines and self.heap[below + 1].at_ms < self.heap[below].at_ms:
                below += 1
            if moved.at_ms <= self.heap[below].at_ms:
                break
            self.heap[at] = self.heap[below]
            at, below = below, 2 * below + 1
        self.heap[at] = moved

    cdef Entry due(self, Deadline* deadline):
        """The entry that *deadline* is of, or None if it is stale."""
        cdef Cells* cells = &self.now
        cdef size_t at
        cdef uint64_t cell
        while cells.at != NULL:
            at = deadline.code & cells.mask
            while cells.at[at]:
                cell = cells.at[at]
                if cell >> 48 == deadline.code >> 48 and cell != GONE:
                    entry = entry_in(cell)
                    if (entry.expires_ms == deadline.at_ms
                            and hashed(key_of(entry), key_size(entry)) == deadline.code):
                        return entry
                at = (at + 1) & cells.mask
            if cells == &self.old:
                break
            cells = &self.old
        return None

    @property
    def first_due_ms(self):
        """The first deadline, be it stale or not; 0 if there is none."""
        return self.heap[0].at_ms if self.deadlines else 0

    @property
    def pending(self):
        """How many deadlines there are, stale ones among them."""
        return self.deadlines

    cdef int gather(self, size_t at, list found) except -1:
        """Add the keys whose deadline is the first one, from *at* on downwards: it is in the top of the heap."""
        if at < self.deadlines and self.heap[at].at_ms == self.heap[0].at_ms:
            entry = self.due(self.heap + at)
            if entry is not None:
                found.append(entry.key)
            self.gather(2 * at + 1, found)
            self.gather(2 * at + 2, found)
        return 0

    cdef bint shared(self) noexcept:
        """Whether the first deadline is there more than once."""
        cdef Deadline* heap = self.heap
        return (
            (self.deadlines > 1 and heap[1].at_ms == heap[0].at_ms)
            or (self.deadlines > 2 and heap[2].at_ms == heap[0].at_ms)
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
        cdef int64_t at_ms
        while self.deadlines and self.heap[0].at_ms <= now_ms:
            at_ms = self.heap[0].at_ms
            if not self.ready or self.ready_ms != at_ms:
                if not self.shared():
                    entry = self.due(self.heap)
                    if entry is not None:
                        return entry.key
                    self.drop_deadline()
                    continue
                self.ready, self.ready_ms = [], at_ms
                self.gather(0, self.ready)
                self.ready.sort(reverse=True)
            if self.ready:
                key = self.ready[len(self.ready) - 1]
                entry = <Entry>self.peek(key)
                if entry is not None and entry.expires_ms == at_ms:
                    return key
                self.ready.pop()
                self.drop_deadline()
            else:
                while self.deadlines and self.heap[0].at_ms == at_ms:
                    self.drop_deadline()
        return None

    cdef int sweep(self) except -1:
        """Rebuild the heap of deadlines when a third of it is stale."""
        if 2 * <int64_t>self.deadlines > 3 * self.expiring + 2 * STALE_FLOOR:
            self.sweep_all()
        return 0

    def sweep_all(self):
        """Make the heap of deadlines anew."""
        cdef size_t before = self.deadlines, at
        self.clear_deadlines()
        for entry in self.all():
            if (<Entry>entry).expires_ms:
                self.add_deadline(
                    (<Entry>entry).expires_ms, hashed(key_of(<Entry>entry), key_size(<Entry>entry))
                )
        self.grow((<int64_t>self.deadlines - <int64_t>before) * _DEADLINE)

    def clear_deadlines(self):
        """Forget all deadlines, without a word to the account."""
        PyMem_Free(self.heap)
        self.heap, self.deadlines, self.room, self.ready = NULL, 0, 0, None
