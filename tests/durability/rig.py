"""An engine that keeps what it does on a disk of the tests, round by round, and what is read back from there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgpack import Packer

from kv_server.commands import CATALOG
from kv_server.durability.disk import Disk
from kv_server.durability.frames import GROUP, read_frames
from kv_server.durability.journal import ALWAYS, Journal, Origin
from kv_server.durability.recovery import Recovery, rows_of
from kv_server.durability.snapshot import Snapshot, Writer
from kv_server.durability.survey import survey
from kv_server.engine.engine import Engine
from kv_server.engine.groups import Group
from tests.durability.disk import FaultyDisk
from tests.engine.rig import SEED, Rig, picture, start

MIB = 1 << 20


def packed(thing: Any) -> bytes:
    """Its bytes in the log."""
    data: bytes = Packer(unicode_errors="surrogateescape").pack(thing)
    return data


class Pending(Group):
    """Rows that wait to be written, and the bytes that each was when it came."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes: list[bytes] = []

    def append(self, row: Any) -> None:
        self.bytes.append(packed(row))
        super().append(row)


class Kept(Rig):
    """A rig with a journal; `write` is the end of a round."""

    def __init__(
        self,
        disk: FaultyDisk | None = None,
        mode: str = ALWAYS,
        *,
        shards: int = 8,
        segment_bytes: int = MIB,
        interval_ms: int = 100,
        epoch: int = 1,
    ) -> None:
        super().__init__(shards=shards)
        self.disk = disk if disk is not None else FaultyDisk()
        self.journal = Journal(self.disk, Origin(epoch, SEED, shards), mode, interval_ms, segment_bytes)
        self.pending = Pending()
        self.journal.pending = self.pending
        self.journal.open(0, 0, self.now_ms, self.elapsed_ms)
        self.engine.journal = self.pending
        self.engine.tx.revision = 1
        self.history: dict[int, Any] = {0: whole(self.engine)}
        """What the store was after each group, by its revision."""

    def write(self) -> None:
        """End the round: what was changed becomes a group."""
        before = self.journal.written
        self.journal.write(self.now_ms, self.elapsed_ms, urgent=self.engine.tx.urgent)
        self.engine.tx.urgent = False
        if self.journal.written != before:
            self.history[self.journal.written] = whole(self.engine)

    def sync(self) -> None:
        """Let everything that was written be on the medium."""
        sync = self.journal.begin_sync(self.elapsed_ms)
        error = None
        try:
            sync.run(self.disk)
        except OSError as failed:
            error = failed
        self.journal.end_sync(sync, error, self.elapsed_ms)

    def keep(self) -> None:
        self.write()
        if self.journal.written != self.journal.durable:
            self.sync()

    def close(self) -> None:
        self.journal.close(self.now_ms, self.elapsed_ms)

    def begin_snapshot(self) -> Taking:
        self.keep()
        return Taking(self)

    def take_snapshot(self) -> int:
        """A snapshot as of now; its revision."""
        taking = self.begin_snapshot()
        return taking.finish()


class Taking:
    """A snapshot on its way."""

    def __init__(self, kept: Kept) -> None:
        self.snapshot = Snapshot(kept.engine, kept.journal.written)
        self.writer = Writer(kept.disk, kept.journal.origin, self.snapshot)

    def step(self) -> bool:
        """Copy one piece more; False after the last."""
        piece = self.snapshot.step()
        if piece is not None:
            self.writer.add(piece)
        return piece is not None

    def finish(self) -> int:
        while self.step():
            pass
        self.snapshot.end()
        self.writer.finish(self.snapshot)
        return self.snapshot.revision


def recovered(disk: Disk, shards: int = 8) -> Recovery:
    """What is read from *disk*. Raises as recovery does."""
    recovery = Recovery(disk, survey(disk), Engine(CATALOG, start=start(), shards=shards))
    for _ in recovery.steps():
        pass
    return recovery


def whole(engine: Engine) -> Any:
    """All that must come back: the store, and of each session what it is owed."""
    sessions = {
        number: (session.secret, session.client, session.namespace, answers_of(session))
        for number, session in engine.sessions.items()
        if session.lasting
    }
    return picture(engine.store), sessions


def answers_of(session: Any) -> dict[int, Any]:
    """The answers as they lie in the log: records are arrays there."""
    return {seq: packed(getattr(reply, "revision", reply)) for seq, (reply, _) in session.answers.items()}


def rows_in(disk: FaultyDisk) -> Iterator[list[Any]]:
    """The commits of the log, one by one."""
    for name in sorted(disk.files):
        if name.startswith("log-"):
            for frame in read_frames(disk, name):
                if frame.kind == GROUP:
                    yield from rows_of(frame)


def names(disk: FaultyDisk, kind: str) -> list[str]:
    """The files of a *kind*, oldest first."""
    return sorted(name for name in disk.files if name.startswith(kind))
