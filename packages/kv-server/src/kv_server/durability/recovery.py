"""From files back to a store: the newest snapshot that can be read, then every commit of the log since.

Files that do not reach from a snapshot to the end without a gap are refused, and so is damage that an interrupted
writer cannot have left. What such a writer did leave, a torn end, is cut off: whatever comes after a hole, if nothing
in it says that the place of the hole had been synced.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Any, Final
from zlib import decompress

from attrs import Factory, define
from msgpack import unpackb

from kv_protocol.limits import MIB
from kv_server.durability.blocks import put, rows_in, things
from kv_server.durability.columns import things as any_things
from kv_server.durability.disk import Disk
from kv_server.durability.frames import BLOCK, END, GROUP, Damage, Frame, frames_beyond, read_frames
from kv_server.durability.snapshot import COLLECTIONS, COMPRESSED, LOCKS, SCALARS, SESSIONS
from kv_server.durability.survey import File, Survey, Unreadable, head_of
from kv_server.engine.commit import Commit
from kv_server.engine.engine import Engine
from kv_server.engine.logged import Row, unpack_rows
from kv_server.engine.session import Lost, Session
from kv_server.model.container import CONTAINERS
from kv_server.model.entry import SCALAR, Loose
from kv_server.model.lock import Hold, Lock
from kv_server.model.space import Namespace
from kv_server.model.table import Table

__all__ = ["Recovery", "objects_of", "rows_of", "snapshot_frames"]

_ROWS_PER_STEP: Final = 2_000
_REWRITTEN: Final = 4 * MIB  # at a time


@define
class Recovery:
    """Reads what *survey* found into *engine*, which is empty. `steps` does it in slices."""

    disk: Disk
    survey: Survey
    engine: Engine
    snapshot: File | None = None
    revision: int = 0
    """The last revision that was read."""
    commits: int = 0
    keys: int = 0
    cut: Damage | None = None
    """Where the torn end of the log begins; `cut_bytes` is how long it is."""
    cut_bytes: int = 0
    beyond: list[File] = Factory(list)
    """Whole segments that belong to the torn end."""
    passed_over: list[Damage] = Factory(list)
    """Snapshots that could not be read, for which an older one stands in."""
    done_bytes: int = 0
    total_bytes: int = 0
    _file: str = ""
    _shards: int = 0
    """How many the store had that the snapshot is of."""
    _expected: int = 0
    """How many bytes of it each of these has, on average."""
    _synced: int = 0
    """The revision up to which the log says of itself that it is on the medium."""
    _ends: list[tuple[File, int, int]] = Factory(list)
    """The segments that were read: the last revision of each, and where that ends."""

    def steps(self) -> Iterator[None]:
        """Read on from pause to pause. Raises `Unreadable`, or `OSError`."""
        tx = self.engine.tx
        limit, tx.max_namespaces = tx.max_namespaces, sys.maxsize  # what there was, there may be
        try:
            yield from self._read()
        except (Unreadable, OSError):
            raise
        except Exception as error:
            raise Unreadable(
                f"{self._file}: what follows revision {self.revision} cannot be applied ({type(error).__name__})"
            ) from error
        finally:
            tx.max_namespaces = limit
        self.settle()

    def _read(self) -> Iterator[None]:
        found = self.survey
        for file in reversed(found.snapshots):
            try:
                yield from self._load(file)
            except Damage as damage:
                self.passed_over.append(damage)
                yield from self._forget()
            else:
                self.snapshot = file
                break
        since = self.snapshot.revision if self.snapshot is not None else 0
        logs = self._logs(since)
        if found.logs and logs[0].revision > since:
            what = f"the snapshot {self.snapshot.name}" if self.snapshot is not None else "the beginning"
            raise Unreadable(
                f"there is a gap in the log: nothing leads from {what} to {found.logs[0].name}{self._bad_snapshots}"
            )
        self._expect(logs)
        self.revision, last = since, logs[0].revision if logs else 0
        for at, file in enumerate(logs):
            if file.revision != last and at:
                self._tear(logs[at:], last)
                break
            last = yield from self._replay(file)
        if self.passed_over and self.revision < found.snapshots[-1].revision:
            raise Unreadable(f"what can be read ends at revision {self.revision}{self._bad_snapshots}")

    def _logs(self, since: int) -> list[File]:
        """The segments that go on after the revision *since*."""
        logs = self.survey.logs
        before = [file for file in logs if file.revision <= since]
        return [*before[-1:], *(file for file in logs if file.revision > since)]

    def _expect(self, files: Iterable[File]) -> None:
        """Of all that is to be read, *files* are left."""
        self.total_bytes = self.done_bytes + sum(file.size for file in files)

    @property
    def _bad_snapshots(self) -> str:
        return "".join(f"; {damage}" for damage in self.passed_over)

    def _tear(self, files: list[File], last: int) -> None:
        """Nothing leads from the revision *last* to *files*: they are part of the torn end, if they may be."""
        first, (before, _, end) = files[0], self._ends[-1]
        hole = f"{first.name} begins after revision {first.revision}, and {before.name} ends at {last}, byte {end:,}"
        proofs = (frame for file in files for frame in frames_beyond(self.disk, file.name, 0, last))
        if first.revision < last or next(proofs, None) is not None:
            damage = f": {self.cut}" if self.cut is not None else ""
            raise Unreadable(f"there is a gap in the log: {hole}{damage}{self._bad_snapshots}")
        if self.cut is None:
            self.cut = Damage(first.name, 0, hole, torn=True)
        self.cut_bytes += sum(file.size for file in files)
        self.beyond = files

    # ---- a snapshot
    def _load(self, file: File) -> Iterator[None]:
        counts = {"keys": 0, "locks": 0, "sessions": 0}
        before = self.done_bytes
        self._file = file.name
        self._expect([file, *self._logs(file.revision)])
        for frame in snapshot_frames(self.disk, file):
            self.done_bytes = before + frame.end
            if not frame.at:
                self._shards = head_of(file.name, frame)[0].shards
                self._expected = file.size // self._shards
            elif frame.kind == BLOCK:
                for thing in things(octets_of(frame)):
                    self.put(thing, counts)
                    yield
            elif frame.kind == END and unpackb(frame.payload) != counts:
                raise Unreadable(f"{file.name} holds {counts}, and says something else at its end")
        self.keys = counts["keys"]

    def _forget(self) -> Iterator[None]:
        """Let go of what was read of a snapshot that turned out to be damaged."""
        engine, secrets = self.engine, self.engine.tx.secrets
        for session in secrets.values():
            engine.sessions.pop(session.id, None)
        secrets.clear()
        for name in list(engine.store.namespaces):
            engine.store.drop(name)
        while engine.store.free_some():
            yield

    def put(self, thing: list[Any], counts: dict[str, int]) -> None:
        """Take in what a snapshot says of some keys, locks or sessions."""
        store = self.engine.store
        kind = thing[0]
        if kind == SESSIONS:
            for row in thing[1]:
                self._put_session(row)
            counts["sessions"] += len(thing[1])
            return
        space = store.namespace(thing[1])
        if kind == LOCKS:
            for name, *facts in thing[2]:
                hold = Hold(*facts)
                held = space.locks.get(name)
                if held is None:
                    held = Lock()
                    space.put_lock(name, held)
                held.add(hold)
                space.grow_locks(hold.weight)
                store.leases.add(hold.until_ms, (space.name, name, hold.token))
            counts["locks"] += len(thing[2])
        elif kind == SCALARS:
            counts["keys"] += self._put_scalars(space, thing[2], thing[3:])
        elif kind == COLLECTIONS:
            for entry_kind, key, dumped, version, expires_ms in thing[3]:
                value = dumped if entry_kind == SCALAR else CONTAINERS[entry_kind].load(dumped)
                table = self.engine.tx.table_of(space, key)
                table.put(key, Loose(entry_kind, value, version, expires_ms))
                store.schedule(space, table)
            counts["keys"] += len(thing[3])

    def _put_scalars(self, space: Namespace, shard: int, columns: list[Any]) -> int:
        """Many at once, where they belong if the store has as many shards as it had; how many there were."""
        store = self.engine.store
        if store.shards == self._shards:
            table = store.table(space, shard)
            count = put(table, columns, self._expected)
            store.schedule(space, table)
            return count
        parts: dict[Table, list[tuple[bytes, bytes, int, int]]] = {}
        for row in rows_in(columns):
            parts.setdefault(self.engine.tx.table_of(space, row[0]), []).append(row)
        for table, rows in parts.items():
            put(table, list(map(list, zip(*rows, strict=True))))
            store.schedule(space, table)
        return sum(map(len, parts.values()))

    def _put_session(self, row: Sequence[Any]) -> None:
        number, secret, client, namespace, seen, answers, *user = row
        session = Session(number, secret, client, namespace, *user)
        session.login = None
        session.seen = seen
        for seq, reply, lost_at, size in answers:
            session.keep(seq, reply if lost_at is None else Lost(lost_at), size)
        self.engine.sessions[number] = self.engine.tx.secrets[secret] = session

    # ---- the log
    def _replay(self, file: File) -> Generator[None, None, int]:
        """Apply what is new in a segment; its last revision."""
        before, last = self.done_bytes, file.revision
        end = 0
        self._file = file.name
        self.cut, self.cut_bytes = None, 0
        try:
            for frame in read_frames(self.disk, file.name, file.revision):
                if not frame.at:
                    head_of(file.name, frame)
                end, last = frame.end, frame.stamp.revision
                self.done_bytes = before + end
                self._synced = max(self._synced, frame.stamp.synced)
                if last <= self.revision:
                    continue
                for at, row in enumerate(rows_of(frame) if frame.kind == GROUP else (), 1):
                    self.apply(row)
                    if not at % _ROWS_PER_STEP:
                        yield
                self.revision = last
                yield
        except Damage as damage:
            if not damage.torn:
                raise Unreadable(
                    f"{damage}, after revision {last}, although what follows was complete: the file was damaged. "
                    f"`kv-server check --repair` would drop all after that revision, and says what that is"
                ) from damage
            self.cut, self.cut_bytes = damage, file.size - damage.at
        self._ends.append((file, last, end))
        self.done_bytes = before + file.size
        return last

    def apply(self, row: Row) -> None:
        """Apply a commit, unless what was read before has it in it."""
        revision, now_ms, elapsed_ms, name, effects = row
        if revision <= self.revision:
            return
        tx = self.engine.tx
        tx.replay(Commit(revision, now_ms, elapsed_ms, name, effects))
        tx.effects.clear()
        tx.notices.clear()
        self.revision = revision
        self.commits += 1

    def secure(self) -> None:
        """Take the torn end of the log off, and write again what nobody knows to be on the medium: after a sync that
        failed it can be read, from the memory of the system, and a later sync would not write it. Raises `OSError`.
        """
        gone = [file.name for file in reversed(self.beyond)] + [file.name for file, _, end in self._ends if not end]
        for name in gone:
            self.disk.remove(name)
        if gone:
            self.disk.sync_folder()
        for file, last, end in self._ends:
            start = end
            if last > self._synced and end:
                frames = read_frames(self.disk, file.name, file.revision)
                start = next(frame.at for frame in frames if frame.stamp.revision > self._synced)
            if end and file.size > start:
                self._rewrite(file.name, start, end)

    def _rewrite(self, name: str, start: int, end: int) -> None:
        """Write the bytes of a file from *start* to its *end* as they are."""
        handle = self.disk.open(name)
        try:
            for at in range(start, end, _REWRITTEN):
                self.disk.write(handle, self.disk.read(name, at, min(_REWRITTEN, end - at)), at)
            self.disk.truncate(handle, end)
            self.disk.sync(handle)
        finally:
            self.disk.close(handle)

    def settle(self) -> None:
        """Let the engine go on where the files end."""
        engine = self.engine
        engine.set_clocks(engine.now_ms, engine.elapsed_ms)
        engine.tx.urgent = False
        engine.tx.space = None
        engine.tx.revision = self.revision + 1
        for session in engine.sessions.values():
            if session.lasting:
                engine.linger(session)


def snapshot_frames(disk: Disk, file: File) -> Iterator[Frame]:
    """The frames of a snapshot, which is whole. Raises `Damage`, or `Unreadable` if it is none of this version's."""
    end = 0
    for frame in read_frames(disk, file.name):
        if not frame.at:
            head_of(file.name, frame)
        yield frame
        end = frame.end
        if frame.kind == END:
            return
    raise Damage(file.name, end, "the end is missing", torn=False)


def octets_of(frame: Frame) -> bytes:
    """The bytes of a block of a snapshot, as they were before they were compressed."""
    payload = frame.payload
    return decompress(payload) if payload[:1] == COMPRESSED else payload


def objects_of(frame: Frame) -> Iterator[list[Any]]:
    """What a block of a snapshot says, piece by piece, as Python has it."""
    return any_things(octets_of(frame))


def rows_of(frame: Frame) -> Iterator[Row]:
    """The commits of a group: revision, both clocks, namespace, effects."""
    return unpack_rows(frame.payload)
