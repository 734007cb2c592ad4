"""Values of one class: what is set is of that class, and so is what is got."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, overload

from kv_client._async.settled import settled
from kv_client._convert import NOTHING, Entry
from kv_client._core.call import Fencing
from kv_client._markers import MISSING, Marker
from kv_client._schema import Schema
from kv_protocol.errors import ConditionFailed, NotFound
from kv_protocol.values import Value

if TYPE_CHECKING:
    from kv_client._async.keyspace import Keyspace

__all__ = ["Typed"]

D = TypeVar("D")
T = TypeVar("T")
Kept = Literal[Marker.DELETE, Marker.ABORT]


class Typed(Generic[T]):
    """What `client.typed(cls)` returns: the commands of plain values, for objects of a class."""

    def __init__(self, keyspace: Keyspace, schema: Schema[T]) -> None:
        self._keyspace = keyspace
        self._schema = schema

    def dump(self, item: T) -> Value:
        """Return the value that stands for *item*: for batches, transactions, elements of lists."""
        return self._schema.dump(item)

    def load(self, value: Value) -> T:
        """Return the object that *value* stands for; raises `SchemaMismatch` if it stands for none."""
        return self._schema.load(value)

    @overload
    async def get(self, key: str) -> T | None: ...

    @overload
    async def get(self, key: str, *, default: D) -> T | D: ...

    async def get(self, key: str, *, default: Any = None) -> Any:
        """Return the object at *key*; *default* if there is none."""
        value = await self._keyspace.get(key, default=MISSING)
        return default if value is MISSING else self._schema.load(value)

    async def get_entry(self, key: str) -> Entry[T] | None:
        """Return the object at *key* with its version and the time it has left; None if there is none."""
        return self._entry(await self._keyspace.get_entry(key))

    async def get_many(self, *keys: str) -> list[T | None]:
        """Return the objects at *keys* in their order, None for those that are absent."""
        values = await self._keyspace.mget(*keys)
        return [None if value is None else self._schema.load(value) for value in values]

    async def set(
        self,
        key: str,
        item: T,
        *,
        ttl: float | timedelta | None = None,
        expires_at: datetime | float | None = None,
        keep_ttl: bool = False,
        if_absent: bool = False,
        if_present: bool = False,
        if_version: int | None = None,
        lease: Fencing | None = None,
        fence: Fencing | None = None,
    ) -> int:
        """Set *key* to *item* and return its new version; all else is as with `client.set`."""
        value = self._schema.dump(item)
        try:
            return await self._keyspace.set(
                key, value, ttl=ttl, expires_at=expires_at, keep_ttl=keep_ttl, if_absent=if_absent,
                if_present=if_present, if_version=if_version, lease=lease, fence=fence,
            )  # fmt: skip
        except ConditionFailed as error:
            raise ConditionFailed(
                error.message, {**error.details, "current": self._entry(error.current)}
            ) from error.__cause__

    async def set_many(
        self, items: Mapping[str, T], *, ttl: float | timedelta | None = None, fence: Fencing | None = None
    ) -> int:
        """Set all of *items* at once and return their one new version."""
        return await self._keyspace.mset(
            {key: self._schema.dump(item) for key, item in items.items()}, ttl=ttl, fence=fence
        )

    async def add(
        self,
        key: str,
        item: T,
        *,
        ttl: float | timedelta | None = None,
        lease: Fencing | None = None,
        fence: Fencing | None = None,
    ) -> bool:
        """Set *key* to *item* if there is nothing at *key*; False if there is."""
        return await self._keyspace.add(key, self._schema.dump(item), ttl=ttl, lease=lease, fence=fence)

    async def update(
        self,
        key: str,
        change: Callable[[T], T | Kept | Awaitable[T | Kept]],
        *,
        default: T = NOTHING,
        attempts: int = 16,
    ) -> T | None:
        """Replace the object at *key* by what *change* makes of it, and return that; nobody's write in between is lost.

        If there is none *change* gets *default*; without one `NotFound` is raised. *change* may return `DELETE`, and
        then the result is None, or `ABORT`. All else is as with `client.update`.
        """

        async def changed(value: Any) -> Any:
            if value is not MISSING:
                item = self._schema.load(value)
            elif default is not NOTHING:
                item = default
            else:
                raise NotFound(f"there is no {self._schema.kind.__qualname__} at {key!r}")
            result = await settled(change(item))
            return result if isinstance(result, Marker) else self._schema.dump(result)

        value = await self._keyspace.update(key, changed, attempts=attempts)
        return None if value is MISSING else self._schema.load(value)

    def _entry(self, entry: Entry[Any] | None) -> Entry[T] | None:
        return None if entry is None else Entry(self._schema.load(entry.value), entry.version, entry.ttl)
