"""A snapshot: the whole store as it was at one revision, copied in slices while the store goes on.

What has not been copied yet is watched: before its first change a key is put into the snapshot as it is (every change
asks `tx.before`). Tables that were emptied or renamed meanwhile are kept until they were copied. So a slice costs the
loop a bounded time, unless a single collection is so large that it takes longer.
"""

from __future__ import annotations

import contextlib
from typing import Any, Final
from zlib import compress

from attrs import define
from msgpack import Packer, packb

from kv_protocol.limits import KIB, MIB
from kv_protocol.names import slot
from kv_server.durability.blocks import SCALARS, Walk
from kv_server.durability.disk import Disk
from kv_server.durability.frames import BLOCK, END, HEAD, Stamp, pack
from kv_server.durability.journal import TEMPORARY, Origin
from kv_server.engine.engine import Engine
from kv_server.engine.session import Lost, Session
from kv_server.model.entry import SCALAR, Entry
from kv_server.model.table import Table

__all__ = ["COLLECTIONS", "COMPRESSED", "LOCKS", "SCALARS", "SESSIONS", "Snapshot", "Writer", "snapshot_name"]

COLLECTIONS: Final = 2  # namespace, shard, then for each: kind, key, what it dumped, version, expiry
LOCKS: Final = 3  # namespace, then for each: name, token, session, owner, granted, until, renewals, most, keys
SESSIONS: Final = 4  # for each: id, secret, client, namespace, seen, answers (seq, reply, lost at, size), user
COMPRESSED: Final = b"x"  # begins what zlib made, and nothing that msgpack makes of arrays

_SCALARS: Final = bytes((0x97, SCALARS))  # an array of seven, that of scalars

_SLICE_KEYS: Final = 256
_SLICE_BYTES: Final = 64 * KIB
_ENOUGH: Final = 32 * KIB  # of small tables before the others have their turn
_LEVEL: Final = 1  # of compression: more costs much and gains little
_SAMPLES: Final = 31  # of a block, everywhere in it, show whether it is worth it
_SAMPLE: Final = 256
_SYNCED: Final = 1 * MIB  # is written at most before a sync, so that nobody waits long for the disk because of us


def snapshot_name(revision: int) -> str:
    """The name of the snapshot of *revision*."""
    return f"snapshot-{revision:016x}.kvsnap"


@define(eq=False)
class Part:
    """A table that has yet to be copied: whose it was, which keys were copied before their turn, or came since, and how
    far it was gone through, once that was begun.
    """

    namespace: bytes
    shard: int
    done: set[bytes]
    walk: Walk | None = None


class Snapshot:
    """Copies *engine* as it is after its commit *revision*; `step` says it in pieces. `end` must be called, whatever
    becomes of it.
    """

    def __init__(self, engine: Engine, revision: int) -> None:
        self.revision = revision
        self.now_ms, self.elapsed_ms = engine.now_ms, engine.elapsed_ms
        self.keys = self.locks = self.sessions = 0
        self.made: list[bytes] = []
        self._engine = engine
        self._store = store = engine.store
        self._parts: dict[Table, Part] = {}
        self._early: list[tuple[Part, tuple[Any, ...]]] = []
        self._pack = Packer(unicode_errors="surrogateescape").pack
        for name, space in store.namespaces.items():
            for shard, table in enumerate(space.tables):
                if table:
                    self._parts[table] = Part(name, shard, set())
        sessions = [_session_row(session) for session in engine.sessions.values() if session.lasting]
        locks = {
            name: [(lock, *hold.facts()) for lock, held in space.locks.items() for hold in held.values()]
            for name, space in store.namespaces.items()
        }
        self._rest: list[list[Any]] = [[LOCKS, name, rows] for name, rows in locks.items()]
        if sessions:
            self._rest.append([SESSIONS, sessions])
        self.locks = sum(map(len, locks.values()))
        self.sessions = len(sessions)
        assert engine.tx.before is None
        engine.tx.before = self
        store.frozen = True

    def end(self) -> None:
        """Watch nothing any more."""
        self._engine.tx.before = None
        self._store.frozen = False
        self._parts.clear()

    # ---- what is about to change: `tx.before`
    def keep_key(self, namespace: bytes, key: bytes) -> None:
        """Put *key* into the snapshot as it is, unless it was there already."""
        space = self._store.namespaces.get(namespace)
        if space is None:
            return
        table = space.tables[slot(key) >> self._store.shift]
        part = self._parts.get(table)
        if part is None or key in part.done or (part.walk is not None and part.walk.passed(key)):
            return
        part.done.add(key)
        entry = table.get(key)
        if entry is not None:
            self._early.append((part, _row(key, entry)))

    def keep_lock(self, namespace: bytes, name: bytes) -> None:
        """Locks were copied at the beginning."""

    # ---- copying
    def step(self) -> bytes | None:
        """The next piece, None after the last. Between two pieces the store may change."""
        made: list[bytes] = []
        if self._parts:
            size = 0
            while self._parts and size < _ENOUGH:
                table, part = next(iter(self._parts.items()))
                size += self._copy(table, part, made)
        elif self._rest:
            made.append(self._pack(self._rest.pop()))
        elif not self._early:
            return None
        early, self._early = self._early, []
        made += (self._pack([COLLECTIONS, part.namespace, part.shard, [row]]) for part, row in early)
        self.keys += len(early)
        return b"".join(made)

    def _copy(self, table: Table, part: Part, made: list[bytes]) -> int:
        """Copy a slice of *table* that has not changed yet; about how many bytes that was."""
        if part.walk is None:
            part.walk = Walk(table)
        average = table.bytes // max(1, len(table)) + 1
        scalars, columns, rest = part.walk.slice(max(1, min(_SLICE_KEYS, _SLICE_BYTES // average)), part.done)
        if part.walk.over:
            del self._parts[table]
        if rest:
            rows = [_row(key, entry) for key, entry in rest]
            made.append(self._pack([COLLECTIONS, part.namespace, part.shard, rows]))
        if scalars:
            made += (_SCALARS, self._pack(part.namespace), self._pack(part.shard), columns)
        self.keys += scalars + len(rest)
        return average * (scalars + len(rest))


class Writer:
    """The file of a snapshot. What it does may happen in any thread, one call after the other."""

    def __init__(self, disk: Disk, origin: Origin, snapshot: Snapshot) -> None:
        self.bytes = 0
        self._disk = disk
        self._pays = False
        self._name = snapshot_name(snapshot.revision)
        self._stamp = Stamp(snapshot.revision, 0, snapshot.now_ms, snapshot.elapsed_ms)
        self._handle = disk.create(self._name + TEMPORARY)
        try:
            self._put(HEAD, packb(origin.head("snapshot", snapshot.revision)))
        except OSError:
            self.give_up()
            raise
        self._synced = self.bytes

    def add(self, piece: bytes) -> None:
        """Write one block, compressed if what is written now becomes half as long by that."""
        if self._synced == self.bytes:
            sample = b"".join(piece[at : at + _SAMPLE] for at in range(0, len(piece), len(piece) // _SAMPLES + 1))
            self._pays = len(compress(sample, _LEVEL)) < len(sample) // 2
        self._put(BLOCK, compress(piece, _LEVEL) if self._pays else piece)
        if self.bytes - self._synced >= _SYNCED:
            self._disk.sync(self._handle)
            self._synced = self.bytes

    def finish(self, snapshot: Snapshot) -> None:
        """Write the end, and let the file appear under its name once all of it is on the medium."""
        self._put(END, packb({"keys": snapshot.keys, "locks": snapshot.locks, "sessions": snapshot.sessions}))
        self._disk.sync(self._handle)
        handle, self._handle = self._handle, -1
        self._disk.close(handle)
        self._disk.rename(self._name + TEMPORARY, self._name)
        self._disk.sync_folder()

    def give_up(self) -> None:
        """Leave no half of a file behind, if the disk lets us."""
        with contextlib.suppress(OSError):
            if self._handle >= 0:
                self._disk.close(self._handle)
        with contextlib.suppress(OSError):
            self._disk.remove(self._name + TEMPORARY)

    def _put(self, kind: int, payload: bytes) -> None:
        data = pack(kind, self._stamp, payload, self.bytes)
        self._disk.write(self._handle, data, self.bytes)
        self.bytes += len(data)


def _row(key: bytes, entry: Entry) -> tuple[Any, ...]:
    value = entry.value if entry.kind == SCALAR else entry.value.dump()
    return entry.kind, key, value, entry.version, entry.expires_ms


def _session_row(session: Session) -> tuple[Any, ...]:
    answers = [
        (seq, None, reply.revision, size) if isinstance(reply, Lost) else (seq, reply, None, size)
        for seq, (reply, size) in session.answers.items()
    ]
    return session.id, session.secret, session.client, session.namespace, session.seen, answers, session.user
