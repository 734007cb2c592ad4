"""The server as a program that also notes, in the file given first, what it asks of its disk and when it says what.

Each note is one message: what happened, to which descriptor or file, with what. Writes are noted once they were done,
a sync when it begins and when it is done, what is sent before it leaves: no note claims more order than there was.
`power_loss` makes of the notes what a machine would find whose power went away.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

from attrs import Factory, define
from msgpack import Packer, Unpacker

Note = list[Any]


# ---- reading notes
def notes(trace: Path) -> Iterator[Note]:
    """What was noted; the last may be missing, since its writer was killed."""
    pieces = Unpacker(raw=False, max_buffer_size=0)
    pieces.feed(trace.read_bytes())
    yield from pieces


@define(eq=False)
class Kept:
    """A file: what is on the medium, and what was asked of it since."""

    content: bytearray
    asked: list[Note] = Factory(list)
    syncing: int = 0
    """How much of that a sync under way covers."""

    def settle(self, count: int) -> None:
        """The first so many of what was asked are on the medium."""
        for kind, at, data in self.asked[:count]:
            self.put(kind, at, data)
        del self.asked[:count]

    def put(self, kind: str, at: int, data: bytes) -> None:
        if kind == "write":
            if len(self.content) < at:
                self.content += bytes(at - len(self.content))
            self.content[at : at + len(data)] = data
        elif kind == "truncate":
            del self.content[at:]
        elif len(self.content) < at:
            self.content += bytes(at - len(self.content))


def power_loss(before: dict[str, bytes], trace: Path, dice: Random | None) -> dict[str, bytes]:
    """The files that are there after the power went away, by name. *before*: those of the start. What was not synced is
    lost, or, as *dice* fall, there in part.
    """
    names = {name: Kept(bytearray(content)) for name, content in before.items()}
    lasting, promised = dict(names), dict(names)
    handles: dict[int, Kept] = {}
    for kind, *facts in notes(trace):
        if kind == "create":
            handles[facts[1]] = names[facts[0]] = Kept(bytearray())
        elif kind == "open":
            handles[facts[1]] = names[facts[0]]
        elif kind in ("write", "truncate", "reserve"):
            handles[facts[0]].asked.append([kind, facts[1], facts[2] if kind == "write" else b""])
        elif kind == "sync begins":
            handles[facts[0]].syncing = len(handles[facts[0]].asked)
        elif kind == "sync ends":
            handles[facts[0]].settle(handles[facts[0]].syncing)
        elif kind == "rename":
            names[facts[1]] = names.pop(facts[0])
        elif kind == "remove":
            names.pop(facts[0], None)
        elif kind == "folder sync begins":
            promised = dict(names)
        elif kind == "folder sync ends":
            lasting = promised
    if dice is not None:
        lasting = lasting if dice.random() < 0.5 else names
        for file in set(lasting.values()):
            for kind, at, data in file.asked:
                if dice.random() < 0.7:
                    file.put(kind, at, data[: dice.randrange(len(data) + 1)] if dice.random() < 0.3 else data)
    return {name: bytes(file.content) for name, file in lasting.items()}


# ---- taking notes
def note_all(trace: str) -> None:
    """Let the server's disk and sockets note what they are asked."""
    from kv_server.net import wire  # which goes around sockets of the system's own: it is to know those as they were
    from kv_server.net.disk import Folder

    assert wire.receive is not None

    descriptor = os.open(trace, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def note(*facts: Any) -> None:
        os.write(descriptor, Packer().pack(facts))

    def after(name: str, of: Callable[..., tuple[Any, ...]]) -> None:
        method = getattr(Folder, name)

        def noting(self: Folder, *arguments: Any) -> Any:
            result = method(self, *arguments)
            note(*of(result, *arguments))
            return result

        setattr(Folder, name, noting)

    def around(name: str, begins: str, ends: str) -> None:
        method = getattr(Folder, name)

        def noting(self: Folder, *arguments: Any) -> None:
            note(begins, *arguments)
            method(self, *arguments)
            note(ends, *arguments)

        setattr(Folder, name, noting)

    after("create", lambda handle, name: ("create", name, handle))
    after("open", lambda handle, name: ("open", name, handle))
    after("write", lambda _, handle, data, at: ("write", handle, at, bytes(data)))
    after("reserve", lambda _, handle, size: ("reserve", handle, size))
    after("truncate", lambda _, handle, size: ("truncate", handle, size))
    after("rename", lambda _, old, new: ("rename", old, new))
    after("remove", lambda _, name: ("remove", name))
    around("sync", "sync begins", "sync ends")
    around("sync_folder", "folder sync begins", "folder sync ends")

    class Noting(socket.socket):
        def recv(self, *arguments: Any) -> bytes:
            data = super().recv(*arguments)
            note("receive", self.fileno(), data)
            return data

        def send(self, data: Any, *arguments: Any) -> int:
            note("send", self.fileno(), bytes(data))
            return super().send(data, *arguments)

    socket.socket = Noting  # type: ignore[misc]


if __name__ == "__main__":
    from kv_server.app.cli import main

    note_all(sys.argv.pop(1))
    main()
