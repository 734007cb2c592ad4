"""Connections of the text door to the engine of a rig: command lines in, replies out as Python sees them."""

from __future__ import annotations

from typing import Any

from kv_server.surfaces.hello import Limits
from kv_server.surfaces.resp import RespConnection
from kv_server.surfaces.resp_door import RespDoor
from tests.engine.rig import Rig

LIMITS = Limits(frame=1 << 26, batch=1 << 20, parked=10, output=1 << 26)


class Failed(str):
    """An error reply."""


class Simple(str):
    """A simple string."""


class Push(list):
    """A push of RESP3."""


class TextLine:
    """One connection. `heard` is what came that no command of this connection was answered with."""

    def __init__(self, rig: Rig) -> None:
        self.door = RespDoor(rig.engine, LIMITS, lambda: 0.0)
        self.connection: RespConnection = self.door.connect(lambda: None, lambda: False)
        self.rest = b""

    def __call__(self, *words: Any) -> Any:
        """The one reply to a command line, given as one text or as words."""
        [reply] = self.all(*words)
        return reply

    def all(self, *words: Any) -> list[Any]:
        """Everything that came once a command line was sent."""
        if len(words) == 1 and isinstance(words[0], str):
            words = tuple(words[0].split())
        line = b"*%d\r\n" % len(words)
        for word in words:
            octets = word if isinstance(word, bytes) else str(word).encode()
            line += b"$%d\r\n%b\r\n" % (len(octets), octets)
        self.connection.receive_data(line)
        return self.heard()

    def heard(self) -> list[Any]:
        """Everything that has come by itself."""
        while self.connection.stalled:
            self.connection.resume()
        data = b""
        while part := self.connection.data_to_send():
            data += part
        found, at = [], 0
        while at < len(data):
            reply, at = read(data, at)
            found.append(reply)
        return found

    def leave(self) -> None:
        self.connection.leave()


def read(data: bytes, at: int) -> tuple[Any, int]:
    """One reply, and where it ends."""
    eol = data.index(b"\r\n", at)
    mark, rest, at = data[at : at + 1], data[at + 1 : eol], eol + 2
    if mark == b"+":
        return Simple(rest.decode()), at
    if mark == b"-":
        return Failed(rest.decode()), at
    if mark in b":(":
        return int(rest), at
    if mark == b",":
        return float(rest), at
    if mark == b"_":
        return None, at
    size = int(rest)
    if mark in b"$=":
        return (None, at) if size < 0 else (data[at : at + size], at + size + 2)
    assert mark in b"*>~%", data[at - 20 : at + 20]
    if size < 0:
        return None, at
    items = []
    for _ in range(size * (1 + (mark == b"%"))):
        item, at = read(data, at)
        items.append(item)
    return Push(items) if mark == b">" else items, at
