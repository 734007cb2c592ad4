# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""GET, SET, INCR and DEL in their commonest form, from bytes to bytes.

What is run swiftly passes the same gates, makes the same rows and counts as often as any call. Whatever is unusual about
a call, its key or who listens is left to the command itself: then a run ends before that call.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_Next
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from kv_server.commands.answers cimport BLOB, COUNT, DONE, NIL, NUMBER, ROOM, UNUSUAL, Answer, put_frame, put_line
from kv_server.commands.calls cimport DEL, GET, INCR, MOST_VALUE, NONE, SET, Call, read_frame, read_line
from kv_server.model.octets cimport digits, int_blob, int_in, octets_of, spelled, str_head
from kv_server.engine.executor cimport Executor
from kv_server.engine.groups cimport Group, Stamp
from kv_server.engine.session cimport Session
from kv_server.engine.tallies cimport Figures, add_up
from kv_server.engine.ticks cimport Ticks
from kv_server.engine.tx cimport Tx
from kv_server.model.ahead cimport WINDOW, Sought, fetch, sought
from kv_server.model.cells cimport seed_hashing
from kv_server.model.entry cimport PLAIN, Entry, blob_of, kind_of
from kv_server.model.growing cimport let_go, need
from kv_server.model.space cimport Namespace
from kv_server.model.table cimport Table

from kv_protocol import limits
from kv_server.engine.observation import MOST_NOTED as OBSERVED
from kv_server.engine.rows import ANSWERED, DELETED, KEY_DROP, KEY_PUT

__all__ = ["Swift", "swift_of"]

cdef enum:
    SMALL = 9  # what an answer counts that is a number, and its head if it is bytes
    BYTES = 5
    MOST_OUTPUT = 1 << 20

cdef long long MOST_NOTED = OBSERVED
cdef Py_ssize_t MAX_ANSWERS = limits.MAX_ANSWERS
cdef long long MAX_ANSWER_BYTES = limits.MAX_ANSWER_BYTES
cdef double LEAST_S = 1e-3  # calls of which shorter ones are to be seen are run one by one

seed_hashing()


cdef class Swift:
    """Runs the calls at the beginning of an input, as many as are of the commonest form."""

    def __cinit__(self, engine):
        self.engine = engine
        self.tx = engine.tx
        self.observation = engine.observation
        self.watchers = engine.watchers
        self.commands = [engine.catalog.spoken[word] for word in (b"GET", b"SET", b"INCR", b"DEL")]
        self.figures = [engine.observation.counted.figures[command.bit] for command in self.commands]

    def __dealloc__(self):
        let_go(&self.out)

    # ---- gates
    cdef bint ready(self, Session session) except -1:
        """Whether calls of *session* can run here at all; sees to which of them may."""
        cdef Tx tx = self.tx
        cdef bint writes
        self.calls = self.taken = self.out.size = 0
        self.writer = NONE
        if self.observation.least_s < LEAST_S or session.detour is not None:
            return False
        tx.start(session.namespace, session)
        if tx.space is None or tx.effects:
            return False
        writes = tx.before is None and not self.engine.sinks and not self.watchers.live and not tx.notices
        if self.opened is not session.open or self.served is not self.engine.open or writes != self.writes:
            self.writes = writes
            self.see_gates(session)
        return True

    cdef bint fresh(self, Session session, Call* call) except -1:
        """Whether what the meta of *call* says lets it run; if not, the call itself says why."""
        if call.deadline >= 0 and self.engine.elapsed_ms > call.deadline:
            return False
        if call.seen > session.seen:
            self.forget(session, call.seen)
        return call.seq < 0 or (
            call.seq > 0
            and call.seq >= session.seen
            and call.seq not in session.answers
            and len(session.answers) < MAX_ANSWERS
            and session.answer_bytes < MAX_ANSWER_BYTES
        )

    cdef int forget(self, Session session, int64_t seen) except -1:
        """What `Session.forget` does."""
        cdef dict answers = session.answers
        cdef list gone = []
        cdef PyObject* seq
        cdef PyObject* kept
        cdef Py_ssize_t place = 0
        limit = seen
        while PyDict_Next(answers, &place, &seq, &kept) and <object>seq < limit:
            gone.append(<object>seq)
            session.answer_bytes -= (<tuple><object>kept)[1]
        for number in gone:
            del answers[number]
        session.seen = seen
        return 0

    cdef int see_gates(self, Session session) except -1:
        cdef int what
        self.opened, self.served = session.open, self.engine.open
        both = session.open & self.engine.open
        self.may = 0
        for what in range(4):
            if both >> self.commands[what].bit & 1 and (self.writes or what == GET):
                self.may |= 1 << what
        return 0

    # ---- what is seen of calls
    cdef int ran(self, int what, size_t calls, double spent_s) except -1:
        """Count and time calls, as `Observation.ran` does, without objects."""
        add_up(<Figures>self.figures[what], calls, spent_s)
        self.observation.runs += 1
        return 0

    cdef int wrote(self, Session session, int what, long long revision) except -1:
        """From *revision* on, *what* makes the revisions; tell of those before. Reads in between are no matter."""
        if self.writer != what:
            if self.writer != NONE and self.written != revision:
                name = self.commands[self.writer].name
                self.engine.history.runs.add(self.written, revision, self.tx.now_ms, session.id, name)
            self.writer, self.written = what, revision
        return 0

    # ---- calls
    cdef size_t read(self, const char* at, const char* end, int protocol) except? 0:
        """Read the next calls, and have what they will look at on its way from memory; how many there are."""
        cdef int shift = self.tx.store.shift
        cdef size_t count = 0
        cdef Read* read
        while count < WINDOW and at < end:
            read = &self.ahead[count]
            at = read_line(at, end, &read.call) if protocol else read_frame(at, end, &read.call)
            if at == NULL:
                break
            read.following = at
            self.sought[count] = sought(read.call.key, read.call.key_size, shift)
            count += 1
        if count > 1:
            fetch(self.tx.space.tables, self.sought, count)
        return count

    cdef int run(self, Session session, Call* call, Sought* sought, Answer* answer) except -1:
        """Run *call*, unless it is unusual; of which kind its answer is."""
        cdef uint64_t code = sought.code
        cdef Tx tx = self.tx
        cdef Namespace space = tx.space
        cdef Table table = <Table>space.tables[sought.shard]
        if table.cache is not None or space.cache is not None:
            return UNUSUAL
        cdef Entry entry = table.seek(call.key, call.key_size, code)
        if entry is not None and (kind_of(entry) != PLAIN or 0 < entry.expires_ms <= tx.now_ms):
            return UNUSUAL
        if call.what == GET:
            return self.get(entry, answer)
        if table is tx.store.empty and call.what != DEL:
            table = tx.store.table(space, sought.shard)
        if call.what == SET:
            return self.set(table, entry, code, call, answer)
        if call.what == INCR:
            return self.incr(table, entry, code, call, answer)
        return self.drop(session, table, entry, call, answer)

    cdef int get(self, Entry entry, Answer* answer) except -1:
        if entry is None:
            self.engine.misses += 1
            return NIL
        answer.octets, answer.size = blob_of(entry), entry.size
        self.engine.hits += 1
        return BLOB

    cdef int set(self, Table table, Entry entry, uint64_t code, Call* call, Answer* answer) except -1:
        cdef const char* blob = call.value
        cdef size_t size = call.value_size
        if call.bare:
            size = str_head(self.scratch, call.value_size)
            memcpy(self.scratch + size, call.value, call.value_size)
            blob, size = self.scratch, size + call.value_size
        self.put(table, entry, code, call, blob, size)
        if entry is not None and entry.expires_ms:
            key = PyBytes_FromStringAndSize(call.key, call.key_size)
            table.set_expiry(key, table.seek(call.key, call.key_size, code), 0)
        answer.number = self.tx.revision
        self.commit(call, blob, size, 0, answer)
        return DONE

    cdef int incr(self, Table table, Entry entry, uint64_t code, Call* call, Answer* answer) except -1:
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
        self.commit(call, blob, size, expires_ms, answer)
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
            return COUNT
        key = PyBytes_FromStringAndSize(call.key, call.key_size)
        table.remove(key)
        if tx.gone is not None:
            self.engine.history.kept.add(
                tx.revision, tx.now_ms, tx.name, key, "deleted", "DEL", session.id, None, entry.version
            )
        self.commit(call, NULL, 0, 0, answer)
        return COUNT

    cdef int commit(self, Call* call, const char* blob, size_t size, int64_t expires_ms, Answer* answer) except -1:
        """Make one commit of the one row that there is, and of the answer, if it is to be kept."""
        cdef Tx tx = self.tx
        cdef list rows
        cdef Stamp stamp
        kept = self.keep(call, answer) if call.seq > 0 else None
        journal = self.engine.journal
        if kept is None and type(journal) is Group:
            stamp = Stamp(tx.revision, tx.now_ms, tx.elapsed_ms)
            if blob == NULL:
                (<Group>journal).drop(stamp, tx.name, call.key, call.key_size)
            else:
                (<Group>journal).put(stamp, tx.name, call.key, call.key_size, blob, size, expires_ms)
        elif journal is not None:
            key = PyBytes_FromStringAndSize(call.key, call.key_size)
            rows = [
                (KEY_DROP, key, DELETED) if blob == NULL
                else (KEY_PUT, key, PyBytes_FromStringAndSize(blob, size), expires_ms)
            ]
            if kept is not None:
                rows.append(kept)
            journal.append((tx.revision, tx.now_ms, tx.elapsed_ms, tx.name, rows))
        tx.revision += 1
        return 0

    cdef object keep(self, Call* call, Answer* answer):
        """What the effect `answered` does, for an answer that is small; its row, if there is a journal for it."""
        cdef Session keeper = self.keeper
        cdef Py_ssize_t size = SMALL
        seq, reply = call.seq, answer.number
        if call.what == INCR:
            reply = PyBytes_FromStringAndSize(answer.octets, answer.size)
            size = BYTES + answer.size
        if keeper is not None:
            keeper.answers[seq] = reply, size
            keeper.answer_bytes += size
        if self.engine.journal is None:
            return None
        return (ANSWERED, self.caller, seq, reply, False, None if keeper is None else keeper.seen)

    # ---- both doors
    cpdef bytes text(self, Session session, bytes data, int protocol):
        """Run command lines, and return their replies in the *protocol* of RESP. `taken` says how far that went."""
        cdef const char* at = PyBytes_AS_STRING(data)
        self.calls = self.taken = 0
        if read_line(at, at + PyBytes_GET_SIZE(data), &self.ahead[0].call) == NULL:
            return b""
        return self.go(session, data, protocol) if self.ready(session) else b""

    cpdef bytes native(self, Session session, bytes data):
        """The same for frames of kv's own protocol."""
        if not self.ready(session):
            return b""
        self.caller, self.keeper = session.id, self.tx.sessions.get(session.id)
        try:
            return self.go(session, data, 0)
        finally:
            self.keeper = None

    cdef bytes go(self, Session session, bytes data, int protocol):
        cdef const char* at = PyBytes_AS_STRING(data)
        cdef const char* end = at + PyBytes_GET_SIZE(data)
        cdef Answer answer
        cdef Call* call = NULL
        cdef int what = NONE, kind
        cdef size_t since = 0, place = 0, count = 0
        cdef Ticks ticks = self.observation.ticks
        cdef double began = 0, now
        cdef const char* last = NULL
        cdef size_t last_size = 0
        while self.out.size < MOST_OUTPUT:
            if place == count:
                place, count = 0, self.read(at, end, protocol)
                if count == 0:
                    break
            call = &self.ahead[place].call
            if self.opened is not session.open or self.served is not self.engine.open:
                self.see_gates(session)
            if not self.may >> call.what & 1:
                break
            if call.what != what:
                now = ticks.read()
                if self.calls > since:
                    self.ran(what, self.calls - since, now - began)
                began = now
                what, since = call.what, self.calls
                if what != GET and self.tx.gone is not None:
                    self.wrote(session, what, self.tx.revision)
            if not protocol and call.deadline + call.seq + call.seen != -3 and not self.fresh(session, call):
                break
            answer.size = 0
            kind = self.run(session, call, self.sought + place, &answer)
            if kind == UNUSUAL or not self.say(kind, call, &answer, protocol):
                break
            last, last_size = call.key, call.key_size
            self.calls += 1
            self.lately = what
            at = self.ahead[place].following
            place += 1
        self.taken = at - PyBytes_AS_STRING(data)
        if self.calls:
            self.engine.calls += self.calls
            now = ticks.read() - began
            if self.calls > since:
                self.ran(what, self.calls - since, now)
            if self.writer != NONE:
                self.wrote(session, NONE, self.tx.revision)
            if self.observation.runs + len(self.observation.noted) >= MOST_NOTED or now > self.observation.least_s:
                self.tx.last_key = PyBytes_FromStringAndSize(last, last_size)
                self.tx.last_entry = None
                if self.calls > since and now > self.observation.least_s:
                    command = self.commands[what]
                    self.observation.see(session, command, [command.name.encode(), self.tx.last_key], None, now)
        return PyBytes_FromStringAndSize(self.out.octets, self.out.size)

    cdef bint say(self, int kind, Call* call, Answer* answer, int protocol) except -1:
        """Write the answer; False if this door has no form for the value."""
        cdef char* out = need(&self.out, answer.size + ROOM)
        out = put_line(out, kind, answer, protocol) if protocol else put_frame(out, kind, answer, call.id)
        if out == NULL:
            self.engine.hits -= 1
            return False
        self.out.size = out - self.out.octets
        return True


def swift_of(engine):
    """What runs calls of *engine* swiftly, if it is one that this is made for."""
    return Swift(engine) if isinstance(engine, Executor) else None
