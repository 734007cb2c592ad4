"""A disk that fails as disks do, all from one seed.

What was not synced is, after the power went, there or not, sector by sector, in any order, or torn in the middle of a
sector; so are the names of files until the folder is synced. A sync that failed has written some of it, and the next
one does not try the rest again. Calls fail with EIO or ENOSPC, in the middle of what they do.
"""

from __future__ import annotations

import errno
import os
from random import Random
from typing import NamedTuple

SECTOR = 512


class Write(NamedTuple):
    """A change of a file: *data* put at *at*, or, without data, its length set to *at*."""

    at: int
    data: bytes | None

    def apply(self, content: bytearray) -> None:
        if self.data is None:
            del content[self.at :]
            content.extend(bytes(self.at - len(content)))
        else:
            content.extend(bytes(max(0, self.at - len(content))))
            content[self.at : self.at + len(self.data)] = self.data

    def sectors(self) -> list[Write]:
        """The same, cut where sectors end."""
        if self.data is None:
            return [self]
        cuts = [self.at, *range(self.at - self.at % SECTOR + SECTOR, self.at + len(self.data), SECTOR)]
        ends = [*cuts[1:], self.at + len(self.data)]
        return [Write(a, self.data[a - self.at : b - self.at]) for a, b in zip(cuts, ends, strict=True)]


class File:
    """Bytes as they are read now, bytes on the medium, and what was done since these were the same."""

    def __init__(self, content: bytes = b"") -> None:
        self.now = bytearray(content)
        self.medium = bytearray(content)
        self.unsynced: list[Write] = []

    def change(self, write: Write) -> None:
        write.apply(self.now)
        self.unsynced.append(write)


class Naming(NamedTuple):
    """A change of the folder: *new* names *file* from now on; *old* names nothing."""

    old: str
    new: str
    file: File | None

    def apply(self, names: dict[str, File]) -> None:
        if self.old:
            names.pop(self.old, None)
        if self.new:
            assert self.file is not None
            names[self.new] = self.file


class Fault(OSError):
    """What the disk made up."""


class FaultyDisk:
    """A folder. *fail* says how likely each call fails, by its name; a *full* one has no room for longer files."""

    def __init__(self, dice: Random | None = None) -> None:
        self.dice = dice or Random(0)
        self.fail: dict[str, float] = {}
        self.full = False
        self.files: dict[str, File] = {}
        self.named: dict[str, File] = {}
        """The names on the medium; `renamed` is what was done since."""
        self.renamed: list[Naming] = []
        self.handles: dict[int, File] = {}
        self.left_alone: list[File] = []
        """Files that nobody may write to any more."""
        self.calls: list[tuple[str, object]] = []
        self.path = "a folder of the tests"
        self._last = 2
        self._off = False

    # ---- what durability asks of it
    def names(self) -> list[str]:
        self._begin("names", "")
        return list(self.files)

    def size(self, name: str) -> int:
        self._begin("size", name)
        return len(self._file(name).now)

    def read(self, name: str, at: int, size: int) -> bytes:
        self._begin("read", name)
        return bytes(self._file(name).now[at : at + size])

    def create(self, name: str) -> int:
        self._begin("create", name)
        if self.full:
            raise Fault(errno.ENOSPC, "No space left on device")
        file = self.files.get(name)
        if file is None:
            file = File()
            self._name(Naming("", name, file))
        else:
            file.change(Write(0, None))
        return self._give(file)

    def open(self, name: str) -> int:
        self._begin("open", name)
        return self._give(self._file(name))

    def write(self, handle: int, data: bytes, at: int) -> None:
        file = self._handled(handle)
        self._writing(file)
        room = max(0, len(file.now) - at) if self.full else len(data)
        if self._fails("write"):
            done = self.dice.choice((0, 1, len(data) // 2, len(data) - 1, len(data)))
            file.change(Write(at, bytes(data[: min(done, room)])))
            raise Fault(errno.EIO, "Input/output error")
        self.calls.append(("write", file))
        if room < len(data):
            file.change(Write(at, bytes(data[:room])))
            raise Fault(errno.ENOSPC, "No space left on device")
        file.change(Write(at, bytes(data)))

    def reserve(self, handle: int, size: int) -> None:
        file = self._handled(handle)
        self._writing(file)
        if self._fails("reserve"):
            if self.dice.random() < 0.5:
                file.change(Write((len(file.now) + size) // 2, None))
            raise Fault(errno.ENOSPC, "No space left on device")
        self.calls.append(("reserve", file))
        if size > len(file.now):
            if self.full:
                raise Fault(errno.ENOSPC, "No space left on device")
            file.change(Write(size, None))

    def truncate(self, handle: int, size: int) -> None:
        file = self._handled(handle)
        self._begin("truncate", file)
        self._writing(file)
        file.change(Write(size, None))

    def sync(self, handle: int) -> None:
        file = self._handled(handle)
        unsynced, file.unsynced = file.unsynced, []
        if self._fails("sync"):
            for write in unsynced:
                for sector in write.sectors():
                    if self.dice.random() < 0.5:
                        sector.apply(file.medium)
            raise Fault(errno.EIO, "Input/output error")
        self.calls.append(("sync", file))
        for write in unsynced:
            write.apply(file.medium)

    def close(self, handle: int) -> None:
        self._handled(handle)
        del self.handles[handle]
        self._begin("close", handle)

    def rename(self, old: str, new: str) -> None:
        self._begin("rename", old)
        self._name(Naming(old, new, self._file(old)))

    def remove(self, name: str) -> None:
        self._begin("remove", name)
        self._file(name)
        self._name(Naming(name, "", None))

    def sync_folder(self) -> None:
        renamed = self.renamed
        if self._fails("sync_folder"):
            for change in renamed:
                if self.dice.random() < 0.5:
                    change.apply(self.named)
            raise Fault(errno.EIO, "Input/output error")
        self.calls.append(("sync_folder", None))
        self.renamed = []
        self.named = dict(self.files)

    def close_folder(self) -> None:
        """Nobody has it any more."""

    # ---- what becomes of it
    def heal(self) -> None:
        """Fail no more."""
        self.fail = {}
        self.full = False

    def killed(self) -> FaultyDisk:
        """The disk as the next process finds it: nothing is lost, but what could not be written may be forgotten."""
        for file in {id(file): file for file in self.files.values()}.values():
            if self.dice.random() < 0.5:
                file.now = bytearray(file.medium)
                for write in file.unsynced:
                    write.apply(file.now)
        return self._next(self.files, self.named, self.renamed)

    def crashed(self) -> FaultyDisk:
        """The disk after the power went and came again."""
        names = dict(self.named)
        for change in self._survivors(self.renamed):
            change.apply(names)
        for file in {id(file): file for file in names.values()}.values():
            self._lose(file)
        return self._next(names, dict(names), [])

    def copy(self) -> FaultyDisk:
        """The same files once more, all synced."""
        files = {name: File(bytes(file.now)) for name, file in self.files.items()}
        return FaultyDisk(self.dice)._as(files, dict(files), [])

    def content(self, name: str) -> bytes:
        return bytes(self.files[name].now)

    def put(self, name: str, content: bytes) -> None:
        """Let *name* be a file that holds *content*, on the medium."""
        self.files[name] = self.named[name] = File(content)

    # ---- inside
    def _lose(self, file: File) -> None:
        """Let *file* be what a crash leaves of it."""
        if not file.unsynced:
            file.now = bytearray(file.medium)
            return
        content = bytearray(file.medium)
        lengths = [len(content), len(file.now)]
        sectors = [sector for write in file.unsynced for sector in write.sectors()]
        for sector in self._survivors(sectors):
            sector.apply(content)
        if self.dice.random() < 0.3:  # a sector that was torn
            sector = self.dice.choice(sectors)
            if sector.data is not None:
                sector._replace(data=sector.data[: self.dice.randrange(len(sector.data) + 1)]).apply(content)
        if self.dice.random() < 0.5:
            Write(self.dice.choice(lengths), None).apply(content)
        file.now, file.medium, file.unsynced = content, bytearray(content), []

    def _survivors(self, changes: list) -> list:
        """Which of *changes* outlive a crash: all, none, the first ones, or any."""
        match self.dice.randrange(5):
            case 0:
                return changes
            case 1:
                return []
            case 2:
                return changes[: self.dice.randrange(len(changes) + 1)]
            case _:
                likely = self.dice.random()
                return [change for change in changes if self.dice.random() < likely]

    def _next(self, files: dict[str, File], named: dict[str, File], renamed: list[Naming]) -> FaultyDisk:
        self._off = True
        return FaultyDisk(self.dice)._as(files, named, renamed)

    def _as(self, files: dict[str, File], named: dict[str, File], renamed: list[Naming]) -> FaultyDisk:
        self.files, self.named, self.renamed = files, named, renamed
        return self

    def _name(self, change: Naming) -> None:
        change.apply(self.files)
        self.renamed.append(change)

    def _give(self, file: File) -> int:
        self._last += 1
        self.handles[self._last] = file
        return self._last

    def _file(self, name: str) -> File:
        if name not in self.files:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
        return self.files[name]

    def _handled(self, handle: int) -> File:
        self._alive()
        assert handle in self.handles, "a handle is used that was given back"
        return self.handles[handle]

    def _writing(self, file: File) -> None:
        assert not any(file is each for each in self.left_alone), "a file is written to that was given up"

    def _begin(self, call: str, what: object) -> None:
        if self._fails(call):
            raise Fault(errno.EIO, "Input/output error")
        self.calls.append((call, what))

    def _fails(self, call: str) -> bool:
        self._alive()
        likely = self.fail.get(call, 0.0)
        return likely > 0 and self.dice.random() < likely

    def _alive(self) -> None:
        if self._off:
            raise Fault(errno.EIO, "the machine is off")
