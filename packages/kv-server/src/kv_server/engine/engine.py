"""The engine: gates, run, commit, tell; sessions; what falls due. One call at a time, time and dice from outside."""

from __future__ import annotations

from itertools import count
from random import Random
from typing import Any, Final

from attrs import frozen

from kv_protocol.errors import Busy, CallCancelled, CommandError, InternalError, InvalidArgument, KvError, ShuttingDown
from kv_protocol.limits import MAX_NAMESPACES, MAX_PARKED, SESSION_LINGER_MS
from kv_protocol.messages import FENCE, LOCK_LOST, SEQ
from kv_protocol.names import text
from kv_server.engine import tx as rows
from kv_server.engine.caller import Caller
from kv_server.engine.commit import Commit, Sink
from kv_server.engine.gates import CLOSED, FRESH, check_fence, namespace_of, refuse, repeated
from kv_server.engine.node import Node, Solitary
from kv_server.engine.session import EVERYTHING, Outbox, Session
from kv_server.engine.tx import Tx
from kv_server.engine.watchers import Parked, Subscription, Watchers, WouldBlock
from kv_server.model.entry import SCALAR
from kv_server.model.schedule import Schedule
from kv_server.model.store import Store
from kv_server.spec.catalog import Catalog
from kv_server.spec.command import Command, Flag

__all__ = ["PARKED", "Engine", "Limits", "Start"]

PARKED: Final = object()
"""What `execute` returns for a call whose replies come later, through its session's outbox."""

_EXPIRED_PER_SLICE: Final = 1_000
_EPOCH_2025: Final = 1_735_689_600
_NOT_IN_BLOCKS: Final = Flag.ADMIN | Flag.STREAMS


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


class Engine:
    """A store with its commands, sessions and watchers."""

    def __init__(self, catalog: Catalog, *, start: Start, shards: int = 256, limits: Limits | None = None) -> None:
        self.catalog = catalog
        self.limits = limits or Limits()
        self.epoch = start.epoch
        self.dice = start.dice
        self.now_ms = start.now_ms
        self.elapsed_ms = start.elapsed_ms
        self.started_ms = start.elapsed_ms
        self.revision = max(0, start.now_ms // 1000 - _EPOCH_2025) << 22
        self.open = EVERYTHING
        self.store = Store(shards, start.seed)
        self.sessions: dict[int, Session] = {}
        self.secrets: dict[bytes, Session] = {}
        self.tx = Tx(self.store, self.sessions, start.dice, self.limits.namespaces)
        self.watchers = Watchers(self.peek)
        self.tx.waiting_for = lambda room, name: self.watchers.waiting_for(self.tx.name, room, name)
        self.sinks: list[Sink] = []
        self.node: Node = Solitary()
        self.node.engine = self
        self.due: Schedule[Parked | Session] = Schedule(self.pends)
        self.calls = 0
        self.expired = 0
        self.expiry_lag_ms = 0
        self._numbers = count(1)
        self._serving = False

    # ---- one call
    def execute(
        self,
        session: Session,
        request_id: int,
        command: Command,
        args: list[Any],
        options: Any,
        meta: dict[int, Any] | None,
    ) -> object:
        """Run *command* for *session*; its reply, or PARKED. Raises what the caller is to be told."""
        seq = 0
        fence = None
        namespace = session.namespace
        if meta:
            kept = repeated(session, meta)
            if kept is not FRESH:
                return kept
            namespace = namespace_of(self, session, meta)
            seq = meta.get(SEQ, 0)
            fence = meta.get(FENCE)
        if not (session.open & self.open) >> command.bit & 1:
            refuse(self, session, command)
        self.calls += 1
        tx = self.tx
        place: object = tx if command.common else self.prepare(session, command, request_id)
        tx.start(namespace, self.revision + 1, self.now_ms, self.elapsed_ms, session)
        try:
            reply = command.call(place, args, options)
        except (WouldBlock, CommandError) as refusal:
            if tx.effects:
                self.seal()
                raise AssertionError(f"{command.name} changed something and then refused") from refusal
            if isinstance(refusal, CommandError):
                raise
            self.park(Parked(session, request_id, command, args, options, namespace, seq, fence), refusal)
            return PARKED
        except Exception:
            self.seal()
            raise
        if tx.effects:
            if seq:
                tx.answered(session.id, seq, reply)
            self.seal()
            if self.watchers.woken:
                self.serve()
        return reply

    def prepare(self, session: Session, command: Command, request_id: int) -> object:
        """See to what an uncommon *command* asks for before it runs, and return the place where it does."""
        if command.flags & Flag.SWEEPS:
            while self.expire():
                pass
        if command.flags & (Flag.BLOCKS | Flag.STREAMS) and len(session.waiting) >= self.limits.parked:
            raise Busy(
                f"this connection has {self.limits.parked} calls that wait; end some, or raise --max-parked",
                {"limit": self.limits.parked},
            )
        if command.place == "session":
            return Caller(self, session, request_id)
        return self.tx if command.place == "tx" else self.node

    def seal(self) -> None:
        """End the transaction: whatever it changed becomes one commit, and everybody concerned hears of it."""
        tx = self.tx
        effects = tx.effects
        if not effects:
            return
        tx.effects = []
        self.revision = tx.revision
        if self.sinks or self.watchers.live:
            commit = Commit(tx.revision, tx.now_ms, tx.elapsed_ms, tx.name, effects)
            for sink in self.sinks:
                sink(commit)
            if self.watchers.live:
                self.watchers.tell(commit)
        if tx.notices:
            notices, tx.notices = tx.notices, []
            for session_id, namespace, lock, token, why in notices:
                session = self.sessions.get(session_id)
                if session is not None and session.outbox is not None:
                    session.outbox.push(LOCK_LOST, text(namespace), text(lock), token, why)

    def block(self, session: Session, calls: list[tuple[Command, list[Any], Any]], namespace: bytes) -> list[object]:
        """Run *calls* as one: all of them in one commit, or, if one raises, none. Nothing waits inside."""
        tx = self.tx
        if any(command.flags & Flag.SWEEPS for command, _, _ in calls):
            while self.expire():
                pass
        tx.start(namespace, self.revision + 1, self.now_ms, self.elapsed_ms, session)
        tx.open_block()
        replies = []
        try:
            for command, args, options in calls:
                if command.place != "tx" or command.flags & _NOT_IN_BLOCKS:
                    raise InvalidArgument(f"{command.name} cannot be part of an atomic block")
                replies.append(command.call(tx, args, options))
        except WouldBlock as blocked:
            tx.close_block(keep=False)
            if isinstance(blocked.otherwise, KvError):
                raise blocked.otherwise from None
            raise Busy("a call of the block would wait") from None
        except BaseException:
            tx.close_block(keep=False)
            raise
        tx.close_block(keep=True)
        self.seal()
        self.serve()
        return replies

    def peek(self, namespace: bytes, key: bytes) -> bytes | None:
        """The value blob at *key*, for an event about it."""
        space = self.store.namespaces.get(namespace)
        if space is None:
            return None
        entry = self.tx.table_of(space, key).get(key)
        return entry.value if entry is not None and entry.kind == SCALAR else None

    # ---- calls that wait
    def park(self, call: Parked, blocked: WouldBlock) -> None:
        """Let *call* wait for its names, at most as long as it said."""
        call.session.waiting[call.request_id] = call
        self.watchers.park(call, blocked)
        if blocked.wait_ms is not None:
            self.due.add(self.elapsed_ms + blocked.wait_ms, call)

    def serve(self) -> None:
        """Try the calls that wait for what the last commits changed, oldest first, while they succeed."""
        woken = self.watchers.woken
        if self._serving:
            return
        self._serving = True
        try:
            while woken:
                line = self.watchers.parked.get(woken.popleft())
                while line and self.retry(next(iter(line)), final=False):
                    pass
        finally:
            self._serving = False

    def retry(self, call: Parked, *, final: bool) -> bool:
        """Run a call that waits once more; False if it goes on waiting. A *final* try ends it either way."""
        tx = self.tx
        tx.start(call.namespace, self.revision + 1, self.now_ms, self.elapsed_ms, call.session)
        if final:
            self.withdraw(call)
        try:
            if call.fence is not None:
                check_fence(self, call.namespace, call.fence)
            reply = call.command.call(tx, call.args, call.options)
        except WouldBlock as blocked:
            if not final:
                return False
            reply = blocked.otherwise
        except KvError as error:
            reply = error
        except Exception as bug:
            reply = InternalError("a bug of the server; whether the call was applied is not known")
            reply.__cause__ = bug
        if call.seq and tx.effects and not isinstance(reply, KvError):
            tx.answered(call.session.id, call.seq, reply)
        self.withdraw(call)
        self.seal()
        self.answer(call, reply)
        return True

    def answer(self, call: Parked, reply: object) -> None:
        if isinstance(reply, KvError):
            call.outbox.fail(call.request_id, reply)
        else:
            call.outbox.deliver(call.request_id, call.command, reply)

    def withdraw(self, call: Parked | Subscription) -> None:
        """Let *call* wait no longer, without a word."""
        call.session.waiting.pop(call.request_id, None)
        if isinstance(call, Parked):
            self.watchers.withdraw(call)
        else:
            self.watchers.unsubscribe(call)

    def cancel(self, session: Session, request_id: int) -> bool:
        """End the waiting call or subscription *request_id*; False if there is none."""
        call = session.waiting.get(request_id)
        if call is None:
            return False
        self.withdraw(call)
        call.outbox.fail(request_id, CallCancelled("the call was cancelled; nothing was applied"))
        return True

    def credit(self, session: Session, request_id: int, granted: int) -> None:
        """Allow the subscription *request_id* that many more events; one that has ended is none."""
        watch = session.waiting.get(request_id)
        if isinstance(watch, Subscription):
            watch.grant(granted)

    # ---- sessions
    def open_session(self, outbox: Outbox, client: str, namespace: bytes, secret: bytes | None) -> tuple[Session, bool]:
        """The session that *secret* resumes, or a new one; True if resumed. An older connection of it is closed."""
        session = self.secrets.get(secret) if secret is not None else None
        resumed = session is not None
        if session is None:
            session = Session(next(self._numbers), self.dice.randbytes(16), client, namespace, self.node)
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
        self.now_ms = now_ms
        self.elapsed_ms = elapsed_ms
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
            tx.start(space.name, self.revision + 1, self.now_ms, self.elapsed_ms, None)
            while left and found is not None and found[0] is space:
                left -= 1
                entry = tx.table_of(space, found[1])[found[1]]
                self.expiry_lag_ms = self.now_ms - entry.expires_ms
                tx.key_drop(found[1], rows.EXPIRED)
                found = store.due_key(self.now_ms)
            self.seal()
            self.serve()
        self.expired += _EXPIRED_PER_SLICE - left
        return store.due_key(self.now_ms) is not None

    def end_leases(self) -> None:
        """Take the locks away whose leases have ended."""
        tx = self.tx
        while (found := self.store.leases.take(self.elapsed_ms)) is not None:
            namespace, lock = found
            tx.start(namespace, self.revision + 1, self.now_ms, self.elapsed_ms, None)
            tx.lock_drop(lock, rows.LAPSED)
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
