# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Command lines of the plainest form, read and run without a stop.

What may be run so is told by what a command declares: its words are keys, names, values and numbers in a fixed order.
Whatever is unusual about a line, or fails, is left to the way that all lines can go: a call that fails has changed
nothing.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF, Py_XDECREF
from cpython.tuple cimport PyTuple_New, PyTuple_SET_ITEM
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcmp, memcpy

from kv_server.commands.swift cimport Swift
from kv_server.engine.executor cimport Executor
from kv_server.engine.observation cimport Observation
from kv_server.engine.session cimport Session
from kv_server.engine.tallies cimport add_up
from kv_server.engine.ticks cimport Ticks
from kv_server.engine.tx cimport Tx
from kv_server.model.ahead cimport RANKED, WINDOW, crowd_in, fetch, fetch_names, sought
from kv_server.model.cells cimport hashed, seed_hashing
from kv_server.model.crowd cimport Crowd
from kv_server.model.entry cimport kind_of
from kv_server.model.growing cimport let_go, need
from kv_server.model.octets cimport digits, int_blob, spelled, text_blob
from kv_server.model.table cimport Table
from kv_server.spec.gate cimport Hot
from kv_server.surfaces cimport resp_frames
from kv_server.surfaces.resp_words cimport natural, read_words, same

from kv_protocol import limits, values
from kv_server.commands.swift import swift_of
from kv_server.spec.command import FAST
from kv_server.spec.lines import Word as Kind
from kv_server.spec.lines import line_of
from kv_server.spec.resp_kinds import OK as _OK
from kv_server.surfaces.resp_replies import RESP2, RESP3

__all__ = ["Lanes", "lanes_of"]

cdef extern from "Python.h":
    object PyObject_Vectorcall(object, PyObject**, size_t, void*)
    int64_t integer_of "PyLong_AsLongLongAndOverflow"(object, int* beyond) except? -1

cdef enum:
    MOST_OUTPUT = 1 << 20
    MOST_KNOWN = 4_096  # words, in whatever case
    AT_ONCE = 7  # and one: so many fast calls run between two looks at the clock

cdef object OK = _OK
cdef int KEY = Kind.KEY, NAME = Kind.NAME, VALUE = Kind.VALUE, INT = Kind.INT, FLOAT = Kind.FLOAT
cdef size_t MOST_NAME = limits.MAX_NAME
cdef double SLICE_S = 0.002  # how long the lines of one connection run before others have their turn
cdef double LEAST_S = 1e-3  # calls of which shorter ones are to be seen are run one by one

seed_hashing()


cdef object read_word(int kind, Word* word):
    """What *word* is read as; None if that is not so simple."""
    cdef int64_t number
    cdef char[16] head
    if kind == KEY and word.size > MOST_NAME:
        return None
    if kind == KEY or kind == NAME:
        return PyBytes_FromStringAndSize(word.at, word.size)
    if kind == VALUE:
        blob = text_blob(word.at, word.size)
        return values.from_octets(PyBytes_FromStringAndSize(word.at, word.size)) if blob is None else blob
    if kind == FLOAT:
        return <double>number if natural(word, &number) else None
    if not spelled(word.at, word.size, &number):
        return None
    if kind == INT:
        return number
    return PyBytes_FromStringAndSize(head, int_blob(head, number))


cdef inline bint add(Given* given, thing) noexcept:
    """Have *thing* be given as well; False if it is None."""
    if thing is None:
        return False
    Py_INCREF(thing)
    given.things[given.count] = <PyObject*>thing
    given.count += 1
    return True


cdef inline void let_go_of(Given* given) noexcept:
    while given.count > 1:
        given.count -= 1
        Py_XDECREF(given.things[given.count])


cdef class Lane:
    """How lines of one *command* are read, and what is called with them."""

    def __init__(self, bytes word not None, command, figures, line):
        self.word = word
        self.figures = figures
        self.command, self.name = command, command.name
        self.hot = command.hot
        self.fast = command.flags & FAST
        self.function = command.function
        self.project = None if line.view is None else line.view.project
        self.shape = line.shape
        self.fixed, self.again = len(line.words), len(line.rest)
        for place, kind in enumerate(line.words):
            self.kinds[place] = kind
        for place, kind in enumerate(line.rest):
            self.rest[place] = kind

    cdef bint begins(self, Word* word) noexcept:
        """Whether *word* is that of its command, as it was spelled when this was made."""
        return word.size == <size_t>PyBytes_GET_SIZE(self.word) and not memcmp(
            word.at, PyBytes_AS_STRING(self.word), word.size
        )

    cdef bint fits(self, size_t count) noexcept:
        """Whether a line may have so many words behind its first."""
        if not self.again:
            return count == self.fixed
        return count > self.fixed and (count - self.fixed) % self.again == 0

    cdef bint read(self, Word* words, size_t count, bytes key, Given* given) except -1:
        """Read what the function is called with, beginning with *key* if that is known, and add it to *given*; False if
        the words are not so simple.
        """
        cdef const Word* end = words + count
        cdef size_t place
        cdef tuple row
        for place in range(self.fixed):
            if not add(given, key if key is not None and not place else read_word(self.kinds[place], words)):
                return False
            words += 1
        while words < end:
            if self.again == 1:
                if not add(given, read_word(self.rest[0], words)):
                    return False
            else:
                row = PyTuple_New(self.again)
                add(given, row)
                for place in range(self.again):
                    word = read_word(self.rest[place], words + place)
                    if word is None:
                        return False
                    Py_INCREF(word)
                    PyTuple_SET_ITEM(row, place, word)
            words += self.again
        return True


cdef class Lanes:
    """Runs the lines at the beginning of an input, as many as are of that form."""

    def __cinit__(self, engine):
        self.engine = engine
        self.swift = swift_of(engine)
        self.tx = engine.tx
        self.observation = engine.observation
        self.known = {}

    def __dealloc__(self):
        let_go(&self.out)

    cdef Lane lane_of(self, Word* word):
        """The lane of lines that begin with *word*, or None."""
        if self.lately is not None and self.lately.begins(word):
            return self.lately
        self.lately = None
        written = PyBytes_FromStringAndSize(word.at, word.size)
        if written not in self.known:
            name = written.upper()
            catalog = self.engine.catalog
            if name not in catalog.spoken or not catalog.is_whole(name) or len(self.known) == MOST_KNOWN:
                return None
            command = catalog.spoken[name]
            line = line_of(command)
            if line is not None and max(len(line.words), len(line.rest)) > MOST_KINDS:
                line = None
            figures = self.observation.counted.figures[command.bit]
            self.known[written] = None if line is None else Lane(written, command, figures, line)
        self.lately = self.known[written]
        return self.lately

    cdef size_t look(self, Session session, const char* at, const char* end) except? 0:
        """Read the next lines, and have the keys they begin with on their way from memory; how many lines there are."""
        cdef Tx tx = self.tx
        cdef Word* words = self.words
        cdef Word* key = NULL
        cdef Line* line
        cdef size_t count = 0, keys = 0, place
        while count < WINDOW and at < end:
            line = &self.ahead[count]
            at = read_words(at, end, words, MOST_WORDS - (words - self.words), &line.count)
            if at == NULL:
                break
            line.words, line.following = words, at
            words += line.count
            count += 1
            line.again = line.count > 1 and key != NULL and same(key, &line.words[1])
            if line.count > 1:
                key = &line.words[1]
        if count < 2:
            return count
        for place in range(count):
            line = &self.ahead[place]
            if line.count > 1 and not line.again:
                key = &line.words[1]
                self.sought[keys] = sought(key.at, key.size, tx.store.shift)
                keys += 1
        if keys:
            tx.start(session.namespace, session)
            if tx.space is not None:
                fetch(tx.space.tables, self.sought, keys)
                if keys == 1:
                    self.look_within(key, count)
        return count

    cdef int look_within(self, Word* key, size_t count) except -1:
        """Have the names on their way that *count* lines will look for in what is at *key*."""
        cdef uint64_t[WINDOW] codes
        cdef const Crowd* crowd
        cdef Word* name
        cdef size_t place, names = 0
        entry = (<Table>self.tx.space.tables[self.sought[0].shard]).seek(key.at, key.size, self.sought[0].code)
        if entry is None:
            return 0
        crowd = crowd_in(entry)
        if crowd == NULL:
            return 0
        for place in range(count):
            if self.ahead[place].count > 2:
                name = &self.ahead[place].words[2 if kind_of(entry) != RANKED else self.ahead[place].count - 1]
                codes[names] = hashed(name.at, name.size)
                names += 1
        fetch_names(crowd, codes, names)
        return 0

    cdef object run(self, Session session, Lane lane, Line* line):
        """The reply to *line*, as RESP has it; self if it must go another way.

        A line with the key of the one before goes on where that was: what it has found there is still the truth.
        """
        cdef Tx tx = self.tx
        cdef Given given
        cdef bint keyed = lane.fixed and lane.kinds[0] == KEY
        if not (keyed and line.again):
            self.key = None
        if self.key is None:
            tx.start(session.namespace, session)
        if tx.space is not None and tx.space.cache is not None:  # there a second try would be one more use
            return self
        given.things[0], given.count = <PyObject*>tx, 1
        try:
            if not lane.read(line.words + 1, line.count - 1, self.key, &given):
                return self
            self.key = <bytes><object>given.things[1] if keyed else None
            reply = PyObject_Vectorcall(lane.function, given.things, given.count, NULL)
            if lane.project is not None:
                reply = lane.project(reply)
            if lane.shape is not None:
                reply = lane.shape(reply)
        except Exception:
            if not tx.effects:
                return self
            self.engine.seal()
            raise
        finally:
            let_go_of(&given)
        self.engine.settle(session, lane.command, True, None, reply, None)
        return reply

    cdef int tell(self, Session session, Lane lane, long long calls, double spent_s, long long revision) except -1:
        """What `Observation.ran` does, without objects."""
        add_up(lane.figures, calls, spent_s)
        self.observation.runs += 1
        if self.tx.revision != revision:
            self.observation.wrote(session, lane.name, revision)
        return 0

    cdef int see(self, Session session, Lane lane, Line* line, double spent_s) except -1:
        """Show *line* if it took long, or the fast ones up to it did."""
        cdef size_t place
        if line == NULL or spent_s <= self.observation.least_s:
            return 0
        words = [PyBytes_FromStringAndSize(line.words[place].at, line.words[place].size) for place in range(line.count)]
        self.observation.see(session, lane.command, words, None, spent_s)
        return 0

    cpdef bytes text(self, Session session, bytes data, int protocol, Ticks ticks):
        """Run command lines, the commonest ones first, and return their replies in the *protocol* of RESP."""
        cdef Swift swift = self.swift
        cdef list parts = None
        cdef double until = 0
        self.calls = self.taken = 0
        self.long = None
        while True:
            replies = swift.text(session, data, protocol)
            if swift.calls:
                self.calls += swift.calls
                self.taken += swift.taken
                self.command = swift.commands[swift.lately]
                if swift.taken == <size_t>len(data):
                    return replies if parts is None else b"".join((*parts, replies))
                parts = [replies] if parts is None else parts + [replies]
                data = data[swift.taken:]
            replies = self.lines(session, data, protocol, ticks)
            if not self.ran:
                break
            self.calls += self.ran
            self.taken += self.read
            if parts is None and self.read == <size_t>len(data):
                return replies
            parts = [replies] if parts is None else parts + [replies]
            until = until or self.until
            if self.read == <size_t>len(data) or self.long is not None or self.now > until:
                break
            data = data[self.read:]
        return b"" if parts is None else b"".join(parts)

    cdef bytes lines(self, Session session, bytes data, int protocol, Ticks ticks):
        """The same of plain lines alone."""
        cdef Executor engine = self.engine
        cdef const char* at = PyBytes_AS_STRING(data)
        cdef const char* end = at + PyBytes_GET_SIZE(data)
        cdef Line* line = NULL
        cdef Line* last = NULL  # that ran since somebody looked at the clock
        cdef Word* words
        cdef size_t count = 0, place = 0, since = 0
        cdef Lane lane = None, other
        cdef double before = 0, began = 0, now = 0
        cdef long long revision = 0
        self.ran = self.read = self.out.size = 0
        if self.observation.least_s < LEAST_S or session.detour is not None or self.tx.effects:
            return b""
        while at < end and self.out.size < MOST_OUTPUT and self.long is None:
            if engine.sinks or engine.watchers.live or self.tx.notices:
                break
            if place == count:
                place, count = 0, self.look(session, at, end)
                if count == 0:
                    break
            line = &self.ahead[place]
            words = line.words
            if lane is None or not lane.begins(words):
                other = self.lane_of(words)
                if other is None:
                    break
                if lane is not None and self.ran > since:
                    now = ticks.read()
                    self.see(session, lane, last, now - before)
                    last = NULL
                    self.tell(session, lane, self.ran - since, now - began, revision)
                    before = began = now
                lane, since, revision = other, self.ran, self.tx.revision
            if not lane.fits(line.count - 1) or not engine._let.let(session.open, engine.open, lane.hot.bit):
                break
            if not self.ran:
                before = began = ticks.read()
                self.until = before + SLICE_S
            reply = self.run(session, lane, line)
            if reply is self:
                break
            self.say(reply, protocol)
            self.ran += 1
            self.command = lane.command
            at = line.following
            place += 1
            last = line
            if lane.fast and self.ran & AT_ONCE and (place < count or at == end):
                continue
            now = ticks.roughly()
            self.see(session, lane, last, now - before)
            last = NULL
            self.now = before = now
            if now > self.until:
                break
        self.read = at - PyBytes_AS_STRING(data)
        self.key = None
        if lane is not None and self.ran > since:
            self.now = now = ticks.read()
            self.see(session, lane, last, now - before)
            self.tell(session, lane, self.ran - since, now - began, revision)
        engine.calls += self.ran
        return PyBytes_FromStringAndSize(self.out.octets, self.out.size)

    cdef bint say(self, reply, int protocol) except -1:
        """Write *reply*; one that is not short and plain is left in `long`."""
        cdef char* at
        cdef char* began
        cdef int beyond = 0
        cdef int64_t number
        if type(reply) is int:
            number = integer_of(reply, &beyond)
            if not beyond:
                at = began = need(&self.out, 32)
                at[0] = c":"
                at += 1 + digits(at + 1, number)
                memcpy(at, b"\r\n", 2)
                self.out.size += at + 2 - began
                return True
        frame = resp_frames.frame(reply, protocol)
        if frame is None:
            frame = RESP3(reply) if protocol == 3 else RESP2(reply)
        if type(frame) is not bytes:
            self.long = frame
            return False
        memcpy(need(&self.out, PyBytes_GET_SIZE(frame)), PyBytes_AS_STRING(frame), PyBytes_GET_SIZE(frame))
        self.out.size += PyBytes_GET_SIZE(frame)
        return True


def lanes_of(engine):
    """What runs plain lines for *engine*, if anything does."""
    return Lanes(engine) if isinstance(engine, Executor) else None
