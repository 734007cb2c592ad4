"""Many calls in one write: queued in the body of an `async with`, sent at its end, each with a result of its own."""

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeVar

from kv_client._async.handles import BatchHandles
from kv_client._async.link import Link
from kv_client._core.call import DONE, READ, WAITS, Call, Fencing, Wire
from kv_client._pending import Pending
from kv_protocol.errors import CallCancelled, InvalidArgument

__all__ = ["Batch"]

T = TypeVar("T")


class Member(Call):
    """One call of a batch."""

    __slots__ = ("batch",)

    batch: "Batch"

    def wake(self) -> None:
        self.batch.answered()


class Batch(BatchHandles):
    """The calls of one batch. Leave the block by an exception, and nothing is sent."""

    def __init__(self, link: Link, namespace: Wire | None) -> None:
        self._link = link
        self._namespace = namespace
        self._members: list[Member] = []
        self._open = False
        self._awaited = 0
        self._waiter = link.waiter()

    def _add(
        self,
        word: str,
        args: tuple[object, ...],
        options: dict[str, object] | None,
        kind: int,
        decode: Callable[[Any], T],
        fence: Fencing | None = None,
    ) -> Pending[T]:
        if not self._open:
            raise RuntimeError("use a batch inside its `async with` block")
        if kind & WAITS:
            raise InvalidArgument(f"{word} may wait; it cannot be part of a batch")
        call = Member(word, args, options, kind, namespace=self._namespace, fence=fence)
        call.batch = self
        self._members.append(call)
        return Pending(call, decode)

    async def __aenter__(self) -> Self:
        self._link.check_run()
        if self._open or self._members:
            raise RuntimeError("a batch is used once")
        self._open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open = False
        if error is not None:
            return
        link = self._link
        link.check_run()
        limit = link.now() + link.timeout
        members = self._members
        if not members or link.ambient() <= link.now():
            await link.checkpoint()
        if link.tracing is None:
            await self._send(members, limit)
        else:
            with link.tracing.span("BATCH", self._namespace, len(members)):
                await self._send(members, limit)

    async def _send(self, members: list[Member], limit: float) -> None:
        link, sent = self._link, 0
        while sent < len(members):
            if link.crowded:
                await link.make_room("a batch", limit)
            part = members[sent : sent + max(1, link.calls.room)]
            sent += len(part)
            await self._exchange(part, limit)

    async def _exchange(self, members: list[Member], limit: float) -> None:
        link = self._link
        latest = link.latest(link.ambient(), limit, READ)
        for call in members:
            call.deadline, call.latest = limit, latest
        self._awaited = len(members)
        link.post_all(members, limit)
        while self._awaited:
            await self._waiter.wait(lambda: self._leave(members))

    def answered(self) -> None:
        """One more call is done."""
        self._awaited -= 1
        if not self._awaited:
            self._waiter.wake()

    def _leave(self, members: list[Member]) -> bool:
        """Leave what may be left; calls that take something are waited for, so that what they took is in their
        results.
        """
        for call in members:
            if call.state != DONE and self._link.leave(call):
                call.error = CallCancelled(f"{call.word}: its batch was cancelled")
                self._awaited -= 1
        return not self._awaited
