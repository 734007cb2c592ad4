"""A session and the means to speak through it. A face knows how to move bytes, to wait and to tell the time; all that
is built on top, from batches to locks, asks for that here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from math import inf
from types import TracebackType
from typing import Any, Final, NoReturn, Protocol, TypeVar

from kv_client._core.call import DONE, SENT, WAITS, Call, Fencing, Group, Wire
from kv_client._core.leases import Lease
from kv_client._core.session import Session
from kv_client._core.subscription import Feed
from kv_client._core.tracing import Tracing, tracing
from kv_protocol.errors import ClientClosed, KvError

__all__ = ["Link", "Posted", "Scope", "Waiter"]

PORTION: Final = 64  # calls of one turn that are sent without waiting for more, so that the server works while we do
FIRST: Final = 32  # calls of a batch that leave before the others, for the same reason; then thrice as many each time

E = TypeVar("E")
T = TypeVar("T")


class Waiter(Protocol):
    """Where one task may wait until it is woken."""

    @property
    def taken(self) -> bool:
        """Whether somebody waits here."""
        ...

    async def wait(self, leave: Callable[[], bool]) -> None:
        """Wait for `wake`. Who is cancelled asks *leave* whether it may go at once, or has to wait, and goes then."""

    async def wait_until(self, moment: float) -> None:
        """Wait for `wake`, but not beyond *moment*, and until then even if cancelled."""

    def wake(self) -> None:
        """Let who waits here go on, if there is anybody."""


class Scope(Protocol):
    """A block of code that can be cancelled, and is at *deadline*. Leaving it says whether it ended for that."""

    deadline: float

    def cancel(self) -> None: ...

    def __enter__(self) -> object: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None: ...


class Posted(Call):
    """A call that its owner does not wait for, or later."""

    __slots__ = ("waiter",)

    waiter: Waiter

    def wake(self) -> None:
        self.waiter.wake()


class Link:
    """What a face derives from; *timeout* bounds calls that do not wait by their nature."""

    def __init__(self, session: Session, timeout: float | None) -> None:
        self.session = session
        self.calls = session.calls
        self.timeout = inf if timeout is None else timeout
        self.lock_holders: set[tuple[object, str, str]] = set()
        self.tracing = self.calls.tracing = tracing(session.place, session.namespace)
        if self.tracing is not None:
            self.call = self._traced(self.tracing, self.call)  # type: ignore[method-assign]

    # ---- what a face knows
    def call(
        self,
        word: str,
        args: tuple[object, ...],
        options: dict[str, object] | None,
        kind: int,
        fence: Fencing | None = None,
        namespace: Wire | None = None,
        limit: float | None = None,
    ) -> Awaitable[Any]:
        """Make one call and return the body of its reply. At *limit*, instead of its time-out, the client gives up."""
        raise NotImplementedError

    def now(self) -> float:
        """The client's clock."""
        raise NotImplementedError

    def poke(self, moment: float) -> None:
        """Have the session looked after at *moment* at the latest."""
        raise NotImplementedError

    def flush_soon(self) -> None:
        """Have what is outgoing sent, together with what others ask in this turn."""
        raise NotImplementedError

    def flush_now(self) -> None:
        """Have what is outgoing sent at once, and the answers read."""
        raise NotImplementedError

    def check_run(self) -> None:
        """Raise unless the client is open, and used where it was opened."""
        raise NotImplementedError

    def owner(self) -> object:
        """Who asks."""
        raise NotImplementedError

    def waiter(self) -> Waiter:
        raise NotImplementedError

    def scope(self) -> Scope:
        raise NotImplementedError

    def ambient(self) -> float:
        """When the block that asks will be cancelled, as far as that is known."""
        raise NotImplementedError

    async def checkpoint(self) -> None:
        """Give way once, and be cancelled here if that is due."""
        raise NotImplementedError

    async def sleep(self, seconds: float) -> None:
        raise NotImplementedError

    @property
    def crowded(self) -> bool:
        """Whether others wait for fewer calls to be open."""
        raise NotImplementedError

    async def make_room(self, word: str, limit: float) -> None:
        """Wait in line until fewer calls are open."""
        raise NotImplementedError

    def make_way(self) -> None:
        """Let in who waits in line, as far as there is room."""
        raise NotImplementedError

    # ---- what is built on that
    def _traced(self, tracing: Tracing, call: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
        """*call* with a span around it."""

        async def traced(
            word: str,
            args: tuple[object, ...],
            options: dict[str, object] | None,
            kind: int,
            fence: Fencing | None = None,
            namespace: Wire | None = None,
            limit: float | None = None,
        ) -> Any:
            with tracing.span(word, namespace):
                return await call(word, args, options, kind, fence, namespace, limit)

        return traced

    def post(self, call: Call) -> None:
        """Make *call* without waiting for it."""
        self.session.start(call)
        self.poke(call.deadline)
        self.flush_soon()

    def post_all(self, calls: Sequence[Call], limit: float, latest: float) -> None:
        """Make *calls* without waiting for them, some in each write, so that the server works while we do.

        One that cannot be made is done, and says why.
        """
        if self.session.closed is not None:
            for call in calls:
                call.state, call.error = DONE, self.session.refusal()
                call.wake()
            return
        self.poke(limit)
        start, size = 0, FIRST
        while start < len(calls):
            self.calls.start_all(calls[start : start + size], limit, latest)
            self.flush_now()
            start, size = start + size, 3 * size

    async def exchange(
        self, group: Group, kind: int, send: Callable[[], None], waiter: Waiter, leave: Callable[[], bool]
    ) -> None:
        """*send* the calls of *group*, all of *kind*, and wait until they are done; see `Waiter.wait`."""
        send()
        while group.awaited:
            await waiter.wait(leave)

    def leave(self, call: Call) -> bool:
        """The owner of *call* wants out; see `Session.end`."""
        out = self.session.end(call, self.now())
        if not out:
            self.poke(call.deadline)
        self.flush_soon()
        self.make_way()
        return out

    async def see(self, call: Posted, moment: float) -> None:
        """Wait until *call* is done, but not beyond *moment*, and until then even if cancelled."""
        if call.state != DONE:
            await call.waiter.wait_until(moment)

    def take(self, call: Feed[E]) -> E:
        """Take the oldest event of a subscription, and allow the server more when half of them were taken."""
        event = call.take()
        credit = call.due_credit()
        if credit and call.state == SENT and self.session.ready:
            self.session.note("CREDIT", call.id, credit)
            self.flush_soon()
        return event

    def hold(self, lease: Lease) -> None:
        """Watch over *lease* from now on."""
        self.session.leases.enter(lease)
        self.poke_next()

    def let_go(self, lease: Lease) -> None:
        """Watch over *lease* no more."""
        self.session.leases.leave(lease)

    def tell(self, function: Callable[[T], None], what: T) -> None:
        """Call *function*, which is the caller's, with *what*."""
        function(what)

    def latest(self, ambient: float, limit: float, kind: int) -> float:
        """When the server is to refuse a call. The end of a lease is no deadline for a call that waits: it moves on."""
        if ambient >= limit or (kind & WAITS and ambient in self.session.leases.ends()):
            return limit
        return ambient

    def poke_next(self) -> None:
        """Have the session looked after when it next has something to do."""
        self.poke(self.session.next_wake())

    def refuse(self, opened: bool, where: str) -> NoReturn:
        """The client is not open, or was opened elsewhere: in another *where*."""
        if not opened or self.session.closed is not None:
            raise ClientClosed("the client is not open: use it inside `async with connect(...)`")
        raise RuntimeError(f"this client belongs to another {where}: open one here")

    def close(self, error: KvError | None = None) -> None:
        """Fail everything that is open, and everything that comes."""
        raise NotImplementedError
