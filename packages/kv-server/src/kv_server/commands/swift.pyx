# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""GET, SET, INCR and DEL in their commonest form, from bytes to bytes.

What is run swiftly passes the same gates, makes the same rows and counts as often as any call. Whatever is unusual about
a call, its key or who listens is left to the command itself: then a run ends before that call.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memchr, memcpy

from kv_server.commands.calls cimport DEL, GET, INCR, MOST_VALUE, NONE, SET, Call, read_frame, read_line
from kv_server.commands.octets cimport digits, int_blob, int_in, octets_of, put_big, spelled
from kv_server.engine.executor cimport Executor
from kv_server.engine.session cimport Session
from kv_server.engine.tx cimport Tx
from kv_server.model.entry cimport PLAIN, Entry, blob_of, kind_of
from kv_server.model.space cimport Namespace
from kv_server.model.table cimport Table, hashed, seed_hashing

from kv_protocol.errors import KvError
from kv_server.engine.gates import FRESH, repeated
from kv_server.engine.rows import DELETED, KEY_DROP, KEY_PUT

__all__ = ["Swift", "swift_of"]

cdef enum:
    MOST_OUTPUT = 1 << 20
    UNUSUAL = 0  # what became of a call: it was not run
    NIL = 1
    BLOB = 2
    NUMBER = 3
    DONE = 4

cdef double LEAST_S = 1e-3  # calls of which shorter ones are to be seen are run one by one

cdef uint16_t[256] crc_table


cdef void make_crc_table() noexcept:
    cdef uint32_t octet, code, bit
    for octet in range(256):
        code = octet << 8
        for bit in range(8):
            code = (code << 1) ^ 0x1021 if code & 0x8000 else code << 1
        crc_table[octet] = <uint16_t>code


make_crc_table()
seed_hashing()


cdef uint32_t slot_of(const char* key, size_t size) noexcept:
    """The slot of *key*, as Redis Cluster counts."""
    cdef uint16_t code = 0
    cdef const char* opened = <const char*>memchr(key, c"{", size)
    cdef const char* closed
    if opened != NULL:
        closed = <const char*>memchr(opened + 1, c"}", size - (opened + 1 - key))
        if closed != NULL and closed > opened + 1:
            size = closed - opened - 1
            key = opened + 1
    while size:
        code = (code << 8) ^ crc_table[(code >> 8) ^ <uint8_t>key[0]]
        key += 1
        size -= 1
    return code & 16383


cdef class Swift:
    """Runs the calls at the beginning of an input, as many as are of the commonest form."""

    def __cinit__(self, engine):
        self.engine = engine
        self.tx = engine.tx
        self.observation = engine.observation
        self.commands = [engine.catalog.spoken[word] for word in (b"GET", b"SET", b"INCR", b"DEL")]

    def __dealloc__(self):
        PyMem_Free(self.out)

    # ---- gates
    cdef bint ready(self, Session session) except -1:
        """Whether calls of *session* can run here at all; sees to which of them may."""
        cdef Tx tx = self.tx
        cdef Executor engine = self.engine
        self.calls = self.taken = self.size = 0
        if self.observation.least_s < LEAST_S or session.detour is not None:
            return False
        tx.start(session.namespace, session)
        if tx.space is None or tx.effects:
            return False
        self.writes = tx.before is None and not engine.sinks and not engine.watchers.live and not tx.notices
        self.see_gates(session)
        return True

    cdef bint fresh(self, Session session, Call* call) except -1:
        """Whether what the meta of *call* says lets it run."""
        if call.deadline >= 0 and self.engine.elapsed_ms > call.deadline:
            return False
        seq = call.seq if call.seq >= 0 else None
        if seq is None and call.seen <= session.seen:
            return True
        try:
            return repeated(session, seq, call.seen if call.seen >= 0 else None) is FRESH
        except KvError:  # said by the call itself
            return False

    cdef int see_gates(self, Session session) except -1:
        cdef int what
        self.opened, self.served = session.open, self.engine.open
        both = session.open & self.engine.open
        self.may = 0
        for what in range(4):
            if both >> self.commands[what].bit & 1 and (self.writes or what == GET):
                self.may |= 1 << what
        return 0

    # ---- calls
    cdef int run(self, Session session, Call* call, Answer* answer) except -1:
        """Run *call*, unless it is unusual; of which kind its answer is."""
        cdef Tx tx = self.tx
        cdef Namespace space = tx.space
        cdef uint32_t shard = slot_of(call.key, call.key_size) >> tx.store.shift
        cdef Table table = <Table>space.tables[shard]
        cdef uint64_t code = hashed(call.key, call.key_size)
        if table.cache is not None or space.cache is not None:
            return UNUSUAL
        cdef Entry entry = table.seek(call.key, call.key_size, code)
        if entry is not None and (kind_of(entry) != PLAIN or 0 < entry.expires_ms <= tx.now_ms):
            return UNUSUAL
        if call.what == GET:
            return self.get(entry, answer)
        if table is tx.store.empty and call.what != DEL:
            table = tx.store.table(space, shard)
        if call.what == SET:
            return self.set(session, table, entry, code, call, answer)
        if call.what == INCR:
            return self.incr(session, table, entry, code, call, answer)
        return self.drop(session, table, entry, call, answer)

    cdef int get(self, Entry entry, Answer* answer) except -1:
        if entry is None:
            self.engine.misses += 1
            return NIL
        answer.octets, answer.size = blob_of(entry), entry.size
        self.engine.hits += 1
        return BLOB

    cdef int set(self, Session session, Table table, Entry entry, uint64_t code, Call* call, Answer* answer) except -1:
        self.put(table, entry, code, call, call.value, call.value_size)
        if entry is not None and entry.expires_ms:
            key = PyBytes_FromStringAndSize(call.key, call.key_size)
            table.set_expiry(key, table.seek(call.key, call.key_size, code), 0)
        answer.number = self.tx.revision
        self.commit(session, KEY_PUT, call, call.value, call.value_size, 0, answer.number)
        return DONE

    cdef int incr(self, Session session, Table table, Entry entry, uint64_t code, Call* call, Answer* answer) except -1:
        cdef int64_t number = 0, expires_ms = 0
        cdef const char* text
        cdef size_t length, size
        cdef char* blob = self.scratch
        cdef bint texts = False
        if entry is not None:
            expires_ms = entry.expires_ms
            if not int_in(<uint8_t*>blob_of(entry), entry.size, &number):
                texts = octets_of(<uint8_t*>blob_of(entry), entry.size, &text, &length)
                if not texts or <uint8_t>blob_of(entry)[0] in (0xC4, 0xC5, 0xC6) or not spelled(text, length, &number):
                    return UNUSUAL
            if number == <int64_t>0x7FFFFFFFFFFFFFFF:
                return UNUSUAL
        number += 1
        if texts:
            size = digits(blob + 1, number)
            blob[0] = <char>(0xA0 | size)
            size += 1
        else:
            size = int_blob(blob, number)
        self.put(table, entry, code, call, blob, size)
        answer.number = number
        answer.octets, answer.size = blob + 32, int_blob(blob + 32, number)
        reply = PyBytes_FromStringAndSize(answer.octets, answer.size) if call.seq > 0 else None
        self.commit(session, KEY_PUT, call, blob, size, expires_ms, reply)
        return NUMBER

    cdef int put(self, Table table, Entry entry, uint64_t code, Call* call, const char* blob, size_t size) except -1:
        if entry is None:
            table.lay_blob(call.key, call.key_size, code, blob, size, self.tx.revision, 0)
        else:
            table.renew(entry, blob, size, self.tx.revision)
        return 0

    cdef int drop(self, Session session, Table table, Entry entry, Call* call, Answer* answer) except -1:
        cdef Tx tx = self.tx
        answer.number = entry is not None
        if entry is None:
            self.engine.misses += 1
            return NUMBER
        key = PyBytes_FromStringAndSize(call.key, call.key_size)
        table.remove(key)
        if tx.gone is not None:
            self.engine.history.kept.append(
                (tx.revision, tx.now_ms, tx.name, key, "deleted", "DEL", session.id, None, entry.version)
            )
        self.commit(session, KEY_DROP, call, NULL, 0, 0, answer.number)
        return NUMBER

    cdef int commit(self, Session session, opcode, Call* call, const char* blob, size_t size, int64_t expires_ms,
                    reply) except -1:
        """Make one commit of the one row that there is, and of the answer, if it is to be kept."""
        cdef Tx tx = self.tx
        if call.seq > 0:
            tx.answered(session.id, call.seq, reply)
        if self.engine.journal is not None:
            key = PyBytes_FromStringAndSize(call.key, call.key_size)
            row = (
                (KEY_DROP, key, DELETED) if blob == NULL
                else (KEY_PUT, key, PyBytes_FromStringAndSize(blob, size), expires_ms)
            )
            self.engine.journal.append((tx.revision, tx.now_ms, tx.elapsed_ms, tx.name, [row, *tx.effects]))
        if call.seq > 0:
            tx.effects.clear()
        tx.revision += 1
        return 0

    # ---- both doors
    cdef char* need(self, size_t more) except NULL:
        """Where the next *more* octets of output can be written."""
        cdef size_t room
        cdef char* out
        if self.size + more > self.room:
            room = 2 * (self.size + more) + 65_536
            out = <char*>PyMem_Realloc(self.out, room)
            if out == NULL:
                raise MemoryError
            self.out, self.room = out, room
        return self.out + self.size

    cpdef bytes text(self, Session session, bytes data, int protocol):
        """Run command lines, and return their replies in the *protocol* of RESP. `taken` says how far that went."""
        return self.go(session, data, protocol) if self.ready(session) else b""

    cpdef bytes native(self, Session session, bytes data):
        """The same for frames of kv's own protocol."""
        return self.go(session, data, 0) if self.ready(session) else b""

    cdef bytes go(self, Session session, bytes data, int protocol):
        cdef const char* at = PyBytes_AS_STRING(data)
        cdef const char* end = at + PyBytes_GET_SIZE(data)
        cdef const char* following
        cdef Call call
        cdef Answer answer
        cdef int what = NONE, kind
        cdef size_t since = 0
        cdef uint64_t revision = self.tx.revision
        timer = self.observation.timer
        cdef double began = timer(), now
        cdef const char* last = NULL
        cdef size_t last_size = 0
        while at < end and self.size < MOST_OUTPUT:
            following = read_line(at, end, &call, self.scratch) if protocol else read_frame(at, end, &call)
            if following == NULL:
                break
            if self.opened is not session.open or self.served is not self.engine.open:
                self.see_gates(session)
            if not self.may >> call.what & 1:
                break
            if call.what != what:
                if what != NONE and self.calls > since:
                    now = timer()
                    self.observation.ran(session, self.commands[what], self.calls - since, now - began, revision)
                    began = now
                what, since, revision = call.what, self.calls, self.tx.revision
            if not protocol and call.deadline + call.seq + call.seen != -3 and not self.fresh(session, &call):
                break
            kind = self.run(session, &call, &answer)
            if kind == UNUSUAL or not (self.say(kind, &answer, protocol) if protocol else self.tell(kind, &call, &answer)):
                break
            last, last_size = call.key, call.key_size
            self.calls += 1
            at = following
        self.taken = at - PyBytes_AS_STRING(data)
        if self.calls:
            self.engine.calls += self.calls
            self.tx.last_key = PyBytes_FromStringAndSize(last, last_size)
            self.tx.last_entry = None
            if self.calls > since:
                now = timer() - began
                self.observation.ran(session, self.commands[what], self.calls - since, now, revision)
                if now > self.observation.least_s:
                    self.observation.see(session, self.commands[what], [self.commands[what].name.encode(), self.tx.last_key], None, now)
        return PyBytes_FromStringAndSize(self.out, self.size)

    # ---- command lines
    cdef bint say(self, int kind, Answer* answer, int protocol) except -1:
        """Write a reply of RESP; False if the value has no octets."""
        cdef const char* octets
        cdef size_t size
        cdef int64_t number
        cdef char* out
        cdef char* began
        if kind == BLOB:
            if int_in(<uint8_t*>answer.octets, answer.size, &number):
                size = digits(self.scratch, number)
                octets = self.scratch
            elif not octets_of(<uint8_t*>answer.octets, answer.size, &octets, &size):
                self.engine.hits -= 1
                return False
            out = began = self.need(size + 32)
            out[0] = c"$"
            out += 1 + digits(out + 1, size)
            memcpy(out, b"\r\n", 2)
            memcpy(out + 2, octets, size)
            memcpy(out + 2 + size, b"\r\n", 2)
            self.size += out + 4 + size - began
            return True
        out = began = self.need(32)
        if kind == NUMBER:
            out[0] = c":"
            out += 1 + digits(out + 1, answer.number)
            memcpy(out, b"\r\n", 2)
            out += 2
        elif kind == DONE:
            memcpy(out, b"+OK\r\n", 5)
            out += 5
        elif protocol == 2:
            memcpy(out, b"$-1\r\n", 5)
            out += 5
        else:
            memcpy(out, b"_\r\n", 3)
            out += 3
        self.size += out - began
        return True

    # ---- frames
    cdef bint tell(self, int kind, Call* call, Answer* answer) except -1:
        """Write the frame of a reply."""
        cdef size_t body, size = answer.size
        cdef char* out
        if kind == BLOB or (kind == NUMBER and call.what == INCR):
            out = self.need(size + 32)
            body = 7 + (2 if size < 256 else 5) + size
            if size < 256:
                out[11] = <char>0xC4
                out[12] = <char>size
                memcpy(out + 13, answer.octets, size)
            else:
                out[11] = <char>0xC6
                put_big(out + 12, size, 4)
                memcpy(out + 16, answer.octets, size)
        else:
            out = self.need(32)
            body = 8
            if kind == NIL:
                out[11] = <char>0xC0
            elif answer.number < 128:
                out[11] = <char>answer.number
            else:
                out[11] = <char>0xCF
                body = 7 + 1 + put_big(out + 12, answer.number, 8)
        put_big(out, body, 4)
        out[4] = <char>0x93
        out[5] = <char>0xCE
        put_big(out + 6, call.id, 4)
        out[10] = 0
        self.size += 4 + body
        return True


def swift_of(engine):
    """What runs calls of *engine* swiftly, if it is one that this is made for."""
    return Swift(engine) if isinstance(engine, Executor) else None
