"""One call at a time: gates, run, commit, tell; and the calls that wait to be tried again.

What waits on something is tried as part of the commit that concerns it, before any new call runs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from kv_protocol.errors import (
    Busy,
    CallCancelled,
    CommandError,
    DeadlineExceeded,
    Forbidden,
    InternalError,
    KvError,
    ShuttingDown,
)
from kv_protocol.messages import DEADLINE, FENCE, LOCK_LOST, NAMESPACE, SEEN, SEQ, TRACE
from kv_protocol.names import text
from kv_server.engine.commit import Commit, Sink
from kv_server.engine.gates import CLOSED, FRESH, check_fence, check_namespace, late, repeated
from kv_server.engine.groups import Group
from kv_server.engine.history import History
from kv_server.engine.notifications import Notifications
from kv_server.engine.onlookers import NativeOnlooker
from kv_server.engine.pubsub import Channels
from kv_server.engine.rows import MESSAGE
from kv_server.engine.session import EVERYTHING, Session, Waiting
from kv_server.engine.transactions import WatchedKeys
from kv_server.engine.tx import Tx
from kv_server.engine.waiting import Alarm, Listener, Owed, Parked, Subscription, Unfinished, WouldBlock, check_weight
from kv_server.engine.watchers import Watchers
from kv_server.model.schedule import Schedule
from kv_server.model.store import Store
from kv_server.spec.command import Command, Flag
from kv_server.spec.gate import Hot, Openings

__all__ = ["LET_IN", "PARKED", "Executor"]

Meta: TypeAlias = dict[int, Any] | None

PARKED: Final = object()
"""What `execute` returns for a call whose replies come later, through its session's outbox."""

LET_IN: Final = object()
"""What `turn_away` returns for a call that may run after all."""


class Executor:
    """Runs commands on *store*. *most_parked* bounds the open calls of a connection."""

    def __init__(self, store: Store, tx: Tx, most_parked: int) -> None:
        self.store = store
        self.tx = tx
        self.most_parked = most_parked
        self.now_ms = 0
        self.elapsed_ms = 0
        self.open = EVERYTHING
        """What is served, and needs no care."""
        self.served = EVERYTHING
        self.refusal: Callable[[], KvError] = ShuttingDown
        """What a call is told that is not served."""
        self.careful = CLOSED
        """What must ask `admit` before it runs."""
        self.watchers = Watchers(tx.value_in)
        self.sinks: list[Sink] = []
        self.journal: Group | None = None
        """Where commits are left for the log, if there is one."""
        self.watched = WatchedKeys(self.sinks, tx.exists_in)
        self.channels = Channels(self.sinks)
        self.notifications = Notifications(self.sinks, self.channels, tx.exists_in)
        self.history = History()
        self.node: Any = None
        self.due: Schedule[Parked | Session | Alarm] = Schedule(self.pends)
        self.writable = True
        """What falls due may change the store."""
        self.calls = self.hits = self.misses = 0
        """All calls; and those that only read, by whether the last key they looked at was there."""
        self._serving = False
        self._let = Openings()

    @property
    def revision(self) -> int:
        """The revision of the last commit."""
        return self.tx.revision - 1

    def execute(
        self, session: Session, request_id: int, command: Command, args: list[Any], options: Any, meta: Meta
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
                if session.guard is not None:
                    session.guard.fence(namespace, fence)
                check_fence(self.store, self.elapsed_ms, namespace, fence)
        hot: Hot = command.hot
        if (
            not self._let.let(session.open, self.open, hot.bit)
            and (answer := self.turn_away(session, command, args, options, namespace)) is not LET_IN
        ):
            return answer
        self.calls += 1
        tx = self.tx
        place: object = tx if hot.common else self.prepare(session, command, request_id)
        tx.start(namespace, session)
        try:
            reply = hot.call(place, args, options)
        except (WouldBlock, CommandError, Unfinished) as refusal:
            return self.put_off(refusal, session, request_id, command, args, options, namespace, seq, fence)
        except Exception:
            self.seal()
            raise
        self.settle(session, command, hot.common, seq, reply, meta)
        return reply

    def settle(
        self, session: Session, command: Command, common: bool, seq: int | None, reply: object, meta: Meta
    ) -> None:
        """Make one commit of what *command* changed and let everybody concerned hear of it; or count what it read."""
        tx = self.tx
        if tx.effects:
            if tx.marked or not common:
                self.remember(command)
            if meta and TRACE in meta:
                self.history.trace(tx.revision, meta[TRACE])
            if seq:
                tx.answered(session.id, seq, reply)
            if self.watchers.live or self.sinks or tx.notices:
                self.notifications.written(0, command)
                self.pass_on()
                if self.watchers.woken:
                    self.serve()
                return
            if self.journal is not None:
                self.journal.append((tx.revision, tx.now_ms, tx.elapsed_ms, tx.name, tx.effects))
            tx.effects = []
            tx.revision += 1
        elif tx.last_key is not None:
            if tx.last_entry is None:
                self.misses += 1
            else:
                self.hits += 1

    def put_off(
        self, refusal: Exception, session: Session, request_id: int, command: Command, args: Any, *rest: Any
    ) -> object:
        """See that a call which refused has written no row; let it wait if that was why, else tell the reason."""
        if self.tx.effects:
            self.seal()
            raise AssertionError(f"{command.name} changed something and then refused") from refusal
        if not isinstance(refusal, WouldBlock):
            self.calls -= isinstance(refusal, Unfinished)
            raise refusal
        self.park(Parked(session, request_id, command, args, *rest), refusal)
        return PARKED

    def turn_away(self, session: Session, command: Command, args: Any, options: Any, namespace: bytes) -> object:
        """Say why *command* is not open to *session* now, let what the session is in the middle of take the call, or
        let it in: it was only to be looked at.
        """
        detour = session.detour if not session.amid >> command.bit & 1 else None
        try:
            self.permit(session, command, args, options, namespace)
        except CommandError:
            if detour is None:  # else it is queued: what is wrong with it, it is told then
                raise
        except KvError:
            if session.detour is not None:
                session.detour.fail()
            raise
        return LET_IN if detour is None else detour.take(command, args)

    def permit(
        self, session: Session, command: Command, args: Any, options: Any, namespace: bytes, again: bool = False
    ) -> None:
        """Raise what forbids the call: to everybody, to this session, for these names, or for want of room."""
        if not self.served >> command.bit & 1:
            raise self.refusal()
        if not session.rights >> command.bit & 1:
            raise self.denied(session, command, session.refusal(command))
        if session.guard is not None:
            try:
                session.guard.check(command, args, options, namespace)
            except Forbidden as error:
                raise self.denied(session, command, error) from None
        if self.careful >> command.bit & 1:
            self.admit(command, args, options, namespace, again)

    def denied(self, session: Session, command: Command, error: KvError) -> KvError:
        """Hear that *session* may not make a call; the error."""
        return error

    def admit(self, command: Command, args: Any, options: Any, namespace: bytes, again: bool) -> None:
        """Make room for a call of which `careful` says that it may need some; *again*: it was counted. Raises if there
        is none.
        """

    def make_room(self) -> None:
        """The same for several calls, each of which asks for itself later."""

    def gate(self) -> None:
        """Open what `served` and `careful` leave open."""
        self.open = self.served & ~self.careful

    def prepare(self, session: Session, command: Command, request_id: int) -> object:
        """See to what an uncommon *command* asks for before it runs, and return the place where it does."""
        if command.flags & Flag.SWEEPS:
            self.sweep()
        if command.flags & (Flag.BLOCKS | Flag.STREAMS) and len(session.waiting) >= self.most_parked:
            raise Busy(
                f"this connection has {self.most_parked} calls that wait; end some, or raise --max-parked",
                {"limit": self.most_parked},
            )
        return self.place_of(session, command, request_id)

    def place_of(self, session: Session, command: Command, request_id: int) -> object:
        """Where *command* runs: the transaction, the session that calls, or the server as a whole."""
        if command.place == "session":
            return self.caller(session, request_id, command)
        return self.tx if command.place == "tx" else self.node

    def caller(self, session: Session, request_id: int, command: Command) -> object:
        """What a command about its own session gets."""
        raise NotImplementedError

    def sweep(self) -> None:
        """Take away every key that is past its deadline."""
        raise NotImplementedError

    def pends(self, due_ms: int, what: Parked | Session | Alarm) -> bool:
        """Whether *what* still ends at *due_ms*."""
        raise NotImplementedError

    def seal(self) -> None:
        """End the transaction: whatever it changed becomes one commit, and everybody concerned hears of it."""
        if self.tx.effects:
            self.remember()
            self.pass_on()

    def keep_history(self, most: int) -> None:
        """Remember the last *most* changes from here on."""
        self.history.keep(most, self.now_ms)
        self.notifications.asked = self.history.on
        self.tx.gone = {} if self.history.on else None

    def remember(self, command: Command | None = None) -> None:
        """Remember what the transaction has changed; *command* did, unless it had others do it."""
        tx, gone, authors = self.tx, self.tx.gone, self.notifications.authors
        if gone is None:
            return
        self.history.hear(tx.revision, tx.now_ms, tx.name, tx.session, tx.effects, authors, command, gone)
        gone.clear()
        tx.marked = False
        if authors and not self.notifications.telling:
            authors.clear()

    def pass_on(self) -> None:
        """Make one commit of what the transaction changed, and tell everybody concerned."""
        tx = self.tx
        effects, tx.effects = tx.effects, []
        commit = Commit(tx.revision, tx.now_ms, tx.elapsed_ms, tx.name, effects)
        if self.journal is not None and (effects[0][0] != MESSAGE or effects[-1][0] != MESSAGE):
            self.journal.append(commit)
        if self.sinks or self.watchers.live:
            for sink in self.sinks:
                sink(commit)
            if self.watchers.live:
                self.watchers.tell(commit)
        self.notifications.authors.clear()
        tx.revision += 1
        if tx.notices:
            notices, tx.notices = tx.notices, []
            for session_id, namespace, lock, token, why in notices:
                session = tx.sessions.get(session_id)
                if session is not None and session.outbox is not None:
                    session.outbox.push(LOCK_LOST, text(namespace), text(lock), token, why)

    # ---- calls that wait
    def park(self, call: Parked, blocked: WouldBlock) -> None:
        """Let *call* wait for its names, at most as long as it said."""
        check_weight(call)
        call.session.waiting[call.request_id] = call
        call.kept = blocked.kept
        if blocked.kin is not None:
            call.kin = blocked.kin
        self.watchers.park(call, blocked)
        self.watchers.note_turn(call, blocked, self.elapsed_ms)
        if blocked.wait_ms is not None:
            self.due.add(self.elapsed_ms + blocked.wait_ms, call)

    def serve(self) -> None:
        """Try the calls that wait for what the last commits changed: of each kin oldest first, while they succeed."""
        woken = self.watchers.woken
        if self._serving or not self.writable:
            return
        self._serving = True
        try:
            while woken:
                place = woken.popleft()
                for line in list(self.watchers.parked.get(place, {}).values()):
                    while line and self.retry(next(iter(line)), place[2]):
                        pass
        finally:
            self._serving = False

    def retry(self, call: Parked, turn: bytes | None = None) -> bool:
        """Run a call that waits once more, because it is its *turn* at one of its names; False if it goes on waiting.

        Without a turn its time is over: this try ends it either way. Whoever is gone takes nothing.
        """
        if turn is not None and call.outbox.lost():
            self.withdraw(call)
            return True
        tx = self.tx
        if turn is None:
            self.leave(call)
        try:
            if not (self.open & call.session.rights) >> call.command.bit & 1 or call.session.guard is not None:
                self.permit(call.session, call.command, call.args, call.options, call.namespace, again=True)
            if call.fence is not None:
                check_fence(self.store, self.elapsed_ms, call.namespace, call.fence)
            tx.start(call.namespace, call.session)
            tx.kept, tx.turn = call.kept, turn
            reply = call.command.call(tx, call.args, call.options)
        except WouldBlock as blocked:
            if turn is not None:
                self.watchers.note_turn(call, blocked, self.elapsed_ms)
                return False
            reply = blocked.otherwise
        except KvError as error:
            reply = error
        except Exception as bug:
            reply = InternalError("a bug of the server; whether the call was applied is not known")
            reply.__cause__ = bug
        finally:
            tx.kept = tx.turn = None
        if call.seq and tx.effects and not isinstance(reply, KvError):
            tx.answered(call.session.id, call.seq, reply)
        self.withdraw(call)
        if tx.effects:
            self.notifications.written(0, call.command)
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
        elif isinstance(call, Listener):
            self.channels.unsubscribe(call)

    def leave(self, call: Waiting) -> None:
        """Let *call* wait no longer; who was behind it may be served now."""
        if isinstance(call, Parked):
            self.watchers.woken += self.watchers.behind(call)
        self.withdraw(call)

    def cancel(self, session: Session, request_id: int) -> bool:
        """End the waiting call or subscription *request_id*; False if there is none."""
        call = session.waiting.get(request_id)
        if call is None:
            return False
        self.leave(call)
        call.outbox.fail(request_id, CallCancelled("the call was cancelled; nothing was applied"))
        self.serve()
        return True

    def credit(self, session: Session, request_id: int, granted: int) -> None:
        """Allow the subscription *request_id* that many more events; one that has ended is none."""
        watch = session.waiting.get(request_id)
        if isinstance(watch, (Owed, NativeOnlooker)):
            watch.grant(granted)
