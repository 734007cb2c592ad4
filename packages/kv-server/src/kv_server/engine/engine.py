"""The engine: an executor that lives in time. Sessions come and go; keys, leases, waits and sessions fall due."""

from __future__ import annotations

from itertools import count
from random import Random
from typing import Final

from attrs import define, frozen

from kv_protocol.errors import ShuttingDown
from kv_protocol.limits import MAX_NAMESPACES, MAX_PARKED, SESSION_LINGER_MS
from kv_protocol.types import ClientInfo
from kv_server.engine.executor import PARKED, Executor
from kv_server.engine.gates import CLOSED
from kv_server.engine.rows import EXPIRED, LAPSED
from kv_server.engine.session import Outbox, Session
from kv_server.engine.tx import Tx
from kv_server.engine.waiting import Parked, Subscription
from kv_server.model.store import Store
from kv_server.spec.catalog import Catalog

__all__ = ["PARKED", "Caller", "Engine", "Limits", "Start"]

_EXPIRED_PER_SLICE: Final = 1_000
_EPOCH_2025: Final = 1_735_689_600


@frozen
class Limits:
    """The maxima an operator may set."""

    namespaces: int = MAX_NAMESPACES
    parked: int = MAX_PARKED


@frozen
class Start:
    """What an engine takes from the world when it begins."""

    now_ms: int
    elapsed_ms: int
    epoch: int
    seed: bytes
    dice: Random


@define
class Solitary:
    """The node of an engine that no server surrounds."""

    engine: Engine

    def clients(self) -> list[ClientInfo]:
        return []

    def facts(self) -> dict[str, dict[str, int | float | str]]:
        return {}


class Engine(Executor):
    """A store with its commands, sessions and watchers."""

    def __init__(self, catalog: Catalog, *, start: Start, shards: int = 256, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.sessions: dict[int, Session] = {}
        store = Store(shards, start.seed)
        super().__init__(store, Tx(store, self.sessions, start.dice, self.limits.namespaces), self.limits.parked)
        self.catalog = catalog
        self.epoch = start.epoch
        self.dice = start.dice
        self.started_ms = start.elapsed_ms
        self.secrets: dict[bytes, Session] = {}
        self.tx.revision = (max(0, start.now_ms // 1000 - _EPOCH_2025) << 22) + 1
        self.tx.waiting_for = lambda room, name: self.watchers.waiting_for(self.tx.name, room, name)
        self.node = Solitary(self)
        self.expired = 0
        self.expiry_lag_ms = 0
        self._numbers = count(1)
        self.set_clocks(start.now_ms, start.elapsed_ms)

    def set_clocks(self, now_ms: int, elapsed_ms: int) -> None:
        """Say what time it is."""
        self.now_ms = self.tx.now_ms = now_ms
        self.elapsed_ms = self.tx.elapsed_ms = elapsed_ms

    def caller(self, session: Session, request_id: int) -> Caller:
        return Caller(self, session, request_id)

    # ---- sessions
    def open_session(self, outbox: Outbox, client: str, namespace: bytes, secret: bytes | None) -> tuple[Session, bool]:
        """The session that *secret* resumes, or a new one; True if resumed. An older connection of it is closed."""
        session = self.secrets.get(secret) if secret is not None else None
        resumed = session is not None
        if session is None:
            session = Session(next(self._numbers), self.dice.randbytes(16), client, namespace)
            self.sessions[session.id] = session
            self.secrets[session.secret] = session
        elif session.outbox is not None:
            older = session.outbox
            self.detach(session, older)
            older.close(ShuttingDown("the session goes on on another connection"))
        session.client = client
        session.namespace = namespace
        session.outbox = outbox
        return session, resumed

    def detach(self, session: Session, outbox: Outbox) -> None:
        """The connection behind *outbox* is gone: withdraw what waits there, begin the session's last minute."""
        if session.outbox is not outbox:
            return
        session.outbox = None
        for call in list(session.waiting.values()):
            self.withdraw(call)
        session.ends_ms = self.elapsed_ms + SESSION_LINGER_MS
        self.due.add(session.ends_ms, session)

    def close_session(self, session: Session) -> None:
        """End *session* together with its connection: it cannot be resumed."""
        session.outbox = None
        for call in list(session.waiting.values()):
            self.withdraw(call)
        self.sessions.pop(session.id, None)
        self.secrets.pop(session.secret, None)

    def drain(self) -> None:
        """Refuse new calls from here on, and tell those that wait."""
        self.open = CLOSED
        for session in self.sessions.values():
            for call in list(session.waiting.values()):
                self.withdraw(call)
                call.outbox.fail(call.request_id, ShuttingDown("the server is shutting down; nothing was applied"))

    # ---- what falls due
    def advance(self, now_ms: int, elapsed_ms: int) -> bool:
        """Set the clocks and do one slice of what is due by then; True if more is due already."""
        self.set_clocks(now_ms, elapsed_ms)
        store = self.store
        self.end_leases()
        while (what := self.due.take(elapsed_ms)) is not None:
            if isinstance(what, Session):
                del self.sessions[what.id], self.secrets[what.secret]
            else:
                self.retry(what, final=True)
                self.serve()
        more = self.expire()
        if store.garbage:
            more = store.free_some() or more
        return more

    def next_due_ms(self) -> int | None:
        """When, on the elapsed clock, `advance` next has something to do; None if never."""
        store = self.store
        times = [first for first in (self.due.first_ms, store.leases.first_ms) if first is not None]
        if store.due.first_ms is not None:
            times.append(store.due.first_ms - self.now_ms + self.elapsed_ms)
        if store.garbage:
            times.append(self.elapsed_ms)
        return min(times, default=None)

    def expire(self) -> bool:
        """Drop one slice of the keys that are past their deadline; True if there are more."""
        store, tx = self.store, self.tx
        left = _EXPIRED_PER_SLICE
        while left and (found := store.due_key(self.now_ms)) is not None:
            space = found[0]
            tx.start(space.name, None)
            while left and found is not None and found[0] is space:
                left -= 1
                entry = tx.table_of(space, found[1])[found[1]]
                self.expiry_lag_ms = self.now_ms - entry.expires_ms
                tx.key_drop(found[1], EXPIRED)
                found = store.due_key(self.now_ms)
            self.seal()
            self.serve()
        self.expired += _EXPIRED_PER_SLICE - left
        return store.due_key(self.now_ms) is not None

    def sweep(self) -> None:
        while self.expire():
            pass

    def end_leases(self) -> None:
        """Take the locks away whose leases have ended."""
        tx = self.tx
        while (found := self.store.leases.take(self.elapsed_ms)) is not None:
            namespace, lock = found
            tx.start(namespace, None)
            tx.lock_drop(lock, LAPSED)
            self.seal()
            self.serve()

    def pends(self, due_ms: int, what: Parked | Session) -> bool:
        """Whether *what* still ends at *due_ms*: a call that waits, a session without a connection."""
        if isinstance(what, Parked):
            return bool(what.places)
        return what.outbox is None and what.ends_ms == due_ms and what.id in self.sessions

    def statistics(self) -> dict[str, int]:
        """Figures about the engine as it is."""
        return {
            "revision": self.revision,
            "calls": self.calls,
            "keys": sum(map(len, self.store.namespaces.values())),
            "namespaces": len(self.store.namespaces),
            "expired_keys": self.expired,
            "expiry_lag_ms": self.expiry_lag_ms,
            "locks": sum(len(space.locks) for space in self.store.namespaces.values()),
            "sessions": len(self.sessions),
            "waiting_calls": sum(len(session.waiting) for session in self.sessions.values()),
            "kept_answers": sum(len(session.answers) for session in self.sessions.values()),
        }


class Caller:
    """What a command about its own session gets: that, the engine, and the id under which it may go on replying."""

    __slots__ = ("engine", "request_id", "session")

    def __init__(self, engine: Engine, session: Session, request_id: int) -> None:
        self.engine = engine
        self.session = session
        self.request_id = request_id

    def subscribe(self, keys: tuple[bytes, ...], prefix: bytes | None, credit: int, values: bool) -> Subscription:
        """Open a subscription under the id of this call."""
        watch = Subscription(self.session, self.request_id, self.engine.tx.name, keys, prefix, credit, values)
        self.session.waiting[self.request_id] = watch
        self.engine.watchers.subscribe(watch)
        return watch
