"""Replies that go on: a walk over everything, page by page, and a stream that is read on as entries come."""

from collections import deque
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final, Generic, Protocol, Self, TypeVar

from kv_client._records import StreamEntry

__all__ = ["Following", "Walk"]

T = TypeVar("T")
END: Final = "$"
BEGINNING: Final = "0-0"


class Walk(Generic[T]):
    """Everything that *page* returns, from the cursor 0 on until that comes back, as an async iterator."""

    def __init__(self, page: Callable[[int], Awaitable[tuple[int, list[T]]]]) -> None:
        self._page = page
        self._cursor: int | None = None
        self._items: deque[T] = deque()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        while not self._items:
            if self._cursor == 0:
                raise StopAsyncIteration
            self._cursor, items = await self._page(self._cursor or 0)
            self._items.extend(items)
        return self._items.popleft()


class Readable(Protocol):
    """A stream, as far as it must be read to be followed."""

    async def read(
        self, after: str, *, count: int | None = None, block: float | timedelta | None = None
    ) -> list[StreamEntry]: ...

    async def reverse_range(self, end: str, start: str, *, count: int | None = None) -> list[StreamEntry]: ...


class Follow:
    """The entries of *stream* after an id, those that are still to come too, as an async iterator without an end."""

    def __init__(self, stream: Readable, after: str, count: int | None) -> None:
        self._stream = stream
        self._after = after
        self._count = count
        self._entries: deque[StreamEntry] = deque()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> StreamEntry:
        if self._after == END:  # told by its id, so that nothing is missed where a call is made again
            newest = await self._stream.reverse_range("+", "-", count=1)
            self._after = newest[0].id if newest else BEGINNING
        while not self._entries:
            self._entries.extend(await self._stream.read(self._after, count=self._count, block=0))
        entry = self._entries.popleft()
        self._after = entry.id
        return entry


class Following:
    """What the handle of a stream has besides its commands."""

    __slots__ = ()

    def follow(self: Readable, after: str = END, *, count: int | None = None) -> Follow:
        """Iterate over the entries after the id *after*, then over each that is added, as it comes: `async for`.

        From `$`, the last entry at the first step, unless given; `0-0` begins with the oldest. *count* bounds what one
        call to the server brings.

        >>> log = client.stream("log")
        >>> id = await log.add({"temperature": 21.5})
        >>> async for entry in log.follow("0-0"):
        ...     print(entry.fields)
        ...     break
        {'temperature': 21.5}
        """
        return Follow(self, after, count)
