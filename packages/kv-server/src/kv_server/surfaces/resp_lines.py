"""Requests of RESP as people type them, in lines; and how long requests may be."""

from __future__ import annotations

import re
from typing import Final

from kv_protocol.limits import KIB

__all__ = ["MAX_BULK_OF_STRANGERS", "MAX_LINE", "MAX_WORDS", "MAX_WORDS_OF_STRANGERS", "looks_like_http", "split_line"]

MAX_WORDS: Final = 1_048_576
MAX_LINE: Final = 64 * KIB

MAX_WORDS_OF_STRANGERS: Final = 16
MAX_BULK_OF_STRANGERS: Final = 16 * KIB

_BLANKS: Final = b" \t\n\v\f\r"
_ESCAPES: Final = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"a": b"\a"}
_HEX: Final = re.compile(rb"x([0-9a-fA-F]{2})")
_HTTP: Final = re.compile(rb"\s*(post|host:)(\s|$)|.*\sHTTP/[0-9.]+\s*$", re.IGNORECASE)


def looks_like_http(line: bytes) -> bool:
    """Whether a browser sent this line, on behalf of who knows whom."""
    return _HTTP.match(line) is not None


def split_line(line: bytes) -> list[bytes] | None:
    """The words of a line: blanks part them, quotes join them; None if a quote is left open or followed at once."""
    line = line.partition(b"\0")[0]
    words: list[bytes] = []
    at, end = 0, len(line)
    while True:
        while at < end and line[at] in _BLANKS:
            at += 1
        if at == end:
            return words
        word = bytearray()
        while at < end and line[at] not in _BLANKS:
            char = line[at : at + 1]
            at += 1
            if char not in (b'"', b"'"):
                word += char
                continue
            closed = _double_quoted(line, at, word) if char == b'"' else _single_quoted(line, at, word)
            if closed is None or (closed < end and line[closed] not in _BLANKS):
                return None
            at = closed
        words.append(bytes(word))


def _double_quoted(line: bytes, at: int, word: bytearray) -> int | None:
    """Read up to a closing double quote into *word*; where it ends."""
    while at < len(line):
        char = line[at : at + 1]
        at += 1
        if char == b'"':
            return at
        if char == b"\\" and at < len(line):
            code = _HEX.match(line, at)
            if code is not None:
                word.append(int(code[1], 16))
                at = code.end()
            else:
                escaped = line[at : at + 1]
                word += _ESCAPES.get(escaped, escaped)
                at += 1
        else:
            word += char
    return None


def _single_quoted(line: bytes, at: int, word: bytearray) -> int | None:
    while at < len(line):
        char = line[at : at + 1]
        at += 1
        if char == b"'":
            return at
        if char == b"\\" and line[at : at + 1] == b"'":
            char = b"'"
            at += 1
        word += char
    return None
