"""Watches and listening: events in order, as an async iterator; a reconnection shows as a gap, not as silence."""

from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from kv_client._async.link import Link, Waiter
from kv_client._core.call import DONE, Wire
from kv_client._core.subscription import Feed, Gap, Listening, Message, Monitoring, SeenCall, Subscription
from kv_protocol.types import Change

__all__ = ["Listener", "Monitor", "Watch"]

E = TypeVar("E")


class WatchCall(Subscription):
    """A watch that one task iterates over."""

    __slots__ = ("waiter",)

    waiter: Waiter

    def arrived(self) -> None:
        self.waiter.wake()


class ListenCall(Listening):
    """A subscription to channels that one task iterates over."""

    __slots__ = ("waiter",)

    waiter: Waiter

    def arrived(self) -> None:
        self.waiter.wake()


class MonitorCall(Monitoring):
    """A look at all calls that one task iterates over."""

    __slots__ = ("waiter",)

    waiter: Waiter

    def arrived(self) -> None:
        self.waiter.wake()


def _at_once() -> bool:
    return True


class Stream(Generic[E]):
    """The events of one call, from the moment the `async with` block begins."""

    def __init__(self, link: Link, call: Any) -> None:
        self._link = link
        self._call: Any = call
        self._call.waiter = link.waiter()

    async def __aenter__(self) -> Self:
        link, call = self._link, self._call
        link.check_run()
        if call.opened or call.state == DONE:
            raise RuntimeError("a watch is used once")
        await link.checkpoint()
        call.open_by(link.now() + link.timeout)
        link.post(call)
        try:
            while call.error is None and not call.opened:
                await self._next_arrival()
        except BaseException:
            link.leave(call)
            raise
        if call.error is not None:
            raise call.error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._link.leave(self._call)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> E:
        call: Feed[E] = self._call
        if len(call):
            await self._link.checkpoint()
        while not len(call):
            if call.error is not None:
                raise call.error
            if call.state == DONE or not call.opened:
                raise RuntimeError("use a watch inside its `async with` block")
            await self._next_arrival()
        return self._link.take(call)

    async def _next_arrival(self) -> None:
        if self._call.waiter.taken:
            raise RuntimeError("another task iterates over this watch already")
        await self._call.waiter.wait(_at_once)


class Watch(Stream[Change[Any]]):
    """The changes of *keys*, and of all keys that begin with *prefix*, from the moment the `async with` block begins.

    After a lost connection the watch goes on; where changes may have been missed it tells a change of kind `gap`,
    whose value is the revision up to which nothing was. `revision` is the newest one everything is known up to.
    """

    def __init__(self, link: Link, keys: tuple[str, ...], prefix: str | None, namespace: Wire | None) -> None:
        super().__init__(link, WatchCall(keys, prefix, namespace=namespace))

    @property
    def revision(self) -> int:
        revision: int = self._call.revision
        return revision


class Listener(Stream[Message | Gap]):
    """The messages to *channels*, and to all channels that fit *pattern*, while the `async with` block lasts.

    A `Gap` among them tells that others were missed: so many, where the reader was too slow; or, after a lost
    connection, nobody knows how many.
    """

    def __init__(self, link: Link, channels: tuple[str, ...], pattern: str | None, namespace: Wire | None) -> None:
        super().__init__(link, ListenCall(channels, pattern, namespace=namespace))


class Monitor(Stream[SeenCall | Gap]):
    """The calls of all clients of the server, from the moment the `async with` block begins.

    A `Gap` among them tells that others were not shown: so many, where the reader was too slow; or, after a lost
    connection, nobody knows how many.
    """

    def __init__(self, link: Link) -> None:
        super().__init__(link, MonitorCall())
