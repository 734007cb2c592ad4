"""From bytes to the words of commands: arrays of bulk strings, and lines as people type them, parsed as Redis does.

Input that comes in whole commands is split in one stroke; whatever does not fit that, piece by piece.
"""

from __future__ import annotations

import re
from typing import Final

from attrs import define, field

from kv_protocol.limits import KIB
from kv_server.surfaces.resp_lines import (
    MAX_BULK_OF_STRANGERS,
    MAX_LINE,
    MAX_WORDS,
    MAX_WORDS_OF_STRANGERS,
    looks_like_http,
    split_line,
)

__all__ = ["RequestReader"]

_SPLIT_AT_ONCE: Final = 128 * KIB  # of longer input the pieces would take too much memory
_NUMBER: Final = re.compile(rb"0|-?[1-9][0-9]{0,18}")
_COUNTS: Final = {b"*%d" % count: count for count in range(1, 257)}
_SIZES: Final = {b"$%d" % size: size for size in range(1025)}
_STAR, _DOLLAR = b"*$"


@define
class RequestReader:
    """Takes input as it comes and gives whole commands; *failure* says why there can be no more."""

    max_bulk: int
    failure: str | None = None
    http: bool = False
    """The input looks like HTTP: nobody is to be answered."""
    wary: bool = False
    """Nobody has logged in: commands are short, and come one by one, since one may change that."""
    _buffer: bytes = b""
    _chunks: list[bytes] = field(factory=list)
    _size: int = 0
    _need: int = 0
    _words: list[bytes] = field(factory=list)
    _left: int = 0
    _total: int = 0

    def halfway(self) -> bool:
        """A command has begun and its rest has not come."""
        return bool(self._left or self._buffer or self._need)

    @property
    def _most(self) -> int:
        return min(MAX_BULK_OF_STRANGERS, self.max_bulk) if self.wary else self.max_bulk

    def feed(self, data: bytes) -> list[list[bytes]]:
        """The commands that are complete with *data*; none after a failure."""
        if self.failure:
            return []
        if self._need:
            self._chunks.append(data)
            self._size += len(data)
            if self._size < self._need:
                return []
            data = self._joined()
            if self.failure is not None:
                return []
        elif self._buffer:
            data = self._buffer + data
            self._buffer = b""
        found: list[list[bytes]] = []
        at = 0
        if self._words and not self._left:
            found.append(self._words)
            self._words = []
        if self._left:
            at = self._read(data, 0, found)
        if self.wary:
            while at < len(data) and self.failure is None and not found:
                at = self._read(data, at, found)
            if at < len(data):
                self._buffer = data[at:]
            return found
        if not self._left and len(data) - at <= _SPLIT_AT_ONCE:
            at += _split(data[at:] if at else data, found)
        while at < len(data) and self.failure is None:
            at = self._read(data, at, found)
        return found

    def _read(self, data: bytes, at: int, found: list[list[bytes]]) -> int:
        """Read one command, or as much of it as has come, and keep that; where it ends."""
        if not self._left:
            following = self._read_count(data, at) if data[at] == _STAR else self._read_line(data, at, found)
            if following is None:
                self._buffer = data[at:]
                return len(data)
            at = following
        if self._left:
            following = self._read_words(data, at)
            if following is None:
                return len(data)
            at = following
            found.append(self._words)
            self._words = []
        return at

    def _read_count(self, data: bytes, at: int) -> int | None:
        """Read how many words the command has; where that ends, or None if its rest has to come."""
        eol = data.find(b"\r\n", at, at + MAX_LINE + 2)
        if eol < 0:
            if len(data) - at > MAX_LINE:
                self.failure = "too big mbulk count string"
            return None
        count = _number(data[at + 1 : eol])
        if count is None or count > (MAX_WORDS_OF_STRANGERS if self.wary else MAX_WORDS):
            self.failure = "invalid multibulk length"
            return None
        self._left, self._total = max(count, 0), 0
        return eol + 2

    def _read_words(self, data: bytes, at: int) -> int | None:
        """Read the bulk strings of a command; where they end, or None if more has to come."""
        end, find = len(data), data.find
        while self._left:
            eol = find(b"\r\n", at, at + MAX_LINE + 2)
            if eol < 0:
                if end - at > MAX_LINE:
                    self.failure = "too big bulk count string"
                self._buffer = data[at:]
                return None
            if data[at] != _DOLLAR:
                self.failure = f"expected '$', got '{_shown(data[at])}'"
                return None
            size = _number(data[at + 1 : eol])
            if size is None or size < 0 or size > self._most:
                self.failure = "invalid bulk length"
                return None
            start = eol + 2
            stop = start + size
            if stop + 2 > end:
                self._chunks = [data[start:]]
                self._size, self._need = end - start, size + 2
                return None
            if not self._take(data[start:stop], data[stop : stop + 2]):
                return None
            at = stop + 2
        return at

    def _take(self, word: bytes, ending: bytes) -> bool:
        """Add a bulk string to the command, unless it spoils that."""
        self._total += len(word)
        if ending != b"\r\n":
            self.failure = "a bulk string is longer than its length"
        elif self._total > self._most:
            self.failure = "too big command"
        else:
            self._words.append(word)
            self._left -= 1
        return self.failure is None

    def _joined(self) -> bytes:
        """Take the bulk string that has come in chunks, without another copy of it; what came behind it."""
        last = self._chunks.pop()
        end = self._need - 2 - (self._size - len(last))
        if end < 0:  # its ending is in two chunks
            last = b"".join((*self._chunks, last))
            self._chunks, end = [], self._need - 2
        self._take(b"".join((*self._chunks, last[:end])), last[end : end + 2])
        self._chunks = []
        self._size = self._need = 0
        return last[end + 2 :]

    def _read_line(self, data: bytes, at: int, found: list[list[bytes]]) -> int | None:
        """Read a line as people type it; where it ends, or None if its rest has to come."""
        eol = data.find(b"\n", at, at + MAX_LINE + 1)
        if eol < 0:
            if len(data) - at > min(MAX_LINE, self._most):
                self.failure = "too big inline request"
            return None
        line = data[at:eol].removesuffix(b"\r")
        if looks_like_http(line):
            self.http = True
            self.failure = "HTTP"
            return None
        words = split_line(line)
        if words is None:
            self.failure = "unbalanced quotes in request"
            return None
        if words:
            found.append(words)
        return eol + 1


def _split(data: bytes, found: list[list[bytes]]) -> int:
    """Split *data* into commands as long as it holds whole ones of the plainest form; how far that was.

    The commonest lengths are written out: that halves what they cost.
    """
    parts = data.split(b"\r\n")
    last = len(parts) - 1
    at = 0
    count_of, size = _COUNTS.get, _SIZES.get
    while at < last:
        count = count_of(parts[at])
        if count is None:
            break
        stop = at + 1 + 2 * count
        if stop > last:
            break
        if count == 2:
            _, head0, word0, head1, word1 = parts[at:stop]
            if size(head0) != len(word0) or size(head1) != len(word1):
                break
            found.append([word0, word1])
        elif count == 3:
            _, head0, word0, head1, word1, head2, word2 = parts[at:stop]
            if size(head0) != len(word0) or size(head1) != len(word1) or size(head2) != len(word2):
                break
            found.append([word0, word1, word2])
        else:
            words = parts[at + 2 : stop : 2]
            if [*map(size, parts[at + 1 : stop : 2])] != [*map(len, words)]:
                break
            found.append(words)
        at = stop
    if at == last:
        return len(data) - len(parts[last])
    return sum(map(len, parts[:at])) + 2 * at


def _number(digits: bytes) -> int | None:
    return int(digits) if _NUMBER.fullmatch(digits) else None


def _shown(octet: int) -> str:
    return chr(octet) if 0x20 <= octet < 0x7F else "?"
