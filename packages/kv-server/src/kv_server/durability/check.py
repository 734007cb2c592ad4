"""Whether a data folder is whole, what a start would make of it, and what has to be dropped before it could.

Nothing is ever deleted: a repair puts what it drops aside, under the same name with `.dropped` behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from attrs import Factory, define
from msgpack import unpackb

from kv_protocol.limits import MIB
from kv_server.durability.disk import Disk
from kv_server.durability.frames import BLOCK, END, GROUP, Damage, Frame, frames_beyond, read_frames
from kv_server.durability.recovery import objects_of, rows_of
from kv_server.durability.snapshot import COLLECTIONS, LOCKS, SCALARS
from kv_server.durability.survey import File, Survey, head_of

__all__ = ["DROPPED", "Check", "Drop", "Examined"]

DROPPED: Final = ".dropped"  # what the name of a file ends with that a repair has put aside
_COPIED: Final = 4 * MIB


@define
class Examined:
    """A file, as far as it could be read: its revisions, what there is in it, and where it is damaged."""

    file: File
    end: int
    """The revision after which the next file begins."""
    first: int = 0
    last: int = 0
    commits: int = 0
    unsaved: int = 0
    """Commits that are not in the snapshot from which a start would go on."""
    keys: int = 0
    locks: int = 0
    sessions: int = 0
    ended: bool = False
    damage: Damage | None = None

    @property
    def broken(self) -> bool:
        """It is damaged as no interrupted writer leaves it."""
        return self.damage is not None and not self.damage.torn


class Drop(NamedTuple):
    """What a repair puts aside: a file from *at* on. At least so many *commits* are in it and nowhere else."""

    file: File
    at: int
    commits: int
    why: str

    @property
    def bytes(self) -> int:
        return self.file.size - self.at


@define
class Check:
    """Looks at all that *survey* found on *disk*. `steps` does it in slices; then the rest can be asked."""

    disk: Disk
    survey: Survey
    snapshots: list[Examined] = Factory(list)
    logs: list[Examined] = Factory(list)
    drops: list[Drop] = Factory(list)
    snapshot: Examined | None = None
    """The one that a start would read."""
    commits: int = 0
    revision: int = 0
    """The commits that it would read then, and the revision it would reach, once all was dropped that has to be."""
    cut: Damage | None = None
    """Where the torn end of the log begins that a start would cut off by itself."""
    beyond: list[File] = Factory(list)
    """Whole segments that belong to that end."""
    done_bytes: int = 0

    @property
    def total_bytes(self) -> int:
        return sum(file.size for file in (*self.survey.snapshots, *self.survey.logs))

    def steps(self) -> Iterator[None]:
        """Read everything. Raises `Unreadable` for what this version cannot read, or `OSError`."""
        for file in self.survey.snapshots:
            self.snapshots.append(Examined(file, file.revision))
            yield from self._examine(self.snapshots[-1], self._block)
            if self.snapshots[-1].damage is None:
                self.snapshot = self.snapshots[-1]
                self.revision = file.revision
        for file in self.survey.logs:
            self.logs.append(Examined(file, file.revision))
            yield from self._examine(self.logs[-1], self._group)
        self._plan()

    def repair(self) -> None:
        """Put aside what has to be dropped. Raises `OSError`; then it can be done again."""
        for drop in reversed(self.drops):
            if drop.at:
                self._put_aside(drop)
            else:
                self.disk.rename(drop.file.name, self._free_name(drop.file.name))
            self.disk.sync_folder()

    # ---- what there is
    def _examine(self, found: Examined, take: Callable[[Examined, Frame], None]) -> Iterator[None]:
        file, before, end = found.file, self.done_bytes, 0
        try:
            for frame in read_frames(self.disk, file.name, file.revision):
                if not frame.at:
                    head_of(file.name, frame)
                found.end, found.ended, end = frame.stamp.revision, frame.kind == END, frame.end
                take(found, frame)
                self.done_bytes = before + end
                yield
            if take == self._block and not found.ended:
                raise Damage(file.name, end, "the end is missing", torn=False)
        except Damage as damage:
            found.damage = damage
        self.done_bytes = before + file.size

    def _block(self, found: Examined, frame: Frame) -> None:
        """A frame of a snapshot."""
        if frame.kind == END:
            counts = {"keys": found.keys, "locks": found.locks, "sessions": found.sessions}
            if unpackb(frame.payload) != counts:
                raise Damage(found.file.name, frame.at, f"{counts} were read, and the end says otherwise", torn=False)
        elif frame.kind == BLOCK:
            for thing in objects_of(frame):
                if thing[0] in (SCALARS, COLLECTIONS):
                    found.keys += len(thing[3])
                elif thing[0] == LOCKS:
                    found.locks += len(thing[2])
                else:
                    found.sessions += len(thing[1])

    def _group(self, found: Examined, frame: Frame) -> None:
        """A frame of a log."""
        if frame.kind == GROUP:
            revisions = [row[0] for row in rows_of(frame)]
            found.first, found.last = found.first or revisions[0], revisions[-1]
            found.commits += len(revisions)
            found.unsaved += self._unsaved(revisions)

    def _unsaved(self, revisions: list[int]) -> int:
        since = self.snapshot.file.revision if self.snapshot is not None else 0
        return sum(revision > since for revision in revisions)

    # ---- what a start would do, and what would have to go before it could
    def _plan(self) -> None:
        """Walk the way of a recovery: from the snapshot on through the log, as far as it leads."""
        since = self.revision
        self.drops = [Drop(each.file, 0, 0, str(each.damage)) for each in self.snapshots if each.damage is not None]
        before = [each for each in self.logs if each.file.revision <= since]
        self.drops += [Drop(each.file, 0, 0, str(each.damage)) for each in before[:-1] if each.broken]
        way = [*before[-1:], *(each for each in self.logs if each.file.revision > since)]
        last = since
        for at, each in enumerate(way):
            begins = each.file.revision
            if begins != last if at else begins > since:
                self._end(way[at:], last, torn=at > 0)
                return
            last, self.cut = each.end, each.damage
            self.revision = max(self.revision, last)
            self.commits += each.unsaved
            if each.broken and each.damage is not None:
                self.cut = None
                self.drops.append(Drop(each.file, each.damage.at, self._behind(each), str(each.damage)))
                self._drop(way[at + 1 :], f"it goes on from {each.file.name}, which is damaged")
                return

    def _end(self, rest: list[Examined], last: int, *, torn: bool) -> None:
        """Nothing leads from the revision *last* to the *rest* of the log."""
        files = [each.file for each in rest]
        begins = files[0].revision
        proofs = (frame for file in files for frame in frames_beyond(self.disk, file.name, 0, last))
        if not torn or begins < last or next(proofs, None) is not None:
            self.cut = None
            self._drop(rest, f"there is a gap in the log: nothing leads from revision {last} to {begins}")
            return
        if self.cut is None:
            self.cut = Damage(files.pop(0).name, 0, f"nothing leads from revision {last} to {begins}", torn=True)
        self.beyond = files

    def _drop(self, rest: list[Examined], why: str) -> None:
        self.drops += [Drop(each.file, 0, each.unsaved + self._behind(each), why) for each in rest]

    def _behind(self, each: Examined) -> int:
        """The unsaved commits that can be read behind the damage."""
        count = 0
        if each.damage is not None:
            for frame in frames_beyond(self.disk, each.file.name, each.damage.at + 1):
                if frame.kind == GROUP:
                    try:
                        count += self._unsaved([row[0] for row in rows_of(frame)])
                    except Exception:
                        continue  # a part of a longer one
        return count

    # ---- putting aside
    def _put_aside(self, drop: Drop) -> None:
        """Move the end of a file into a file of its own."""
        name, (_, at, *_) = drop.file.name, drop
        aside = self.disk.create(self._free_name(f"{name}.{at}"))
        try:
            done = 0
            while part := self.disk.read(name, at + done, _COPIED):
                self.disk.write(aside, part, done)
                done += len(part)
            self.disk.sync(aside)
        finally:
            self.disk.close(aside)
        self.disk.sync_folder()
        handle = self.disk.open(name)
        try:
            self.disk.truncate(handle, at)
            self.disk.sync(handle)
        finally:
            self.disk.close(handle)

    def _free_name(self, name: str) -> str:
        there = set(self.disk.names())
        found, number = name + DROPPED, 2
        while found in there:
            found, number = f"{name}.{number}{DROPPED}", number + 1
        return found
