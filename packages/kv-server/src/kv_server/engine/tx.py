"""What a command sees: reads, and one method per effect. Nothing else changes data.

An effect writes its row into `effects` and applies itself. Every change of a key passes one door, `touch`. A command
decides first and changes then: a call that raises has an empty `effects`. Replay calls the same methods with the rows
of a commit and so produces the same rows again.

Rows name the opcode first and the one name they are about second. Opcodes tell the room of that name by their high
digit: 0x1_ keys, 0x6_ locks, 0x7_ sessions, 0x8_ whole namespaces.
"""

from __future__ import annotations

from binascii import crc_hqx
from collections.abc import Callable
from random import Random
from typing import Any, Final, TypeVar

from msgpack import packb

from kv_protocol.errors import TooManyNamespaces, WrongType
from kv_protocol.limits import MAX_KEPT_ANSWER
from kv_protocol.names import slot
from kv_server.engine.before import Before
from kv_server.engine.commit import Commit, Effect
from kv_server.engine.session import Lost, Session
from kv_server.model.entry import SCALAR, Entry
from kv_server.model.lock import Lock
from kv_server.model.store import Namespace, Store
from kv_server.model.table import Table

__all__ = ["EFFECTS", "KINDS", "Tx"]

KEY_PUT: Final = 0x11
KEY_DROP: Final = 0x12
KEY_EXPIRY: Final = 0x13
KEY_MOVE: Final = 0x14
LOCK_GRANT: Final = 0x61
LOCK_EXTEND: Final = 0x62
LOCK_DROP: Final = 0x63
ANSWERED: Final = 0x71
NAMESPACE_FLUSH: Final = 0x81
NAMESPACE_DROP: Final = 0x82

DELETED: Final = 0  # causes of KEY_DROP
EXPIRED: Final = 1
EVICTED: Final = 2
MOVED: Final = 3
RELEASED: Final = 0  # causes of LOCK_DROP
LAPSED: Final = 1
BROKEN: Final = 2

KINDS: Final = {SCALAR: "scalar"}
EFFECTS: dict[int, Callable[..., Any]] = {}

_SMALL: Final = (int, bool, type(None), float)

F = TypeVar("F", bound=Callable[..., Any])


def effect(opcode: int) -> Callable[[F], F]:
    """Enter a method of `Tx` into the table of effects."""

    def enter(method: F) -> F:
        assert opcode not in EFFECTS, f"two effects with opcode {opcode:#x}"
        EFFECTS[opcode] = method
        return method

    return enter


class Tx:
    """One transaction at a time: `start`, then reads and effects, then the executor takes `effects` away."""

    def __init__(self, store: Store, sessions: dict[int, Session], dice: Random, max_namespaces: int) -> None:
        self.waiting_for: Callable[[int, bytes], int] = lambda room, name: 0
        self.store = store
        self.sessions = sessions
        self.dice = dice
        self.max_namespaces = max_namespaces
        self.revision = 0
        self.now_ms = 0
        self.elapsed_ms = 0
        self.session: Session | None = None
        self.name = b""
        self.space: Namespace | None = None
        self.effects: list[Effect] = []
        self.notices: list[tuple[int, bytes, bytes, int, str]] = []
        self.before: Before | None = None
        self.last_key: bytes | None = None
        self.last_entry: Entry | None = None
        self.last_table = store.empty

    def start(self, namespace: bytes, revision: int, now_ms: int, elapsed_ms: int, session: Session | None) -> None:
        """Begin anew, in *namespace*, with what time and the caller are."""
        self.name = namespace
        self.space = self.store.namespaces.get(namespace)
        self.revision = revision
        self.now_ms = now_ms
        self.elapsed_ms = elapsed_ms
        self.session = session
        self.last_key = None

    # ---- reads
    def find(self, key: bytes) -> Entry | None:
        """The live entry at *key*, of whatever kind."""
        if key is self.last_key:
            return self.last_entry
        space = self.space
        if space is None:
            return None
        number = slot(key) if b"{" in key else crc_hqx(key, 0) & 16383
        table = space.tables[number >> self.store.shift]
        entry = table.get(key)
        if entry is not None and entry.expires_ms and entry.expires_ms <= self.now_ms:
            entry = None
        self.last_key = key
        self.last_entry = entry
        self.last_table = table
        return entry

    def exists(self, key: bytes) -> bool:
        return self.find(key) is not None

    def exists_in(self, namespace: bytes, key: bytes) -> bool:
        """Whether *key* lives in another *namespace*."""
        space = self.store.namespaces.get(namespace)
        entry = space.tables[slot(key) >> self.store.shift].get(key) if space is not None else None
        return entry is not None and not 0 < entry.expires_ms <= self.now_ms

    def value(self, key: bytes) -> bytes | None:
        """The value blob at *key*; a collection there is the wrong type."""
        entry = self.find(key)
        if entry is None:
            return None
        if entry.kind != SCALAR:
            raise WrongType(
                "Operation against a key holding the wrong kind of value",
                {"expected": "scalar", "found": KINDS[entry.kind]},
            )
        return entry.value

    def lock(self, name: bytes) -> Lock | None:
        """The lock called *name* if it is held now."""
        held = self.space.locks.get(name) if self.space is not None else None
        return held if held is not None and held.until_ms > self.elapsed_ms else None

    def locks(self) -> list[tuple[bytes, Lock]]:
        """Every held lock of the namespace."""
        if self.space is None:
            return []
        return [(name, held) for name, held in self.space.locks.items() if held.until_ms > self.elapsed_ms]

    def count(self) -> int:
        return len(self.space) if self.space is not None else 0

    def scan(self, cursor: int, wanted: int) -> tuple[int, list[bytes]]:
        """One page of live keys and the cursor after it."""
        if self.space is None:
            return 0, []
        return self.store.scan(self.space, cursor, wanted)

    def random_key(self) -> bytes | None:
        """Any key, each as likely as the others."""
        at = self.dice.randrange(self.count()) if self.count() else -1
        for table in self.space.live_tables() if self.space is not None else ():
            if at < len(table):
                return list(table)[at]
            at -= len(table)
        return None

    # ---- the one door
    def touch(self, key: bytes) -> Entry | None:
        """Make ready to change *key*: keep what a block must be able to put back, drop what is past its deadline."""
        entry = self.find(key)
        if self.before is not None:
            self.before.keep_key(self.name, key)
        if entry is None:
            stale = self.table_of(self.open_namespace(), key).get(key)
            if stale is not None:
                self.key_drop(key, EXPIRED)
            self.last_key = None
        return entry

    def open_namespace(self) -> Namespace:
        """The namespace of this transaction, made if it is new."""
        if self.space is None:
            self.space = self.namespace(self.name)
        return self.space

    def namespace(self, name: bytes) -> Namespace:
        """The namespace called *name*, made if it is new and may be."""
        spaces = self.store.namespaces
        if name not in spaces and len(spaces) >= self.max_namespaces:
            raise TooManyNamespaces(
                f"the server has its {self.max_namespaces} namespaces; drop one or raise --max-namespaces",
                {"limit": self.max_namespaces},
            )
        if self.before is not None and name not in spaces:
            self.before.made.append(name)
        return self.store.namespace(name)

    def table_of(self, space: Namespace, key: bytes) -> Table:
        return self.store.table(space, slot(key) >> self.store.shift)

    # ---- effects on keys
    @effect(KEY_PUT)
    def key_put(self, key: bytes, value: bytes, expires_ms: int) -> None:
        """Set *key* to the value blob *value*, whatever it was, to expire at *expires_ms* (0: never)."""
        entry = self.touch(key)
        self.effects.append((KEY_PUT, key, value, expires_ms))
        if entry is None:
            entry = Entry(SCALAR, value, self.revision, expires_ms)
            space = self.open_namespace()
            table = self.table_of(space, key)
            table.put(key, entry)
            self.last_key, self.last_entry, self.last_table = key, entry, table
        else:
            table = self.last_table
            table.bytes += len(value) - len(entry.value)
            entry.kind = SCALAR
            entry.value = value
            entry.version = self.revision
            if entry.expires_ms == expires_ms:
                return
            space = self.open_namespace()
            table.set_expiry(key, entry, expires_ms)
        if expires_ms:
            self.store.schedule(space, table)

    @effect(KEY_DROP)
    def key_drop(self, key: bytes, cause: int) -> None:
        """Take *key* away: deleted, expired, evicted."""
        if self.before is not None:
            self.before.keep_key(self.name, key)
        self.effects.append((KEY_DROP, key, cause))
        self.table_of(self.open_namespace(), key).remove(key)
        self.last_key = None

    @effect(KEY_EXPIRY)
    def key_expiry(self, key: bytes, expires_ms: int) -> None:
        """Let *key* expire at *expires_ms* (0: never). Its version stays."""
        entry = self.touch(key)
        assert entry is not None
        self.effects.append((KEY_EXPIRY, key, expires_ms))
        space = self.open_namespace()
        table = self.table_of(space, key)
        table.set_expiry(key, entry, expires_ms)
        if expires_ms:
            self.store.schedule(space, table)

    @effect(KEY_MOVE)
    def key_move(self, key: bytes, namespace: bytes, target: bytes) -> None:
        """Give the entry at *key* the name *target* in *namespace*, in the place of whatever is there."""
        home = self.namespace(namespace)
        entry = self.touch(key)
        assert entry is not None
        self.effects.append((KEY_MOVE, key, namespace, target))
        self.table_of(self.open_namespace(), key).remove(key)
        self.last_key = None
        table = self.table_of(home, target)
        old = table.get(target)
        if self.before is not None:
            self.before.keep_key(namespace, target)
        if old is not None:
            table.remove(target)
        entry.version = self.revision
        table.put(target, entry)
        self.store.schedule(home, table)

    # ---- effects on locks
    @effect(LOCK_GRANT)
    def lock_grant(self, name: bytes, token: int, session: int, owner: str, lease_ms: int) -> None:
        """Give the lock *name* to *session* under *token* for *lease_ms* from now."""
        space = self.open_namespace()
        if self.before is not None:
            self.before.keep_lock(self.name, name)
        self.effects.append((LOCK_GRANT, name, token, session, owner, lease_ms))
        until_ms = self.elapsed_ms + lease_ms
        space.locks[name] = Lock(token, session, owner, self.elapsed_ms, until_ms)
        self.store.leases.add(until_ms, (self.name, name))

    @effect(LOCK_EXTEND)
    def lock_extend(self, name: bytes, lease_ms: int) -> None:
        """Let the lease of *name* end *lease_ms* from now."""
        space = self.open_namespace()
        if self.before is not None:
            self.before.keep_lock(self.name, name)
        self.effects.append((LOCK_EXTEND, name, lease_ms))
        held = space.locks[name]
        held.until_ms = self.elapsed_ms + lease_ms
        held.renewals += 1
        self.store.leases.add(held.until_ms, (self.name, name))

    @effect(LOCK_DROP)
    def lock_drop(self, name: bytes, cause: int) -> None:
        """Take the lock *name* from its holder, who is told unless it asked."""
        space = self.open_namespace()
        if self.before is not None:
            self.before.keep_lock(self.name, name)
        self.effects.append((LOCK_DROP, name, cause))
        held = space.locks.pop(name)
        if cause != RELEASED:
            why = "expired" if cause == LAPSED else "broken"
            self.notices.append((held.session, self.name, name, held.token, why))

    # ---- effects on sessions
    @effect(ANSWERED)
    def answered(self, session_id: int, seq: int, reply: Any, lost: bool = False) -> None:
        """Keep *reply* as the answer of the session to its call *seq*, so that a repeat runs nothing.

        One that is too large is *lost*: only that there was one is kept.
        """
        if type(reply) in _SMALL:
            size = 9
        elif type(reply) is bytes:
            size = len(reply) + 5
        else:
            size = reply_size(reply)
        if size > MAX_KEPT_ANSWER:
            reply, size, lost = None, 9, True
        self.effects.append((ANSWERED, session_id, seq, reply, lost))
        session = self.sessions.get(session_id)
        if session is not None:
            session.keep(seq, Lost(self.revision) if lost else reply, size)

    # ---- effects on whole namespaces
    @effect(NAMESPACE_FLUSH)
    def namespace_flush(self, name: bytes) -> None:
        """Take every key of the namespace *name* away; its locks stay."""
        self.effects.append((NAMESPACE_FLUSH, name))
        self.store.flush(self.store.namespaces[name])
        self.last_key = None

    @effect(NAMESPACE_DROP)
    def namespace_drop(self, name: bytes) -> None:
        """Take the namespace *name* away with keys and locks."""
        space = self.store.namespaces[name]
        for lock in list(space.locks):
            held = space.locks[lock]
            self.notices.append((held.session, name, lock, held.token, "broken"))
        self.effects.append((NAMESPACE_DROP, name))
        self.store.drop(name)
        if name == self.name:
            self.space = None
        self.last_key = None

    # ---- blocks and replay
    def open_block(self) -> None:
        """From here on, keep what is changed as it was."""
        self.before = Before(self.store)

    def close_block(self, *, keep: bool) -> None:
        """End the block; unless *keep*, put everything back as it was."""
        before, self.before = self.before, None
        assert before is not None
        if not keep:
            before.put_back()
            self.effects = []
            self.notices = []
            self.last_key = None

    def replay(self, commit: Commit) -> None:
        """Apply the rows of *commit* as they were applied when it was made."""
        self.start(commit.namespace, commit.revision, commit.now_ms, commit.elapsed_ms, None)
        for opcode, *arguments in commit.effects:
            EFFECTS[opcode](self, *arguments)


def reply_size(reply: Any) -> int:
    """What *reply* takes on the wire."""
    packed: bytes = packb(reply, unicode_errors="surrogateescape")
    return len(packed)
