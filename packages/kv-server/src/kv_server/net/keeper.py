"""Takes snapshots: when enough was written, when time is up, when somebody asks, and when only one can end a failure of
the disk. Old files go when two newer snapshots stand in for them.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import trio
from attrs import define, frozen

from kv_protocol.errors import InternalError, KvError, ReadOnly
from kv_protocol.limits import KIB
from kv_server.durability.disk import Disk
from kv_server.durability.journal import FAILED, Journal
from kv_server.durability.snapshot import Snapshot, Writer
from kv_server.durability.survey import survey
from kv_server.engine.engine import Engine
from kv_server.net.loop import Loop
from kv_server.surfaces.events import events_of
from kv_server.surfaces.trace import trace_of

__all__ = ["Apart", "Keeper", "SnapshotRules", "Taken"]

_KEPT = 2  # snapshots; the older one stands in if the newer is damaged
_RETRY_S = 1.0
_LOOK_S = 0.01
_BLOCK = 128 * KIB  # what is collected before it is worth a block
_TURN_S = 0.0001  # of copying, before the others have their turn

log = events_of("kv.snapshot")

Told = Callable[[int | KvError], None]
"""Is called with the revision of a snapshot, or with why there is none."""

Apart: TypeAlias = Callable[..., Awaitable[Any]]
"""Does work that waits for the disk where nobody has to wait for it, as `trio.to_thread.run_sync` does."""


@frozen
class SnapshotRules:
    """When a snapshot is taken by itself: after so much time, so many commits, or so many bytes of log; 0 for never."""

    interval_ms: int
    commits: int
    log_bytes: int


@define
class Taken:
    """What became of snapshots."""

    count: int = 0
    failed: int = 0
    last_revision: int = 0
    last_unix_ms: int = 0
    last_duration_ms: int = 0
    last_bytes: int = 0
    last_keys: int = 0
    last_error: str = ""
    longest_step_ms: float = 0.0
    commits: int = 0
    """How many commits the journal had written when the last that succeeded was begun."""


class Keeper:
    """Snapshots of *engine* in the folder of *journal*."""

    def __init__(
        self, engine: Engine, journal: Journal, disk: Disk, loop: Loop, rules: SnapshotRules, apart: Apart
    ) -> None:
        self.taken = Taken()
        self.began_ms = 0
        """When, on the elapsed clock, the snapshot was begun that is being written; 0 if none is."""
        self._engine = engine
        self._journal = journal
        self._disk = disk
        self._loop = loop
        self._rules = rules
        self._apart = apart
        self._asked = trio.Event()
        self._waiting: list[Told] = []
        self._next_ms = 0

    @property
    def saving(self) -> bool:
        """A snapshot is being written, or was asked for."""
        return self.began_ms > 0 or self._asked.is_set()

    def ask(self, told: Told | None = None) -> None:
        """Take a snapshot as of now or later, and tell."""
        if told is not None:
            self._waiting.append(told)
        self._asked.set()

    def follow(self, rules: SnapshotRules) -> None:
        """Go by other rules from here on."""
        self._rules = rules
        self._set_next()

    async def run(self) -> None:
        """Take snapshots for ever."""
        while True:
            self._set_next()
            while not self._due():
                with trio.move_on_after(_RETRY_S):
                    await self._asked.wait()
            self._asked = trio.Event()
            waiting, self._waiting = self._waiting, []
            outcome = await self._take()
            for told in waiting:
                told(outcome)
            self._loop.ring()
            if isinstance(outcome, KvError):
                await trio.sleep(_RETRY_S)

    def _set_next(self) -> None:
        interval_ms = self._rules.interval_ms
        self._next_ms = self._engine.elapsed_ms + interval_ms if interval_ms else math.inf  # type: ignore[assignment]

    def _due(self) -> bool:
        journal = self._journal
        if self._asked.is_set() or journal.state == FAILED:
            return True
        if not journal.since_snapshot:
            return False
        rules = self._rules
        enough = 0 < rules.log_bytes <= journal.since_snapshot
        many = 0 < rules.commits <= journal.commits - self.taken.commits
        return enough or many or self._engine.elapsed_ms >= self._next_ms

    async def _take(self) -> int | KvError:
        """Take one snapshot: its revision, or why it failed."""
        self.began_ms = self._engine.elapsed_ms
        began = trio.current_time()
        self._loop.hurries = True
        try:
            revision = await self._write()
        except OSError as error:
            self.taken.failed += 1
            self.taken.last_error = error.strerror or str(error)
            log.error("a snapshot failed", reason=self.taken.last_error)
            return ReadOnly(f"the snapshot could not be written: {self.taken.last_error}")
        except Exception as bug:  # it must not cost everybody the store
            self.taken.failed += 1
            self.taken.last_error = "a bug of the server"
            log.critical("a snapshot failed", trace=trace_of(bug))
            return InternalError("the snapshot could not be written because of a bug of the server: see its log")
        finally:
            self.began_ms = 0
            self._loop.hurries = False
        taken = self.taken
        taken.count += 1
        taken.last_error = ""
        taken.last_revision, taken.last_unix_ms = revision, self._engine.now_ms
        taken.last_duration_ms = round((trio.current_time() - began) * 1000)
        log.info("snapshot", revision=revision, keys=taken.last_keys, bytes=taken.last_bytes, ms=taken.last_duration_ms)
        await self._apart(self._prune)
        return revision

    async def _write(self) -> int:
        engine, journal = self._engine, self._journal
        self._loop.send()  # so that the log holds what the snapshot does
        after_failure = journal.state == FAILED
        if after_failure:
            while journal.syncing:
                await trio.sleep(_LOOK_S)
            journal.pending.clear()
        before, commits = journal.since_snapshot, journal.commits
        snapshot = Snapshot(engine, engine.revision if after_failure else journal.written)
        try:
            writer = await self._apart(Writer, self._disk, journal.origin, snapshot)
            try:
                while piece := await self._collect(snapshot):
                    await self._apart(writer.add, piece)
                while not after_failure and journal.state != FAILED and journal.durable < snapshot.revision:
                    journal.hurry()
                    self._loop.send()
                    await trio.sleep(_LOOK_S)
                await self._apart(writer.finish, snapshot)
            except BaseException:
                writer.give_up()
                raise
        finally:
            snapshot.end()
        journal.since_snapshot = max(0, journal.since_snapshot - before)
        self.taken.commits = commits
        self.taken.last_bytes, self.taken.last_keys = writer.bytes, snapshot.keys
        if after_failure and journal.state == FAILED:
            journal.open(snapshot.revision, snapshot.revision, engine.now_ms, engine.elapsed_ms)
        return snapshot.revision

    async def _collect(self, snapshot: Snapshot) -> bytes:
        """Copy enough for a block, and serve everybody now and then; nothing at the end."""
        pieces: list[bytes] = []
        size = 0
        until = trio.current_time() + _TURN_S
        while size < _BLOCK and (piece := self._step(snapshot)) is not None:
            pieces.append(piece)
            size += len(piece)
            if trio.current_time() >= until:
                await trio.lowlevel.checkpoint()
                until = trio.current_time() + _TURN_S
        return b"".join(pieces)

    def _step(self, snapshot: Snapshot) -> bytes | None:
        began = trio.current_time()
        piece = snapshot.step()
        self.taken.longest_step_ms = max(self.taken.longest_step_ms, (trio.current_time() - began) * 1000)
        return piece

    def _prune(self) -> None:
        """Remove what two newer snapshots stand in for."""
        try:
            found = survey(self._disk, heads=False)
            kept = found.snapshots[-_KEPT:]
            gone = [file.name for file in found.snapshots[:-_KEPT]]
            if len(kept) == _KEPT:
                before = [file for file in found.logs if file.revision <= kept[0].revision]
                gone += [file.name for file in before[:-1]]
            for name in gone:
                self._disk.remove(name)
        except OSError as error:
            log.error("old files could not be removed", reason=error.strerror)
