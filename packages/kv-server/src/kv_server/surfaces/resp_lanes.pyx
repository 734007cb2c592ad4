# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Command lines of the plainest form, read and run without a stop.

What may be run so is told by what a command declares: its words are keys, names, values and numbers in a fixed order.
Whatever is unusual about a line, or fails, is left to the way that all lines can go: a call that fails has changed
nothing.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF
from cpython.tuple cimport PyTuple_New, PyTuple_SET_ITEM
from libc.stdint cimport int64_t
from libc.string cimport memcmp, memcpy

from kv_server.commands.calls cimport ended, read_number
from kv_server.model.octets cimport digits, int_blob, spelled, text_blob
from kv_server.commands.swift cimport Swift
from kv_server.engine.executor cimport Executor
from kv_server.engine.observation cimport Observation
from kv_server.engine.session cimport Session
from kv_server.engine.ticks cimport Ticks
from kv_server.engine.tx cimport Tx
from kv_server.spec.gate cimport Hot
from kv_server.surfaces cimport resp_frames

from kv_protocol import limits, values
from kv_server.commands.swift import swift_of
from kv_server.spec.resp_kinds import OK as _OK
from kv_server.spec.signature import Block, Shape
from kv_server.spec.types import Row
from kv_server.surfaces.resp_replies import RESP2, RESP3

__all__ = ["Lanes", "lanes_of"]

cdef extern from "Python.h":
    PyObject** PySequence_Fast_ITEMS(object)
    object PyObject_Vectorcall(object, PyObject**, size_t, void*)
    int64_t integer_of "PyLong_AsLongLongAndOverflow"(object, int* beyond) except? -1

cdef enum:
    UNKNOWN = 0  # what a word is read as
    KEY, NAME, VALUE, INT, FLOAT, NUMBER
    MOST_OUTPUT = 1 << 20
    MOST_KNOWN = 4_096  # words, in whatever case
    EXACT = 15  # digits of a number that is a float without rounding

KINDS = {
    "text_name({raw}, {label})": KEY, "{raw}": NAME, "from_octets({raw})": VALUE, "text_int({raw})": INT,
    "text_float({raw})": FLOAT, "text_number({raw})": NUMBER,
}
cdef object OK = _OK
cdef size_t MOST_NAME = limits.MAX_NAME
cdef double SLICE_S = 0.002  # how long the lines of one connection run before others have their turn
cdef double LEAST_S = 1e-3  # calls of which shorter ones are to be seen are run one by one


cdef const char* read_words(const char* at, const char* end, Word* words, size_t* count) noexcept:
    """Read the words of one line; where it ends, or NULL if it is not complete, or has too many."""
    cdef size_t place
    at = read_number(at, end, c"*", count)
    if at == NULL or not 0 < count[0] <= MOST_WORDS:
        return NULL
    for place in range(count[0]):
        at = read_number(at, end, c"$", &words[place].size)
        if at == NULL or not ended(at, words[place].size, end):
            return NULL
        words[place].at = at
        at += words[place].size + 2
    return at


cdef object read_word(int kind, Word* word):
    """What *word* is read as; None if that is not so simple."""
    cdef int64_t number
    cdef char[16] head
    if kind == KEY and word.size > MOST_NAME:
        return None
    if kind <= NAME:
        return PyBytes_FromStringAndSize(word.at, word.size)
    if kind == VALUE:
        blob = text_blob(word.at, word.size)
        return values.from_octets(PyBytes_FromStringAndSize(word.at, word.size)) if blob is None else blob
    if not spelled(word.at, word.size, &number):
        return None
    if kind == INT:
        return number
    if kind == FLOAT:
        return <double>number if word.size <= EXACT and word.at[0] != c"-" else None
    return PyBytes_FromStringAndSize(head, int_blob(head, number))


cdef class Lane:
    """How lines of one *command* are read, and what is called with them."""

    def __init__(self, bytes word not None, command, project, shape, kinds, rest):
        self.word = word
        self.command = command
        self.hot = command.hot
        self.function = command.function
        self.project = project
        self.shape = shape
        self.fixed, self.again = len(kinds), len(rest)
        for place, kind in enumerate(kinds):
            self.kinds[place] = kind
        for place, kind in enumerate(rest):
            self.rest[place] = kind

    cdef bint fits(self, size_t count) noexcept:
        """Whether a line may have so many words behind its first."""
        if not self.again:
            return count == self.fixed
        return count > self.fixed and (count - self.fixed) % self.again == 0

    cdef tuple arguments(self, Tx tx, Word* words, size_t count):
        """What the function is called with; None if the words are not so simple."""
        cdef size_t rows = (count - self.fixed) // self.again if self.again else 0, row, place
        cdef tuple found = PyTuple_New(1 + self.fixed + rows)
        cdef tuple one
        Py_INCREF(tx)
        PyTuple_SET_ITEM(found, 0, tx)
        for place in range(self.fixed):
            word = read_word(self.kinds[place], words + place)
            if word is None:
                return None
            Py_INCREF(word)
            PyTuple_SET_ITEM(found, 1 + place, word)
        words += self.fixed
        for row in range(rows):
            if self.again == 1:
                word = read_word(self.rest[0], words)
                if word is None:
                    return None
            else:
                one = PyTuple_New(self.again)
                for place in range(self.again):
                    word = read_word(self.rest[place], words + place)
                    if word is None:
                        return None
                    Py_INCREF(word)
                    PyTuple_SET_ITEM(one, place, word)
                word = one
            words += self.again
            Py_INCREF(word)
            PyTuple_SET_ITEM(found, 1 + self.fixed + row, word)
        return found


def lane_of(word, command):
    """The lane of *command*; None if its lines are not so simple."""
    declaration, params = command.declaration, command.signature.positional
    tail = command.signature.tail
    without = [view for view in declaration.views if view.without]
    absent = [param for param in params if not param.required and param is not tail]
    if declaration.grammar is not None or declaration.one_of or not command.hot.common:
        return None
    if any([param.required for param in command.signature.options]):
        return None
    if any([param.shape not in (Shape.FIXED, Shape.TAIL) for param in params]):
        return None
    kinds = [kind for param in params if param.required and param is not tail for kind in kinds_of(param)]
    rest = kinds_of(tail) if tail is not None and not tail.empty else []
    spelled_out = declaration.selects or any([not param.native for param in command.signature.options]) or any(
        [view.tokens for view in declaration.views]
    )
    if rest and (without or absent or (spelled_out and rest[0] != FLOAT)):
        return None
    if UNKNOWN in kinds or UNKNOWN in rest or not kinds + rest or max(len(kinds), len(rest)) > MOST_KINDS:
        return None
    view = without[len(without) - 1] if without else command.plain_view
    shapes = command.shapes or command._ready().shapes
    return Lane(word, command, None if view is None else view.project, shapes[view], kinds, rest)


cdef list kinds_of(param):
    """As what the words of a parameter are read."""
    elements = param.element.fields.values() if isinstance(param.element, Block) else [param.element]
    if isinstance(param.element, Block) and not param.several:
        return [UNKNOWN]
    return [KINDS.get(each.text, UNKNOWN) if isinstance(each, Row) else UNKNOWN for each in elements]


cdef class Lanes:
    """Runs the lines at the beginning of an input, as many as are of that form."""

    def __cinit__(self, engine):
        self.engine = engine
        self.swift = swift_of(engine)
        self.tx = engine.tx
        self.observation = engine.observation
        self.known = {}

    def __dealloc__(self):
        PyMem_Free(self.out)

    cdef Lane find(self, bytes word):
        """The lane of lines that begin with *word*, or None."""
        if word not in self.known:
            name = word.upper()
            catalog = self.engine.catalog
            if name not in catalog.spoken or not catalog.is_whole(name) or len(self.known) == MOST_KNOWN:
                return None
            self.known[word] = lane_of(word, catalog.spoken[name])
        return self.known[word]

    cdef object run(self, Session session, Lane lane, size_t count):
        """The reply to the line that was read last, as RESP has it; self if it must go another way."""
        cdef Tx tx = self.tx
        cdef tuple given
        tx.start(session.namespace, session)
        if tx.space is not None and tx.space.cache is not None:  # there a second try would be one more use
            return self
        given = lane.arguments(tx, self.words + 1, count - 1)
        if given is None:
            return self
        try:
            reply = PyObject_Vectorcall(lane.function, PySequence_Fast_ITEMS(given), len(given), NULL)
            if lane.project is not None:
                reply = lane.project(reply)
            if lane.shape is not None:
                reply = lane.shape(reply)
        except Exception:
            if not tx.effects:
                return self
            self.engine.seal()
            raise
        self.engine.settle(session, lane.command, True, None, reply, None)
        return reply

    cpdef bytes text(self, Session session, bytes data, int protocol, Ticks ticks):
        """Run command lines, the commonest ones first, and return their replies in the *protocol* of RESP."""
        cdef Swift swift = self.swift
        cdef list parts = []
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
                    return replies if not parts else b"".join((*parts, replies))
                parts.append(replies)
                data = data[swift.taken:]
            replies = self.lines(session, data, protocol, ticks)
            if not self.ran:
                break
            self.calls += self.ran
            self.taken += self.read
            parts.append(replies)
            until = until or self.until
            if self.read == <size_t>len(data) or self.long is not None or self.now > until:
                break
            data = data[self.read:]
        return <bytes>parts[0] if len(parts) == 1 else b"".join(parts)

    cdef bytes lines(self, Session session, bytes data, int protocol, Ticks ticks):
        """The same of plain lines alone."""
        cdef Executor engine = self.engine
        cdef const char* at = PyBytes_AS_STRING(data)
        cdef const char* end = at + PyBytes_GET_SIZE(data)
        cdef const char* following
        cdef Word* words = self.words
        cdef size_t count = 0, since = 0
        cdef Lane lane = None, other
        cdef double before = 0, began = 0, now
        cdef object revision = 0
        self.ran = self.read = self.size = 0
        if self.observation.least_s < LEAST_S or session.detour is not None or self.tx.effects:
            return b""
        while at < end and self.size < MOST_OUTPUT and self.long is None:
            following = read_words(at, end, words, &count)
            if following == NULL or engine.sinks or engine.watchers.live or self.tx.notices:
                break
            if lane is None or words[0].size != <size_t>len(lane.word) or memcmp(words[0].at, PyBytes_AS_STRING(lane.word), words[0].size):
                other = self.find(PyBytes_FromStringAndSize(words[0].at, words[0].size))
                if other is None:
                    break
                if lane is not None and self.ran > since:
                    self.observation.ran(session, lane.command, self.ran - since, before - began, revision)
                lane, since, began, revision = other, self.ran, before, self.tx.revision
            if not lane.fits(count - 1) or not engine._let.let(session.open, engine.open, lane.hot.bit):
                break
            if not self.ran:
                before = began = ticks.read()
                self.until = before + SLICE_S
            reply = self.run(session, lane, count)
            if reply is self:
                break
            self.say(reply, protocol)
            self.ran += 1
            self.command = lane.command
            at = following
            now = ticks.read()
            if now - before > self.observation.least_s:
                line = [PyBytes_FromStringAndSize(words[place].at, words[place].size) for place in range(count)]
                self.observation.see(session, lane.command, line, None, now - before)
            self.now = before = now
            if now > self.until:
                break
        self.read = at - PyBytes_AS_STRING(data)
        if lane is not None and self.ran > since:
            self.observation.ran(session, lane.command, self.ran - since, before - began, revision)
        engine.calls += self.ran
        return PyBytes_FromStringAndSize(self.out, self.size) if self.size else b""

    cdef bint say(self, reply, int protocol) except -1:
        """Write *reply*; one that is not short and plain is left in `long`."""
        cdef char* at
        cdef char* began
        cdef int beyond = 0
        cdef int64_t number
        if type(reply) is int:
            number = integer_of(reply, &beyond)
            if not beyond:
                at = began = self.need(32)
                at[0] = c":"
                at += 1 + digits(at + 1, number)
                memcpy(at, b"\r\n", 2)
                self.size += at + 2 - began
                return True
        frame = resp_frames.frame(reply, protocol)
        if frame is None:
            frame = RESP3(reply) if protocol == 3 else RESP2(reply)
        if type(frame) is not bytes:
            self.long = frame
            return False
        memcpy(self.need(PyBytes_GET_SIZE(frame)), PyBytes_AS_STRING(frame), PyBytes_GET_SIZE(frame))
        self.size += PyBytes_GET_SIZE(frame)
        return True

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


def lanes_of(engine):
    """What runs plain lines for *engine*, if anything does."""
    return Lanes(engine) if isinstance(engine, Executor) else None
