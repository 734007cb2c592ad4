"""The log while it is written: commits become groups of a segment, syncs make them last, and the gate says when answers
may leave.

A group is what one round of the loop changed, or several that share a sync. It is written at once and synced as the
mode says: before any answer to it leaves (*always*), every interval, or when the system likes (*never*). Locks are safe
only if they are remembered, so what grants, extends or releases one is synced before it is told in every mode. Room is
reserved ahead: a full disk is met there, before anything is applied. A write or a sync that fails is never tried again:
the journal has failed, its segment is not touched any more, and only a new snapshot opens another.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any, Final, NamedTuple

from attrs import frozen
from msgpack import packb

from kv_protocol.limits import KIB, MIB
from kv_server.durability.disk import Disk
from kv_server.durability.frames import END, GROUP, HEAD, Stamp, pack
from kv_server.engine.groups import Group
from kv_server.engine.logged import unpack_rows
from kv_server.engine.rows import ANSWERED
from kv_server.engine.session import Lost, Session

__all__ = [
    "ALWAYS", "FAILED", "FORMAT", "FULL", "INTERVAL", "NEVER", "TEMPORARY", "WELL", "Journal", "Origin", "Sync",
    "log_name",
]  # fmt: skip

FORMAT: Final = 1

ALWAYS: Final = "always"
INTERVAL: Final = "interval"
NEVER: Final = "never"

WELL: Final = "well"
FULL: Final = "full"  # no room was left when some was to be reserved
FAILED: Final = "failed"  # a write or a sync failed

TEMPORARY: Final = ".new"  # what the name of a file that is not complete ends with

_GRACE_MS: Final = 100  # how much longer than the interval anything may stay unsynced
_STEP: Final = 4 * MIB  # what is reserved at a time
_LOW: Final = 1 * MIB  # when less of it is left, more is reserved
_ZEROS: Final = bytes(256 * KIB)  # what is written ahead at a time, where every group is synced


@frozen
class Origin:
    """What every file says of the store that it is of."""

    epoch: int
    seed: bytes
    shards: int

    def head(self, file: str, revision: int) -> dict[str, Any]:
        """The head of a *file* ("log" or "snapshot") that begins after, or is of, *revision*."""
        return {
            "kv": FORMAT,
            "file": file,
            "revision": revision,
            "epoch": self.epoch,
            "seed": self.seed,
            "shards": self.shards,
        }


class Sync(NamedTuple):
    """What has to be done, in any thread, until all up to *revision* is on the medium."""

    revision: int
    handle: int
    finished: tuple[tuple[int, int], ...]
    """Segments that are complete: handle and length."""
    folder: bool

    def run(self, disk: Disk) -> None:
        for handle, size in self.finished:
            disk.truncate(handle, size)
            disk.sync(handle)
        disk.sync(self.handle)
        if self.folder:
            disk.sync_folder()


def log_name(after: int) -> str:
    """The name of the segment that begins after the revision *after*."""
    return f"log-{after:016x}.kvlog"


class Journal:
    """Writes what is appended to `pending`. *after* is the last revision of what was there before."""

    def __init__(self, disk: Disk, origin: Origin, mode: str, interval_ms: int, segment_bytes: int) -> None:
        self.disk = disk
        self.origin = origin
        self.mode = mode
        self.interval_ms = interval_ms
        self.segment_bytes = segment_bytes
        self.pending = Group()
        self.state = FAILED
        self.error: OSError | None = None
        self.on_state: Callable[[], None] = lambda: None
        self.written = self.durable = 0
        """The revisions up to which all is in the file, and on the medium."""
        self.bytes = self.groups = self.commits = self.syncs = 0
        """What was written since the start."""
        self.since_snapshot = 0
        self._urgent = self._hurried = 0
        self._held: list[tuple[int, bytes]] = []
        self._oldest_ms = 0
        self._synced_ms = 0
        self._handle = -1
        self._at = self._reserved = self._zeroed = 0
        self._finished: list[tuple[int, int]] = []
        self._folder = False
        self._syncing: Sync | None = None
        self._syncing_ms = 0

    # ---- segments
    def open(self, after: int, revision: int, now_ms: int, elapsed_ms: int) -> None:
        """Begin a segment after the revision *after*, up to which all is on the medium. Commits go on after *revision*,
        so that none is given out twice, whatever is lost. Raises `OSError`.

        After a failure: once no sync is under way any more.
        """
        assert self._syncing is None
        handle, at = self._begin(after, Stamp(revision, after, now_ms, elapsed_ms))
        try:
            self.disk.sync(handle)
            self.disk.sync_folder()
        except OSError:
            self._give_back(handle)
            raise
        self._let_go()
        self._handle, self._at, self._reserved, self._zeroed = handle, at, _STEP, at
        self._folder = False
        self.written = self.durable = revision
        self._urgent = self._hurried = 0
        self._synced_ms = elapsed_ms
        self._turn(WELL, None)

    def _begin(self, after: int, stamp: Stamp) -> tuple[int, int]:
        """Create a segment, which has its name once it has room and a head: its handle, and its length."""
        name = log_name(after)
        handle = self.disk.create(name + TEMPORARY)
        try:
            self.disk.reserve(handle, _STEP)
            head = pack(HEAD, stamp, packb(self.origin.head("log", after)), 0)
            self.disk.write(handle, head, 0)
            self.disk.rename(name + TEMPORARY, name)
        except OSError:
            self._give_back(handle)
            with contextlib.suppress(OSError):
                self.disk.remove(name + TEMPORARY)
            raise
        return handle, len(head)

    def _rotate(self, now_ms: int, elapsed_ms: int) -> None:
        """Go on in a new segment, if one can be made; else the next group tries again."""
        try:
            handle, at = self._begin(self.written, Stamp(self.written, self.durable, now_ms, elapsed_ms))
        except OSError:
            return
        self._finished.append((self._handle, self._at))
        self._handle, self._at, self._reserved, self._zeroed = handle, at, _STEP, at
        self._folder = True

    def close(self, now_ms: int, elapsed_ms: int) -> None:
        """Write and sync everything, and say that the log is complete. Raises `OSError`."""
        try:
            if self.state == FAILED:
                return
            self.write(now_ms, elapsed_ms, urgent=False)
            if self.state == FAILED:
                assert self.error is not None
                raise self.error
            Sync(self.written, self._handle, tuple(self._finished), self._folder).run(self.disk)
            self.durable = self.written
            self._put(END, self.written, now_ms, elapsed_ms, b"")
            self.disk.truncate(self._handle, self._at)
            self.disk.sync(self._handle)
        finally:
            self.state = FAILED
            self._let_go()

    def _let_go(self) -> None:
        for handle, _ in [*self._finished, (self._handle, 0)]:
            if handle >= 0:
                self._give_back(handle)
        self._handle, self._finished = -1, []

    def _give_back(self, handle: int) -> None:
        with contextlib.suppress(OSError):
            self.disk.close(handle)

    # ---- writing
    def write(self, now_ms: int, elapsed_ms: int, *, urgent: bool) -> None:
        """Put what is pending into the file; *urgent* if it is about locks."""
        rows = self.pending
        if not rows or self.state == FAILED:
            return
        payload, revision = rows.packed(), rows.last
        self.commits += len(rows)
        rows.clear()
        try:
            self._put(GROUP, revision, now_ms, elapsed_ms, payload)
            if self.mode == ALWAYS:
                self._write_ahead()
        except OSError as error:
            self._held.append((revision, payload))
            self.fail(error)
            return
        if self.written == self.durable:
            self._oldest_ms = elapsed_ms
        self.written = revision
        if urgent:
            self._urgent = revision
        if urgent or self.mode == ALWAYS:
            self._held.append((revision, payload))
        self.groups += 1
        if self._reserved - self._at < _LOW:
            self.reserve()
        if self._at >= self.segment_bytes and self.state == WELL:
            self._rotate(now_ms, elapsed_ms)

    def _put(self, kind: int, revision: int, now_ms: int, elapsed_ms: int, payload: bytes) -> None:
        data = pack(kind, Stamp(revision, self.durable, now_ms, elapsed_ms), payload, self._at)
        self.disk.write(self._handle, data, self._at)
        self._at += len(data)
        self.bytes += len(data)
        self.since_snapshot += len(data)

    def _write_ahead(self) -> None:
        """Write zeros where groups will be. To sync what was written before costs less: its place is known by then."""
        self._zeroed = max(self._zeroed, self._at)
        if self._zeroed - self._at < len(_ZEROS) // 2 and self._zeroed + len(_ZEROS) <= self._reserved:
            self.disk.write(self._handle, _ZEROS, self._zeroed)
            self._zeroed += len(_ZEROS)

    def reserve(self) -> None:
        """Make sure of room for what comes next; without it the state is FULL, with it that ends."""
        try:
            self.disk.reserve(self._handle, self._at + _STEP)
        except OSError as error:
            self._turn(FULL, error)
        else:
            self._reserved = self._at + _STEP
            if self.state == FULL:
                self._turn(WELL, None)

    # ---- syncing
    def may_send(self, elapsed_ms: int) -> bool:
        """Whether answers to all that was written may leave."""
        durable = self.durable
        if self.written == durable or self.state == FAILED:
            return True
        if self.mode == ALWAYS or self._urgent > durable:
            return False
        return self.mode == NEVER or elapsed_ms - self._oldest_ms <= self.interval_ms + _GRACE_MS

    def sync_due_ms(self, elapsed_ms: int) -> int | None:
        """When the next sync should begin; None while there is nothing to sync, or one is under way."""
        if self._syncing is not None or self.written == self.durable or self.state == FAILED:
            return None
        if self.mode == ALWAYS or max(self._urgent, self._hurried) > self.durable:
            return elapsed_ms
        return None if self.mode == NEVER else max(self._oldest_ms, self._synced_ms) + self.interval_ms

    def begin_sync(self, elapsed_ms: int) -> Sync:
        """What has to be done now; `end_sync` is told when it was."""
        assert self._syncing is None
        self._syncing = Sync(self.written, self._handle, tuple(self._finished), self._folder)
        self._syncing_ms = elapsed_ms
        self._finished, self._folder = [], False
        return self._syncing

    def end_sync(self, sync: Sync, error: OSError | None, elapsed_ms: int) -> None:
        """*sync* was done, or failed."""
        assert sync is self._syncing
        self._syncing = None
        for handle, _ in sync.finished:
            self._give_back(handle)
        if error is not None:
            self.fail(error)
            return
        self.syncs += 1
        self.durable = sync.revision
        self._held = [group for group in self._held if group[0] > sync.revision]
        self._oldest_ms, self._synced_ms = self._syncing_ms, elapsed_ms

    def hurry(self) -> None:
        """Let the next sync begin at once. Answers leave meanwhile as they would."""
        self._hurried = self.written

    @property
    def syncing(self) -> bool:
        return self._syncing is not None

    # ---- trouble
    def fail(self, error: OSError) -> None:
        """Nothing more is written until `open` begins anew."""
        self._turn(FAILED, error)

    def doubt(self, sessions: Mapping[int, Session]) -> int:
        """Answers that were held, so that nobody knows what they tell to be on the medium: keep of each only that there
        was one.
        """
        count = 0
        written = (unpack_rows(payload) for _, payload in self._held)
        for revision, _, _, _, effects in chain(self.pending, *written):
            for opcode, number, *rest in effects:
                session = sessions.get(number) if opcode == ANSWERED else None
                if session is not None and rest[0] in session.answers:
                    session.answers[rest[0]] = Lost(revision, doubtful=True), session.answers[rest[0]][1]
                    count += 1
        self._held = []
        return count

    def _turn(self, state: str, error: OSError | None) -> None:
        self.error = error
        if state != self.state:
            self.state = state
            self.on_state()
