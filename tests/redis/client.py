"""A client of RESP2 and RESP3 that hides nothing: raw words out, replies in as the server typed them."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterable
from typing import NamedTuple

PATIENCE_S = 20.0  # a reply that is due and has not come by then is a hang

Words = tuple[bytes, ...]


class Hang(AssertionError):
    """A reply is due and does not come, or the server closed instead."""


class Reply(NamedTuple):
    """One reply: *kind* is the RESP type; arrays hold a tuple of replies, maps a tuple of pairs of them."""

    kind: str
    value: object

    def __str__(self) -> str:
        return show(self)


BULK_NULL = Reply("null bulk", None)
ARRAY_NULL = Reply("null array", None)
NULL = Reply("null", None)
CLOSED = Reply("closed", None)
LEAVES = {b"+": "simple", b"-": "error", b"(": "big", b",": "double"}
ROWS = {b"*": "array", b"~": "set", b">": "push"}
BLOBS = {b"$": "bulk", b"=": "verbatim", b"!": "error"}


def pack(words: Iterable[bytes]) -> bytes:
    """A request: an array of bulk strings."""
    parts = [b"$%d\r\n%b\r\n" % (len(word), word) for word in words]
    return b"*%d\r\n%b" % (len(parts), b"".join(parts))


class Connection:
    """A blocking connection that speaks *protocol* (2 or 3) to 127.0.0.1:*port*."""

    def __init__(self, port: int, protocol: int = 2, patience_s: float = PATIENCE_S) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=patience_s)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""
        self._at = 0
        if protocol == 3:
            try:
                greeting = self.call(b"HELLO", b"3")
                assert greeting.kind == "map", greeting
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        self._socket.close()

    def send(self, *calls: Words) -> None:
        """Send *calls* in one write and wait for nothing."""
        self.send_raw(b"".join(map(pack, calls)))

    def send_raw(self, octets: bytes) -> None:
        self._socket.sendall(octets)

    def call(self, *words: bytes) -> Reply:
        """Send one call; its reply."""
        self.send(words)
        return self.read()

    def pipeline(self, calls: list[Words]) -> list[Reply]:
        """Send *calls* in one write; a reply to each."""
        self.send(*calls)
        return [self.read() for _ in calls]

    def pending(self, wait_s: float = 0.0) -> bool:
        """Whether something has arrived that is not read yet."""
        return self._at < len(self._buffer) or bool(select.select([self._socket], [], [], wait_s)[0])

    def arrived(self, wait_s: float = 0.0) -> list[Reply]:
        """Everything that has arrived; *wait_s* is how long the first may take. A closed connection ends the list."""
        found: list[Reply] = []
        while self.pending(0.0 if found else wait_s):
            try:
                found.append(self.read())
            except (Hang, ConnectionError):
                return [*found, CLOSED]
        return found

    def read(self) -> Reply:
        """The next reply, waited for."""
        line = self._line()
        head, rest = line[:1], line[1:]
        if head in LEAVES:
            return Reply(LEAVES[head], rest)
        if head == b":":
            return Reply("int", int(rest))
        if head in BLOBS:
            return BULK_NULL if rest == b"-1" else Reply(BLOBS[head], self._exactly(int(rest)))
        if head in ROWS:
            if rest == b"-1":
                return ARRAY_NULL
            return Reply(ROWS[head], tuple([self.read() for _ in range(int(rest))]))
        if head == b"%":
            return Reply("map", tuple([(self.read(), self.read()) for _ in range(int(rest))]))
        if head == b"_":
            return NULL
        assert head == b"#", f"no reply begins with {line!r}"
        return Reply("bool", rest == b"t")

    def _line(self) -> bytes:
        while (end := self._buffer.find(b"\r\n", self._at)) < 0:
            self._more()
        line = self._buffer[self._at : end]
        self._at = end + 2
        return line

    def _exactly(self, length: int) -> bytes:
        while len(self._buffer) < self._at + length + 2:
            self._more()
        blob = self._buffer[self._at : self._at + length]
        assert self._buffer[self._at + length : self._at + length + 2] == b"\r\n"
        self._at += length + 2
        return blob

    def _more(self) -> None:
        try:
            octets = self._socket.recv(1 << 16)
        except TimeoutError:
            raise Hang(
                f"no reply within {self._socket.gettimeout():.0f} s; so far {self._buffer[self._at :][:200]!r}"
            ) from None
        if not octets:
            raise Hang(f"the server closed the connection; so far {self._buffer[self._at :][:200]!r}")
        self._buffer = self._buffer[self._at :] + octets
        self._at = 0


def show(reply: Reply) -> str:
    """*reply* on one line, as a person reads it."""
    kind, value = reply
    if kind == "bulk" or kind == "verbatim":
        assert isinstance(value, bytes)
        text = quote(value if len(value) <= 300 else value[:300] + b"...")
        return text if kind == "bulk" else f"={text}"
    if isinstance(value, bytes):
        sign = {"simple": "+", "error": "-", "double": ",", "big": "("}[kind]
        return sign + value.decode("utf-8", "backslashreplace")
    if isinstance(value, tuple):
        items = (show(each) if isinstance(each, Reply) else ": ".join(map(show, each)) for each in value)
        first, last = {"array": "[]", "set": ("~[", "]"), "push": (">[", "]"), "map": ("%{", "}")}.get(kind, ("", ""))
        return first + ", ".join(items) + last
    return kind if value is None else f"#{value}" if kind == "bool" else str(value)


def quote(word: bytes) -> str:
    """*word* in double quotes, as redis-cli takes it."""
    text = "".join(chr(octet) if 0x20 <= octet < 0x7F else f"\\x{octet:02x}" for octet in word.replace(b"\\", b"\\\\"))
    return '"' + text.replace('"', '\\"') + '"'


def spell(words: Iterable[bytes]) -> str:
    """A call as one would type it into redis-cli."""
    plain = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+.:*$#()[]{}?=~<>@!,/|&%"
    return " ".join(word.decode() if word and all(octet in plain for octet in word) else quote(word) for word in words)
