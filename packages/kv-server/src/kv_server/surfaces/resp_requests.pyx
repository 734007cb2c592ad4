# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""From bytes to the words of commands: the native twin of the plain module.

A command of the plainest form that is there as a whole is read in one pass, into a list that is made at its length;
whatever does not fit that, piece by piece, as the plain twin does.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.list cimport PyList_New
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF, Py_XDECREF
from libc.stdint cimport int64_t
from libc.string cimport memchr, memcmp

from kv_server.surfaces import resp_lines
from kv_server.surfaces.resp_lines import looks_like_http, split_line

__all__ = ["RequestReader"]

cdef extern from "Python.h":
    PyObject* bytes_of "PyBytes_FromStringAndSize"(const char*, Py_ssize_t) except NULL
    char* text_of "PyBytes_AS_STRING"(PyObject*)
    Py_ssize_t size_of "PyBytes_GET_SIZE"(PyObject*)
    void put_item "PyList_SET_ITEM"(list, Py_ssize_t, PyObject*)

cdef Py_ssize_t MAX_WORDS = resp_lines.MAX_WORDS
cdef Py_ssize_t MAX_LINE = resp_lines.MAX_LINE
cdef Py_ssize_t MAX_WORDS_OF_STRANGERS = resp_lines.MAX_WORDS_OF_STRANGERS
cdef Py_ssize_t MAX_BULK_OF_STRANGERS = resp_lines.MAX_BULK_OF_STRANGERS

cdef enum:
    MOST_AT_ONCE = 64  # words of a command whose list is made before they are seen
    MOST_DIGITS = 9
    LONGEST_KNOWN = 16
    KNOWN = 256

cdef PyObject* known[KNOWN]
"""First words that came last, by what they look like: most are those of commands, and their hash is known."""


cdef class RequestReader:
    """Takes input as it comes and gives whole commands; *failure* says why there can be no more."""

    def __init__(self, Py_ssize_t max_bulk):
        self.max_bulk = max_bulk
        self._chunks = []
        self._words = []

    cpdef bint halfway(self):
        """A command has begun and its rest has not come."""
        return self._left > 0 or self._need > 0 or self._buffer is not None

    cdef Py_ssize_t _most(self) noexcept:
        return min(MAX_BULK_OF_STRANGERS, self.max_bulk) if self.wary else self.max_bulk

    cpdef list feed(self, bytes data):
        """The commands that are complete with *data*; none after a failure."""
        cdef list found = []
        if data is None:
            raise TypeError("input is bytes")
        if self.failure is not None:
            return found
        if self._need:
            self._chunks.append(data)
            self._size += PyBytes_GET_SIZE(data)
            if self._size < self._need:
                return found
            data = self._joined()
            if self.failure is not None:
                return found
            if not self._left:
                found.append(self._words)
                self._words = []
        elif self._buffer is not None:
            data = self._buffer + data
            self._buffer = None
        self._read(data, found)
        return found

    cdef int _read(self, bytes data, list found) except -1:
        """Read commands, and keep the beginning of one that is not whole; of who is wary of us, only one."""
        cdef const char* text = PyBytes_AS_STRING(data)
        cdef Py_ssize_t at = 0, end = PyBytes_GET_SIZE(data), following
        if self._left:
            at = self._read_one(data, 0, found)
        while at < end and self.failure is None:
            if self.wary:
                if found:
                    self._buffer = data[at:]
                    return 0
            else:
                following = whole(text, at, end, self.max_bulk, found)
                if following:
                    at = following
                    continue
            at = self._read_one(data, at, found)
        return 0

    cdef Py_ssize_t _read_one(self, bytes data, Py_ssize_t at, list found) except -1:
        """Read one command, or as much of it as has come, and keep that; where it ends."""
        cdef Py_ssize_t end = PyBytes_GET_SIZE(data), following
        if not self._left:
            if PyBytes_AS_STRING(data)[at] == c"*":
                following = self._read_count(data, at)
            else:
                following = self._read_line(data, at, found)
            if following < 0:
                self._buffer = data[at:]
                return end
            at = following
        if self._left:
            following = self._read_words(data, at)
            if following < 0:
                return end
            at = following
            found.append(self._words)
            self._words = []
        return at

    cdef Py_ssize_t _read_count(self, bytes data, Py_ssize_t at) except -2:
        """Read how many words the command has; where that ends, or -1 if its rest has to come."""
        cdef const char* text = PyBytes_AS_STRING(data)
        cdef Py_ssize_t end = PyBytes_GET_SIZE(data), eol = end_of_line(text, at, end)
        cdef int64_t count
        if eol < 0:
            if end - at > MAX_LINE:
                self.failure = "too big mbulk count string"
            return -1
        if not number(text + at + 1, eol - at - 1, &count) or (
            count > (MAX_WORDS_OF_STRANGERS if self.wary else MAX_WORDS)
        ):
            self.failure = "invalid multibulk length"
            return -1
        self._left, self._total = max(count, 0), 0
        return eol + 2

    cdef Py_ssize_t _read_words(self, bytes data, Py_ssize_t at) except -2:
        """Read the bulk strings of a command; where they end, or -1 if more has to come."""
        cdef const char* text = PyBytes_AS_STRING(data)
        cdef Py_ssize_t end = PyBytes_GET_SIZE(data), eol, start
        cdef int64_t size
        while self._left:
            eol = end_of_line(text, at, end)
            if eol < 0:
                if end - at > MAX_LINE:
                    self.failure = "too big bulk count string"
                self._buffer = data[at:] if at < end else None
                return -1
            if text[at] != c"$":
                self.failure = f"expected '$', got '{chr(text[at]) if 0x20 <= text[at] < 0x7F else '?'}'"
                return -1
            if not number(text + at + 1, eol - at - 1, &size) or size < 0 or size > self._most():
                self.failure = "invalid bulk length"
                return -1
            start = eol + 2
            if end - start < size + 2:
                self._chunks = [data[start:]]
                self._size, self._need = end - start, size + 2
                return -1
            at = start + size
            if not self._take(data[start:at], text[at] == c"\r" and text[at + 1] == c"\n"):
                return -1
            at += 2
        return at

    cdef bint _take(self, bytes word, bint ended) except -1:
        """Add a bulk string to the command, unless it spoils that."""
        self._total += PyBytes_GET_SIZE(word)
        if not ended:
            self.failure = "a bulk string is longer than its length"
        elif self._total > self._most():
            self.failure = "too big command"
        else:
            self._words.append(word)
            self._left -= 1
        return self.failure is None

    cdef bytes _joined(self):
        """Take the bulk string that has come in chunks, without another copy of it; what came behind it."""
        cdef bytes last = self._chunks.pop()
        cdef Py_ssize_t end = self._need - 2 - (self._size - PyBytes_GET_SIZE(last))
        if end < 0:  # its ending is in two chunks
            self._chunks.append(last)
            last = b"".join(self._chunks)
            self._chunks, end = [], self._need - 2
        self._chunks.append(last[:end])
        self._take(b"".join(self._chunks), last[end : end + 2] == b"\r\n")
        self._chunks = []
        self._size = self._need = 0
        return last[end + 2 :]

    cdef Py_ssize_t _read_line(self, bytes data, Py_ssize_t at, list found) except -2:
        """Read a line as people type it; where it ends, or -1 if its rest has to come."""
        cdef Py_ssize_t eol = data.find(b"\n", at, at + MAX_LINE + 1)
        cdef bytes line
        cdef list words
        if eol < 0:
            if PyBytes_GET_SIZE(data) - at > min(MAX_LINE, self._most()):
                self.failure = "too big inline request"
            return -1
        line = data[at:eol].removesuffix(b"\r")
        if looks_like_http(line):
            self.http = True
            self.failure = "HTTP"
            return -1
        words = split_line(line)
        if words is None:
            self.failure = "unbalanced quotes in request"
            return -1
        if words:
            found.append(words)
        return eol + 1


cdef Py_ssize_t whole(const char* text, Py_ssize_t begin, Py_ssize_t end, Py_ssize_t most, list found) except -1:
    """Read the command that begins at *begin* if it is whole and plain; where it ends, or 0."""
    cdef const char* at = text + begin
    cdef const char* stop = text + end
    cdef Py_ssize_t count, size, place, total = 0
    cdef list words
    count = plain(&at, stop, c"*")
    if count < 1 or count > MOST_AT_ONCE:
        return 0
    words = PyList_New(count)
    for place in range(count):
        size = plain(&at, stop, c"$")
        if size < 0 or stop - at < size + 2 or at[size] != c"\r" or at[size + 1] != c"\n":
            return 0
        total += size
        if total > most:
            return 0
        put_item(words, place, bytes_of(at, size) if place else first_word(at, size))
        at += size + 2
    found.append(words)
    return at - text


cdef inline Py_ssize_t plain(const char** place, const char* end, char mark) noexcept:
    """The number of a few digits in the line at *place*, behind *mark*; -1 if there is no such line. Behind the octets
    of bytes stands a zero, so that no digit is looked for beyond *end*."""
    cdef const char* at = place[0]
    cdef const char* begin
    cdef Py_ssize_t found = 0
    if at[0] != mark:
        return -1
    at += 1
    begin = at
    while c"0" <= at[0] <= c"9" and at - begin < MOST_DIGITS:
        found = 10 * found + (at[0] - c"0")
        at += 1
    if at == begin or (begin[0] == c"0" and at - begin > 1) or end - at < 2 or at[0] != c"\r" or at[1] != c"\n":
        return -1
    place[0] = at + 2
    return found


cdef inline PyObject* first_word(const char* at, Py_ssize_t size) except NULL:
    """The octets as bytes: those of before, if they are the same."""
    cdef PyObject* made
    cdef unsigned int slot
    if size < 2 or size > LONGEST_KNOWN:
        return bytes_of(at, size)
    slot = (<unsigned int>size * 89 + <unsigned char>at[0] * 31 + <unsigned char>at[size - 1] * 7
            + <unsigned char>at[size >> 1]) % KNOWN
    made = known[slot]
    if made == NULL or size_of(made) != size or memcmp(text_of(made), at, size) != 0:
        Py_XDECREF(known[slot])
        known[slot] = NULL
        made = known[slot] = bytes_of(at, size)
    Py_INCREF(<object>made)
    return made


cdef Py_ssize_t end_of_line(const char* text, Py_ssize_t at, Py_ssize_t end) noexcept:
    """Where the next line break is; -1 if it is not among as many octets as a line may have."""
    cdef const char* found
    end = min(end, at + MAX_LINE + 2)
    while at < end:
        found = <const char*>memchr(text + at, c"\r", end - at)
        if found == NULL:
            return -1
        at = found - text
        if at + 1 < end and text[at + 1] == c"\n":
            return at
        at += 1
    return -1


cdef bint number(const char* digits, Py_ssize_t size, int64_t* found) noexcept:
    """Whether *digits* spell an integer of up to 19 digits in canonical form; which, or one as far beyond all limits."""
    cdef bint negative = size > 0 and digits[0] == c"-"
    cdef int64_t made = 0
    cdef Py_ssize_t place
    if negative:
        digits += 1
        size -= 1
    if size < 1 or size > 19 or (digits[0] == c"0" and (size > 1 or negative)):
        return False
    for place in range(size):
        if not c"0" <= digits[place] <= c"9":
            return False
        if place < 18:
            made = 10 * made + (digits[place] - c"0")
    found[0] = -made if negative else made
    return True
