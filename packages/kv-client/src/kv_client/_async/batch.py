"""Many calls at once: queued in the body of an `async with`, sent at its end, each with a result of its own."""

from functools import partial
from types import TracebackType
from typing import Self

from kv_client._async.handles import BatchHandles
from kv_client._async.link import Link
from kv_client._core.call import DONE, READ, Group, Wire
from kv_client._core.gathering import Gathering, Pending
from kv_protocol.errors import CallCancelled

__all__ = ["Batch"]


class Batch(BatchHandles):
    """The calls of one batch. Leave the block by an exception, and nothing is sent."""

    def __init__(self, link: Link, namespace: Wire | None) -> None:
        self._link = link
        self._namespace = namespace
        self._waiter = link.waiter()
        self._group = Group(self._waiter)
        self._gathering = Gathering(self._group, namespace)
        self._add = self._gathering.add  # type: ignore[method-assign]

    async def __aenter__(self) -> Self:
        self._link.check_run()
        if self._gathering.open or self._gathering.calls:
            raise RuntimeError("a batch is used once")
        self._gathering.open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._gathering.open = False
        if error is not None:
            return
        link = self._link
        link.check_run()
        limit = link.now() + link.timeout
        members = self._gathering.calls
        if not members or link.ambient() <= link.now():
            await link.checkpoint()
        if link.tracing is None:
            await self._send(members, limit)
        else:
            with link.tracing.span("BATCH", self._namespace, len(members)):
                await self._send(members, limit)

    async def _send(self, members: list[Pending], limit: float) -> None:
        link, sent = self._link, 0
        while sent < len(members):
            if link.crowded:
                await link.make_room("a batch", limit)
            part = members[sent : sent + max(1, link.calls.room)]
            sent += len(part)
            await self._exchange(part, limit)

    async def _exchange(self, members: list[Pending], limit: float) -> None:
        link = self._link
        latest = link.latest(link.ambient(), limit, READ)
        self._group.awaited = len(members)
        send, leave = partial(link.post_all, members, limit, latest), partial(self._leave, members)
        await link.exchange(self._group, self._gathering.kinds, send, self._waiter, leave)

    def _leave(self, members: list[Pending]) -> bool:
        """Leave what may be left; calls that take something are waited for, so that what they took is in their
        results.
        """
        for call in members:
            if call.state != DONE and self._link.leave(call):
                call.error = CallCancelled(f"{call.word}: its batch was cancelled")
                self._group.awaited -= 1
        return not self._group.awaited
