"""One connection in Redis's protocol, to prepare what is measured; both servers understand it."""

from __future__ import annotations

import contextlib
import itertools
import socket
from collections.abc import Iterable, Iterator
from typing import BinaryIO, Final, TypeAlias

from processes import Server

IN_FLIGHT: Final = 500

Call: TypeAlias = tuple[bytes, ...]


class Line:
    """A connection whose answers are read as far as it takes to know that all is well."""

    def __init__(self, line: socket.socket, answers: BinaryIO) -> None:
        self._line = line
        self._answers = answers

    def call(self, *words: bytes) -> bytes:
        """The answer, without what marks its kind; of an array its length."""
        self._line.sendall(packed(words))
        return self._answer()

    def send(self, calls: Iterable[Call]) -> None:
        """Make all *calls*, many at a time. Raises `ValueError` if one is refused."""
        rest = iter(calls)
        while part := list(itertools.islice(rest, IN_FLIGHT)):
            self._line.sendall(b"".join(map(packed, part)))
            for _ in part:
                self._answer()

    def _answer(self) -> bytes:
        said = self._answers.readline()
        if said[:1] == b"$":
            return self._answers.read(int(said[1:]) + 2)[:-2]
        if said[:1] in (b"-", b""):
            raise ValueError(f"the server answered {said!r}")
        return said[1:-2]


def packed(words: Iterable[bytes]) -> bytes:
    octets = list(words)
    return b"*%d\r\n" % len(octets) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in octets)


@contextlib.contextmanager
def line(server: Server) -> Iterator[Line]:
    with socket.create_connection(("127.0.0.1", server.port)) as connection, connection.makefile("rb") as answers:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield Line(connection, answers)
