"""One call at a time: gates, run, commit, tell; and the calls that wait to be tried again.

What waits on something is tried as part of the commit that concerns it, before any new call runs.
"""

from __future__ import annotations

from typing import Any, Final

from kv_protocol.errors import (
    Busy,
    CallCancelled,
    CommandError,
    DeadlineExceeded,
    InternalError,
    InvalidArgument,
    KvError,
)
from kv_protocol.messages import DEADLINE, FENCE, LOCK_LOST, NAMESPACE, SEEN, SEQ
from kv_protocol.names import text
from kv_server.engine.commit import Commit, Sink
from kv_server.engine.gates import FRESH, check_fence, check_namespace, late, refuse, repeated
from kv_server.engine.session import EVERYTHING, Session, Waiting
from kv_server.engine.tx import Tx
from kv_server.engine.waiting import Parked, Subscription, WouldBlock
from kv_server.engine.watchers import Watchers
from kv_server.model.entry import SCALAR
from kv_server.model.schedule import Schedule
from kv_server.model.store import Store
from kv_server.spec.command import Command, Flag

__all__ = ["PARKED", "Executor"]

PARKED: Final = object()
"""What `execute` returns for a call whose replies come later, through its session's outbox."""

_NOT_IN_BLOCKS: Final = Flag.ADMIN | Flag.STREAMS


class Executor:
    """Runs commands on *store*. *most_parked* bounds the open calls of a connection."""

    def __init__(self, store: Store, tx: Tx, most_parked: int) -> None:
        self.store = store
        self.tx = tx
        self.most_parked = most_parked
        self.now_ms = 0
        self.elapsed_ms = 0
        self.open = EVERYTHING
        self.watchers = Watchers(self.peek)
        self.sinks: list[Sink] = []
        self.node: Any = None
        self.due: Schedule[Parked | Session] = Schedule(self.pends)
        self.calls = 0
        self._serving = False

    @property
    def revision(self) -> int:
        """The revision of the last commit."""
        return self.tx.revision - 1

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
        seq: int | None = None
        fence = None
        namespace = session.namespace
        if meta:
            seq, seen = meta.get(SEQ), meta.get(SEEN)
            if seq is not None or seen is not None:
                kept = repeated(session, seq, seen)
                if kept is not FRESH:
                    return kept
            deadline = meta.get(DEADLINE)
            if deadline is not None and late(deadline, self.elapsed_ms):
                raise DeadlineExceeded("the call came after its deadline and was not applied")
            named = meta.get(NAMESPACE)
            if named is not None:
                namespace = check_namespace(named)
            fence = meta.get(FENCE)
            if fence is not None:
                check_fence(self.store, self.elapsed_ms, namespace, fence)
        if not (session.open & self.open) >> command.bit & 1:
            refuse(self.open, command)
        self.calls += 1
        tx = self.tx
        place: object = tx if command.common else self.prepare(session, command, request_id)
        tx.start(namespace, session)
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
            if self.watchers.live or self.sinks or tx.notices:
                self.seal()
                if self.watchers.woken:
                    self.serve()
            else:  # nobody listens
                tx.effects.clear()
                tx.revision += 1
        return reply

    def prepare(self, session: Session, command: Command, request_id: int) -> object:
        """See to what an uncommon *command* asks for before it runs, and return the place where it does."""
        if command.flags & Flag.SWEEPS:
            self.sweep()
        if command.flags & (Flag.BLOCKS | Flag.STREAMS) and len(session.waiting) >= self.most_parked:
            raise Busy(
                f"this connection has {self.most_parked} calls that wait; end some, or raise --max-parked",
                {"limit": self.most_parked},
            )
        if command.place == "session":
            return self.caller(session, request_id)
        return self.tx if command.place == "tx" else self.node

    def caller(self, session: Session, request_id: int) -> object:
        """What a command about its own session gets."""
        raise NotImplementedError

    def sweep(self) -> None:
        """Take away every key that is past its deadline."""
        raise NotImplementedError

    def pends(self, due_ms: int, what: Parked | Session) -> bool:
        """Whether *what* still ends at *due_ms*."""
        raise NotImplementedError

    def seal(self) -> None:
        """End the transaction: whatever it changed becomes one commit, and everybody concerned hears of it."""
        tx = self.tx
        effects = tx.effects
        if not effects:
            return
        tx.effects = []
        if self.sinks or self.watchers.live:
            commit = Commit(tx.revision, tx.now_ms, tx.elapsed_ms, tx.name, effects)
            for sink in self.sinks:
                sink(commit)
            if self.watchers.live:
                self.watchers.tell(commit)
        tx.revision += 1
        if tx.notices:
            notices, tx.notices = tx.notices, []
            for session_id, namespace, lock, token, why in notices:
                session = tx.sessions.get(session_id)
                if session is not None and session.outbox is not None:
                    session.outbox.push(LOCK_LOST, text(namespace), text(lock), token, why)

    def block(self, session: Session, calls: list[tuple[Command, list[Any], Any]], namespace: bytes) -> list[object]:
        """Run *calls* as one: all of them in one commit, or, if one raises, none. Nothing waits inside."""
        tx = self.tx
        if any(command.flags & Flag.SWEEPS for command, _, _ in calls):
            self.sweep()
        tx.start(namespace, session)
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
        tx.start(call.namespace, call.session)
        if final:
            self.withdraw(call)
        try:
            if call.fence is not None:
                check_fence(self.store, self.elapsed_ms, call.namespace, call.fence)
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

    def withdraw(self, call: Waiting) -> None:
        """Let *call* wait no longer, without a word."""
        call.session.waiting.pop(call.request_id, None)
        if isinstance(call, Parked):
            self.watchers.withdraw(call)
        elif isinstance(call, Subscription):
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
