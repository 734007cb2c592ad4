"""Elections: one of many leads, as long as it holds a lock; what it says of itself is a key that goes with the lock."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from kv_client._async.locks import Held
from kv_protocol.values import Value

if TYPE_CHECKING:
    from kv_client._async.keyspace import Keyspace

__all__ = ["Election", "Leaders"]


class Election:
    """What `client.election(name)` returns."""

    def __init__(self, keyspace: "Keyspace", name: str, ttl: float | timedelta) -> None:
        self._keyspace = keyspace
        self._name = name
        self._ttl = ttl

    @asynccontextmanager
    async def lead(self, value: Value, *, wait: float | timedelta | None = None) -> AsyncIterator[Held]:
        """Wait to be the leader, in the order of asking, and be it for the block of an `async with`.

        Observers see *value*. If the lead is lost the block is cancelled and `LockLost` raised. Writes that are fenced
        with the `Held` lock which the block gets cannot come after those of the next leader. *wait* bounds the time to
        wait, 0 tries once, and then `LockHeld` is raised.
        """
        async with self._keyspace.lock(self._name, self._ttl, wait=wait) as held:
            await self._keyspace.set(self._name, value, lease=held, fence=held)
            yield held

    async def leader(self) -> Any:
        """Return what the leader says of itself, None if nobody leads."""
        return await self._keyspace.get(self._name)

    def observe(self) -> "Leaders":
        """Follow who leads: `async with ... as leaders: async for leader in leaders`."""
        return Leaders(self._keyspace, self._name)


class Leaders:
    """What each leader says of itself, None while nobody leads: the one there is, then every change, in order."""

    def __init__(self, keyspace: "Keyspace", name: str) -> None:
        self._keyspace = keyspace
        self._name = name
        self._watch = keyspace.watch(name)
        self._look = True
        self._since = 0  # what was before is told
        self._leader = -1  # the version of what was told last, 0 of nobody

    async def __aenter__(self) -> Self:
        await self._watch.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._watch.__aexit__(kind, error, trace)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        while True:
            if self._look:
                self._look = False
                entry = await self._keyspace.get_entry(self._name)
                leader, value = (0, None) if entry is None else (entry.version, entry.value)
                self._since = max(self._since, leader)
            else:
                change = await anext(self._watch)
                self._look = change.kind == "gap"
                if self._look or change.kind == "ttl" or change.revision <= self._since:
                    continue
                self._since = change.revision
                leader, value = (change.revision if change.kind == "set" else 0), change.value
            if leader != self._leader:
                self._leader = leader
                return value
