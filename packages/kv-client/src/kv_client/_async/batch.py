"""Many calls at once: queued in the body of an `async with`, sent at its end, each with a result of its own."""

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeVar

from kv_client._async.handles import BatchHandles
from kv_client._async.link import Link
from kv_client._core.call import DONE, READ, WAITS, Fencing, Group, Wire
from kv_client._pending import Pending
from kv_protocol.errors import CallCancelled, InvalidArgument

__all__ = ["Batch"]

T = TypeVar("T")


class Batch(BatchHandles):
    """The calls of one batch. Leave the block by an exception, and nothing is sent."""

    def __init__(self, link: Link, namespace: Wire | None) -> None:
        self._link = link
        self._namespace = namespace
        self._members: list[Pending[Any]] = []
        self._open = False
        self._waiter = link.waiter()
        self._group = Group(self._waiter)

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
        call: Pending[T] = Pending(word, args, options, kind, self._namespace, fence)
        call.group = self._group
        call.decode = decode
        self._members.append(call)
        return call

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

    async def _send(self, members: list[Pending[Any]], limit: float) -> None:
        link, sent = self._link, 0
        while sent < len(members):
            if link.crowded:
                await link.make_room("a batch", limit)
            part = members[sent : sent + max(1, link.calls.room)]
            sent += len(part)
            await self._exchange(part, limit)

    async def _exchange(self, members: list[Pending[Any]], limit: float) -> None:
        link = self._link
        latest = link.latest(link.ambient(), limit, READ)
        self._group.awaited = len(members)
        link.post_all(members, limit, latest)
        while self._group.awaited:
            await self._waiter.wait(lambda: self._leave(members))

    def _leave(self, members: list[Pending[Any]]) -> bool:
        """Leave what may be left; calls that take something are waited for, so that what they took is in their
        results.
        """
        for call in members:
            if call.state != DONE and self._link.leave(call):
                call.error = CallCancelled(f"{call.word}: its batch was cancelled")
                self._group.awaited -= 1
        return not self._group.awaited
