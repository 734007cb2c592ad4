"""What a command about its own session gets: that session, the engine, and ways to go on replying later."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from kv_protocol.errors import InvalidArgument, KvError
from kv_protocol.messages import FENCE
from kv_server.engine.executor import PARKED
from kv_server.engine.gates import check_fence
from kv_server.engine.onlookers import NativeOnlooker
from kv_server.engine.session import EVERYTHING, Line, Session
from kv_server.engine.waiting import Expecting, Listener, Subscription
from kv_server.spec.command import Command

if TYPE_CHECKING:
    from kv_server.engine.engine import Engine

__all__ = ["Caller"]


class Caller:
    """What a command about its own session gets: that, the engine, and the id under which it may go on replying."""

    __slots__ = ("command", "engine", "request_id", "session")

    def __init__(self, engine: Engine, session: Session, request_id: int, command: Command) -> None:
        self.engine = engine
        self.session = session
        self.request_id = request_id
        self.command = command

    @property
    def line(self) -> Line:
        """The connection, for commands that exist on the text door alone."""
        return cast(Line, self.session.outbox)

    def call(self, words: list[bytes], meta: dict[int, Any] | None = None) -> object:
        """Run another command line in the place of this call."""
        engine, session = self.engine, self.session
        command = engine.catalog.find_spoken(words)
        if not engine.tx.within:
            return engine.execute(session, self.request_id, command, words, None, meta)
        if meta and FENCE in meta:
            check_fence(engine.store, engine.elapsed_ms, session.namespace, meta[FENCE])
        return engine.run_within(session, self.request_id, command, words)

    def regate(self) -> None:
        """Open to this connection what it may ask in the middle of what it is in."""
        session = self.session
        if session.transaction is not None and session.transaction.queueing:
            session.amid, session.detour = self.engine.steering, session.transaction
        elif session.hearing and self.line.protocol == 2:
            session.amid, session.detour = self.engine.listening, session.hearing
        else:
            session.amid, session.detour = EVERYTHING, None
        session.gate()

    def later(self, wait_ms: int, reply: object) -> object:
        """Let this call of the text door wait, and then be answered with *reply*."""
        line = self.line
        if self.engine.tx.within:
            return reply
        command = line.command
        assert command is not None
        self.engine.set_alarm(wait_ms, lambda: line.deliver(self.request_id, command, reply))
        return PARKED

    def expect(self, made: Callable[[Any], object]) -> Callable[[object], None]:
        """Let this call wait for something outside of the store. Whoever does it says when it is done: with an error,
        or with what *made* makes the reply of. A call that was withdrawn meanwhile gets none.
        """
        call = Expecting(self.session, self.request_id)
        self.session.waiting[self.request_id] = call

        def done(outcome: object) -> None:
            if self.session.waiting.get(self.request_id) is not call:
                return
            self.engine.withdraw(call)
            if isinstance(outcome, KvError):
                call.outbox.fail(self.request_id, outcome)
            else:
                call.outbox.deliver(self.request_id, self.command, made(outcome))

        return done

    def promise(self, begin: Callable[[Callable[[object], None]], None], made: Callable[[Any], object]) -> Any:
        """The reply that *made* makes of what *begin* tells: at once, or when it is told."""
        outcome: list[object] = []
        later: list[Callable[[object], None]] = []
        begin(lambda told: later[0](told) if later else outcome.append(told))
        if not outcome and self.engine.tx.within:
            later.append(lambda told: None)
            raise InvalidArgument(f"{self.command.name} takes time, and cannot be part of a transaction then")
        if not outcome:
            later.append(self.expect(made))
            return PARKED
        if isinstance(outcome[0], KvError):
            raise outcome[0]
        return made(outcome[0])

    def listen(self, channels: tuple[bytes, ...], pattern: bytes | None, credit: int) -> Listener:
        """Listen to channels under the id of this call."""
        listener = Listener(self.session, self.request_id, self.command, self.engine.tx.name, channels, pattern, credit)
        self.session.waiting[self.request_id] = listener
        self.engine.channels.subscribe(listener)
        return listener

    def look_on(self, credit: int) -> NativeOnlooker:
        """Show the caller, under the id of this call, every call from now on."""
        onlooker = NativeOnlooker(self.session, self.request_id, self.engine.set_alarm, credit)
        self.session.waiting[self.request_id] = onlooker
        self.engine.observation.monitor(onlooker)
        return onlooker

    def subscribe(self, keys: tuple[bytes, ...], prefix: bytes | None, credit: int, values: bool) -> Subscription:
        """Open a subscription under the id of this call."""
        name = self.engine.tx.name
        watch = Subscription(self.session, self.request_id, self.command, name, keys, prefix, credit, values)
        self.session.waiting[self.request_id] = watch
        self.engine.watchers.subscribe(watch)
        return watch
