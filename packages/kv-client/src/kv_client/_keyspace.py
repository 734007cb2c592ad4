"""A namespace as its users see it: the commands, and what the client makes of them. All namespaces of a client share
its link.
"""

from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from typing import Any

from kv_client._batch import Batch
from kv_client._commands import Commands
from kv_client._core.call import Fencing, Wire
from kv_client._link import Link
from kv_client._locks import Lock, OnLost
from kv_client._update import update
from kv_client._watch import Watch
from kv_protocol.errors import ConditionFailed
from kv_protocol.names import wire
from kv_protocol.values import Value

__all__ = ["Keyspace"]


class Keyspace(Commands):
    """The commands of one namespace."""

    def __init__(self, link: Link, namespace: str) -> None:
        self._link = link
        self._namespace = namespace
        self._meta: Wire | None = None if namespace == link.session.namespace else wire(namespace)

    @property
    def namespace(self) -> str:
        """The namespace this view is of."""
        return self._namespace

    def _call(
        self,
        word: str,
        args: tuple[object, ...],
        options: dict[str, object] | None,
        kind: int,
        fence: Fencing | None = None,
    ) -> Coroutine[Any, Any, Any]:
        return self._link.call(word, args, options, kind, self._meta, fence)

    def ns(self, namespace: str) -> "Keyspace":
        """Return a view of another namespace over the same connection. It costs nothing and needs no closing."""
        return Keyspace(self._link, namespace)

    async def add(
        self, key: str, value: Value, *, ttl: float | timedelta | None = None, fence: Fencing | None = None
    ) -> bool:
        """Set *key* to *value* if there is nothing at *key*; False if there is."""
        try:
            await self.set(key, value, ttl=ttl, if_absent=True, fence=fence)
        except ConditionFailed:
            return False
        return True

    async def update(self, key: str, change: Callable[[Any], Any | Awaitable[Any]], *, attempts: int = 16) -> Any:
        """Replace the value at *key* by what *change* makes of it, and return that; nobody's write in between is lost.

        *change*, a plain or an async function, gets the value, or `MISSING`; it is called again if the value has
        changed meanwhile, so it should have no other effects. It may return `DELETE`, or `ABORT` to leave all as it
        is. The time to live stays. Raises `ConditionFailed` if others were faster *attempts* times.
        """
        return await update(self, key, change, attempts)

    def lock(
        self,
        name: str,
        ttl: float | timedelta = 15.0,
        *,
        wait: float | timedelta | None = None,
        on_lost: OnLost = "cancel",
        max_hold: float | timedelta | None = None,
        renew: bool = True,
    ) -> Lock:
        """Hold the lock *name* for the block of an `async with`, which gets the `Held` lock, or raises `LockHeld`.

        Those who wait get it in the order of asking; *wait* bounds the time, 0 tries once. The lease of *ttl* is
        renewed every third of it unless *renew* is false. If the lock is lost the block is cancelled and `LockLost`
        raised; with *on_lost* "ignore" the block runs on, and a function is called with the `Held` lock instead.
        *max_hold* is the longest time that the block may take.
        """
        return Lock(self._link, self._namespace, name, ttl, wait=wait, on_lost=on_lost, max_hold=max_hold, renew=renew)

    def batch(self) -> Batch:
        """Queue calls in the block of an `async with`, send them in one write at its end, then ask each for its
        `result()`.
        """
        return Batch(self._link, self._meta)

    def watch(self, *keys: str, prefix: str | None = None) -> Watch:
        """Follow the changes of *keys*, and of all keys that begin with *prefix*: `async with ... as changes: async
        for change in changes`.
        """
        return Watch(self._link, keys, prefix, self._meta)
