"""GET and SET in their commonest form, from bytes to bytes, on kv's own door; the native twin runs INCR, DEL and lines
of the text door as well.

What is run swiftly passes the same gates, makes the same rows and counts as often as any call. Whatever is unusual
about a call, its key or who listens is left to the command itself: then a run ends before that call.
"""

from __future__ import annotations

from collections.abc import Mapping
from struct import Struct
from typing import Any, Final

from msgpack import unpackb

from kv_protocol.errors import KvError
from kv_protocol.messages import DEADLINE, SEEN, SEQ
from kv_protocol.values import check
from kv_server.commands.heads import BIN8, BIN32, NIL, START, UINT64, long_bin, one_byte, short_bin, uint64
from kv_server.engine.engine import Engine
from kv_server.engine.gates import FRESH, late, repeated
from kv_server.engine.rows import KEY_PUT
from kv_server.engine.session import Session
from kv_server.model.entry import SCALAR, Entry
from kv_server.model.sharding import shard_of
from kv_server.model.space import Namespace
from kv_server.spec.command import Command

__all__ = ["Swift", "swift_of"]

_HEAD: Final = 4  # octets before a frame
_ENDING: Final = b"ET"  # of both names, which begin and end between those octets
_NAME, _ARGUMENTS = 6, 14
_SHORT: Final = 4 * 1024  # octets of a frame that may be unpacked as it is, and of a value
_MOST_OUTPUT: Final = 1 << 20
_MAX_ID: Final = 2**32 - 1
_LEAST_S: Final = 5e-3  # calls of which shorter ones are to be seen are run one by one
_PLAIN_META: Final = frozenset((DEADLINE, SEQ, SEEN))

_length_at = Struct(">I").unpack_from


class Swift:
    """Runs the calls at the beginning of an input, as many as are of that form."""

    def __init__(self, engine: Engine) -> None:
        self.calls = 0
        """How many the last run had."""
        self.taken = 0
        """How many octets of its input the last run has read."""
        self._engine, self._tx, self._observation = engine, engine.tx, engine.observation
        self._commands = {word: engine.catalog.commands[word] for word in (b"GET", b"SET")}
        self._get = self._commands[b"GET"]
        self._opened = self._served = 0
        self._let: dict[bytes, Command] = {}
        """Those that the gates let through."""

    def native(self, session: Session, data: bytes) -> bytes:
        """Run frames of kv's own protocol, and return their answers."""
        self.calls = self.taken = 0
        if data.find(_ENDING, _NAME, _ARGUMENTS) < 0:
            return b""
        space = self._ready(session)
        if space is None:
            return b""
        engine, tx, observation, get = self._engine, self._tx, self._observation, self._get
        tables, shift, let, timer = space.tables, tx.store.shift, self._let, observation.ticks.read
        at, done, since, hits, misses, held, end = 0, 0, 0, 0, 0, 0, len(data)
        last, used, began, revision = None, b"", 0.0, 0
        out: list[bytes] = []
        while at + _HEAD < end and held < _MOST_OUTPUT:
            stop = at + _HEAD + _length_at(data, at)[0]
            if stop > end or stop - at > _SHORT:
                break
            try:
                if (call := _read(data[at + _HEAD : stop], let)) is None:
                    break
            except Exception:
                break
            request_id, command, key, value, meta = call
            if command is not last:
                if command is not get and not self._may_write():
                    break
                now = timer()
                if last is not None:
                    observation.ran(session, last, done - since, now - began, revision)
                last, since, began, revision = command, done, now, tx.revision
            shard = shard_of(key, shift)
            table = tables[shard]
            if table.cache is not None or (meta is not None and not self._fresh(session, meta)):
                break
            entry = table.get(key)
            if entry is not None and (entry.kind != SCALAR or 0 < entry.expires_ms <= tx.now_ms):
                break
            if command is not get:
                version = self._put(session, space, shard, entry, key, value, meta)
                out.append(uint64(16, START, request_id, UINT64, version))
                if engine.open is not self._served:
                    self._see_gates(session)
                    let = self._let
            elif entry is None:
                out.append(one_byte(8, START, request_id, NIL))
                misses += 1
            else:
                size = len(blob := entry.value)
                if size < 256:
                    out += (short_bin(size + 9, START, request_id, BIN8, size), blob)
                elif size <= _SHORT:
                    out += (long_bin(size + 12, START, request_id, BIN32, size), blob)
                    held += size
                else:
                    break
                hits += 1
            at, done, used = stop, done + 1, key
        if last is not None and done:
            self.calls, self.taken = done, at
            engine.calls += done
            engine.hits += hits
            engine.misses += misses
            tx.last_key, tx.last_entry = used, None
            if done > since:
                spent_s = timer() - began
                observation.ran(session, last, done - since, spent_s, revision)
                if spent_s > observation.least_s:
                    observation.see(session, last, [used], None, spent_s)
        return b"".join(out)

    def _ready(self, session: Session) -> Namespace | None:
        """The namespace of *session*, if calls can run there at all; sees to which of them may."""
        tx = self._tx
        tx.start(session.namespace, session)
        space = tx.space
        if space is None or space.cache is not None or tx.effects or self._observation.least_s < _LEAST_S:
            return None
        if session.open is not self._opened or self._engine.open is not self._served:
            self._see_gates(session)
        return space

    def _put(
        self, session: Session, space: Namespace, shard: int, entry: Entry | None, key: bytes, value: bytes, meta: Any
    ) -> int:
        """What the effect `key_put` does, without an expiry, and its commit; the version."""
        engine, tx = self._engine, self._tx
        version = tx.revision
        if entry is None:
            tx.store.table(space, shard).put(key, Entry(SCALAR, value, version, 0))
        else:
            table = space.tables[shard]
            table.replace(key, entry, value, version)
            if entry.expires_ms:
                table.set_expiry(key, entry, 0)
        if meta is not None or engine.journal is not None:
            tx.effects.append((KEY_PUT, key, value, 0))
            if meta is not None and meta.get(SEQ):
                tx.answered(session.id, meta[SEQ], version)
            if engine.journal is not None:
                engine.journal.append((version, tx.now_ms, tx.elapsed_ms, tx.name, tx.effects))
            tx.effects = []
        tx.revision = version + 1
        return version

    def _see_gates(self, session: Session) -> None:
        """See to which commands may be called."""
        self._opened, self._served = session.open, self._engine.open
        both = session.open & self._engine.open
        self._let = {word: command for word, command in self._commands.items() if both >> command.bit & 1}

    def _may_write(self) -> bool:
        """Whether nobody is to hear of each commit, and nothing is kept of what was before it."""
        engine, tx = self._engine, self._tx
        return tx.before is None and not (engine.sinks or engine.watchers.live or tx.notices)

    def _fresh(self, session: Session, meta: Any) -> bool:
        """Whether what *meta* says lets a call run; if not, the call itself says why."""
        if type(meta) is not dict or not meta.keys() <= _PLAIN_META:
            return False
        deadline = meta.get(DEADLINE)
        try:
            return repeated(session, meta.get(SEQ), meta.get(SEEN)) is FRESH and (
                deadline is None or not late(deadline, self._engine.elapsed_ms)
            )
        except KvError:
            return False


def _read(body: bytes, let: Mapping[bytes, Command]) -> tuple[int, Command, bytes, bytes, Any] | None:
    """Id, command, key, value (of GET none) and meta of a request of that form; None for one of another form.

    Raises anything at all where *body* is no request, or its value is none.
    """
    message = unpackb(body, raw=True, strict_map_key=False)
    parts, options, meta = len(message), None, None
    if parts == 3:
        request_id, name, args = message
    elif parts == 5:
        request_id, name, args, options, meta = message
    else:
        return None
    command, value = let.get(name), b""
    if command is None or options is not None or type(args) is not list or type(request_id) is not int:
        return None
    if name == b"GET":
        [key] = args
    else:
        key, value = args
        if type(value) is not bytes:
            return None
        check(value)
    if type(key) is not bytes or not 0 < request_id <= _MAX_ID:
        return None
    return request_id, command, key, value, meta


def swift_of(engine: object) -> Swift | None:
    """What runs calls of *engine* swiftly, if it is one that this is made for."""
    return Swift(engine) if isinstance(engine, Engine) else None
