"""The engine: an executor that lives in time. Sessions come and go; keys, leases, waits and sessions fall due."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, Final

from attrs import frozen

from kv_protocol.errors import KvError, ShuttingDown
from kv_protocol.limits import MAX_NAMESPACES, MAX_PARKED, SESSION_LINGER_MS
from kv_server.engine.access.access import Access
from kv_server.engine.caller import Caller
from kv_server.engine.executor import PARKED
from kv_server.engine.gates import CLOSED
from kv_server.engine.node import Node, Solitary
from kv_server.engine.observation import MOST_NOTED, Observation, who_is
from kv_server.engine.onlookers import NativeOnlooker
from kv_server.engine.room import Room
from kv_server.engine.rows import EXPIRED, LAPSED
from kv_server.engine.session import EVERYBODY, EVERYTHING, Login, Outbox, Session, Waiting
from kv_server.engine.several import Several
from kv_server.engine.tx import Tx
from kv_server.engine.waiting import Alarm, Parked
from kv_server.model.store import Store
from kv_server.spec.catalog import Catalog
from kv_server.spec.command import Command, Flag

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


class Engine(Several):
    """A store with its commands, sessions and watchers."""

    tx_class = Tx

    def __init__(self, catalog: Catalog, *, start: Start, shards: int = 256, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.sessions: dict[int, Session] = {}
        store = Store(shards, start.seed)
        super().__init__(
            store, self.tx_class(store, self.sessions, start.dice, self.limits.namespaces), self.limits.parked
        )
        self.catalog = catalog
        self.epoch = start.epoch
        self.dice = start.dice
        self.started_ms = start.elapsed_ms
        self.tx.revision = 1
        self.raise_revision(start.now_ms)
        self.tx.waiting_for = lambda room, name, kin=None: self.watchers.waiting_for(self.tx.name, room, name, kin)
        self.tx.audience = lambda channel, sharded: self.channels.audience(self.tx.name, channel, sharded)
        self.room = Room(self)
        self.tx.afford = self.room.afford
        self.steering = catalog.bits(Flag.STEERS)
        self.listening = catalog.bits(Flag.LISTENS)
        self.node: Node = Solitary(self)
        self.access = Access(self)
        self.expired = 0
        self.expiry_lag_ms = 0
        self.last_session = 0
        self.loading = False
        """Nobody knows yet which sessions there are."""
        self.set_clocks(start.now_ms, start.elapsed_ms)
        self.observation = Observation(self)

    def set_clocks(self, now_ms: int, elapsed_ms: int) -> None:
        """Say what time it is."""
        self.now_ms = self.tx.now_ms = now_ms
        self.elapsed_ms = self.tx.elapsed_ms = self.store.elapsed_ms = elapsed_ms

    def caller(self, session: Session, request_id: int, command: Command) -> Caller:
        return Caller(self, session, request_id, command)

    def raise_revision(self, now_ms: int) -> None:
        """Let the next revision be above all that any start before *now_ms* can have given out."""
        self.tx.revision = max(self.tx.revision, (max(0, now_ms // 1000 - _EPOCH_2025) << 22) + 1)

    def admit(self, command: Command, args: Any, options: Any, namespace: bytes, again: bool) -> None:
        self.room.admit(command, args, options, namespace, again)

    def make_room(self) -> None:
        self.room.make_room()

    def denied(self, session: Session, command: Command, error: KvError) -> KvError:
        return self.access.denied(session, command, error)

    # ---- sessions
    def open_session(
        self, outbox: Outbox, client: str, namespace: bytes, secret: bytes | None, login: Login = EVERYBODY
    ) -> tuple[Session, bool]:
        """The session of its user that *secret* resumes, or a new one; True if resumed. An older connection of it is
        closed.
        """
        if self.loading:
            raise self.refusal()
        tx = self.tx
        session = tx.secrets.get(secret) if secret is not None else None
        if session is not None and session.user != login.user:
            session = None
        resumed = session is not None
        self.room.check_connection(namespace, session)
        if session is None:
            self.last_session += 1
            tx.start(namespace, None)
            tx.session_open(self.last_session, self.dice.randbytes(16), client, namespace, login.user)
            self.seal()
            session = self.sessions[self.last_session]
        elif session.outbox is not None:
            older = session.outbox
            self.detach(session, older)
            older.close(ShuttingDown("the session goes on on another connection"))
        session.client = client
        session.namespace = namespace
        session.outbox = outbox
        self.access.admit(session, login)
        return session, resumed

    def open_line(self, outbox: Outbox, namespace: bytes, login: Login | None = EVERYBODY) -> Session:
        """A session that ends with its connection, and that nobody else hears of."""
        self.room.check_connection(namespace)
        self.last_session += 1
        session = Session(self.last_session, b"", "", namespace)
        session.lasting = False
        session.outbox = outbox
        self.sessions[session.id] = session
        self.access.admit(session, login)
        return session

    def end_session(self, session: Session) -> None:
        """Forget *session*, which has no connection: nobody can resume it."""
        self.tx.start(session.namespace, None)
        self.tx.session_end(session.id)
        self.seal()

    def detach(self, session: Session, outbox: Outbox) -> None:
        """The connection behind *outbox* is gone: withdraw what waits there, begin the session's last minute."""
        if session.outbox is not outbox:
            return
        self.history.part(session.id, who_is(session))
        session.outbox = None
        for call in list(session.waiting.values()):
            self.leave(call)
        self.linger(session)
        self.serve()

    def linger(self, session: Session) -> None:
        """End *session* in a minute unless it is resumed."""
        session.ends_ms = self.elapsed_ms + SESSION_LINGER_MS
        self.due.add(session.ends_ms, session)

    def end_transaction(self, session: Session) -> None:
        """Let *session* watch and queue nothing any more."""
        transaction, session.transaction = session.transaction, None
        if transaction is not None:
            self.watched.forget(transaction)

    def close_session(self, session: Session) -> None:
        """End the *session* of a line together with its connection."""
        self.history.part(session.id, who_is(session))
        session.outbox = None
        if self.observation.monitors:
            self.observation.leave(session)
        self.end_transaction(session)
        self.channels.leave(session)
        for call in list(session.waiting.values()):
            self.leave(call)
        self.sessions.pop(session.id, None)
        self.serve()

    def shut(self, still_open: int, refusal: Callable[[], KvError]) -> None:
        """Refuse all commands but *still_open*, with the error that *refusal* makes."""
        self.served, self.refusal = still_open, refusal
        self.gate()
        self.writable = False

    def reopen(self) -> None:
        """Refuse nothing any more."""
        self.served = EVERYTHING
        self.gate()
        self.writable = True
        self.serve()

    def drain(self) -> None:
        """Refuse new calls from here on, and tell those that wait."""
        self.shut(CLOSED, lambda: ShuttingDown("the server is shutting down and takes no new calls"))
        for session in self.sessions.values():
            for call in list(session.waiting.values()):
                self.withdraw(call)
                call.outbox.fail(call.request_id, ShuttingDown("the server is shutting down; nothing was applied"))

    def run_within(self, session: Session, request_id: int, command: Command, words: list[bytes]) -> object:
        observation, revision = self.observation, self.tx.revision
        began = observation.ticks.read()
        reply = super().run_within(session, request_id, command, words)
        spent_s = observation.ticks.read() - began
        observation.ran(session, command, 1, spent_s, revision)
        if spent_s > observation.least_s:
            observation.see(session, command, words, None, spent_s)
        if isinstance(reply, KvError):
            observation.fail(reply, command)
        return reply

    def run_inner(self, session: Session, command: Command, args: list[Any], options: Any) -> object:
        observation = self.observation
        began = observation.ticks.read()
        try:
            return super().run_inner(session, command, args, options)
        except KvError:
            observation.counted.fail(command)
            raise
        finally:
            observation.counted.add(command, observation.ticks.read() - began)

    def withdraw(self, call: Waiting) -> None:
        super().withdraw(call)
        if isinstance(call, NativeOnlooker):
            self.observation.leave(call.session, call.request_id)

    # ---- what falls due
    def advance(self, now_ms: int, elapsed_ms: int) -> bool:
        """Set the clocks and do one slice of what is due by then; True if more is due already."""
        self.set_clocks(now_ms, elapsed_ms)
        if len(self.observation.noted) + self.observation.runs >= MOST_NOTED:
            self.observation.settle()
        store = self.store
        if self.writable:
            self.end_leases()
            if self.watchers.wake_due(elapsed_ms):
                self.serve()
        while (what := self.due.take(elapsed_ms)) is not None:
            if isinstance(what, Session):
                self.end_session(what)
            elif isinstance(what, Alarm):
                what.ring()
            else:
                self.retry(what)
                self.serve()
        more = self.room.advance()
        more = (self.writable and self.expire()) or more
        if store.garbage and not store.frozen:
            more = store.free_some() or more
        return more

    def set_alarm(self, wait_ms: int, ring: Callable[[], None]) -> Alarm:
        """Let *ring* be called in *wait_ms*, unless the alarm is called off."""
        alarm = Alarm(ring)
        self.due.add(self.elapsed_ms + wait_ms, alarm)
        return alarm

    def next_due_ms(self) -> int | None:
        """When, on the elapsed clock, `advance` next has something to do; None if never."""
        store = self.store
        if self.room.waiting or (store.garbage and not store.frozen):
            return self.elapsed_ms
        first_ms = self.due.first_ms
        if self.writable:
            key_ms = store.due.first_ms
            if key_ms is not None:
                key_ms += self.elapsed_ms - self.now_ms
            for due_ms in (key_ms, store.leases.first_ms, self.watchers.turns.first_ms):
                if due_ms is not None and (first_ms is None or due_ms < first_ms):
                    first_ms = due_ms
        return first_ms

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
            namespace, lock, token = found
            tx.start(namespace, None)
            tx.lock_end(lock, token, LAPSED)
            self.seal()
            self.serve()

    def pends(self, due_ms: int, what: Parked | Session | Alarm) -> bool:
        """Whether *what* still ends at *due_ms*: a call that waits, a session without a connection."""
        if isinstance(what, Parked):
            return bool(what.places)
        if isinstance(what, Alarm):
            return what.pending
        return what.outbox is None and what.ends_ms == due_ms and what.id in self.sessions

    def reset_statistics(self) -> None:
        """Count from here on."""
        self.calls = self.hits = self.misses = self.expired = self.room.evicted = 0
        self.tx.locks_granted = self.tx.locks_lost = 0
        self.observation.reset()

    def statistics(self) -> dict[str, int]:
        """Figures about the engine as it is."""
        return {
            "revision": self.revision,
            "calls": self.calls,
            "keys": sum(map(len, self.store.namespaces.values())),
            **self.room.statistics(),
            "namespaces": len(self.store.namespaces),
            "expired_keys": self.expired,
            "expiry_lag_ms": self.expiry_lag_ms,
            "locks": sum(len(space.locks) for space in self.store.namespaces.values()),
            "sessions": len(self.sessions),
            "waiting_calls": sum(len(session.waiting) for session in self.sessions.values()),
            "kept_answers": sum(len(session.answers) for session in self.sessions.values()),
        }
