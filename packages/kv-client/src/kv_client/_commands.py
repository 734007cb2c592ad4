"""Stand-in for the generated commands."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar, overload

from kv_client._convert import Entry, decode, decode_number, duration_ms, encode, entry, name, time_ms
from kv_client._core.call import READ, TAKES, WRITE, Fencing
from kv_client._pending import Pending
from kv_protocol.values import Value

D = TypeVar("D")
T = TypeVar("T")


class Commands:
    """The commands of a namespace."""

    async def _call(
        self,
        word: str,
        args: tuple[object, ...],
        options: dict[str, object] | None,
        kind: int,
        fence: Fencing | None = None,
    ) -> Any:
        raise NotImplementedError

    @overload
    async def get(self, key: str) -> Value: ...
    @overload
    async def get(self, key: str, *, default: D) -> Value | D: ...
    async def get(self, key: str, *, default: Any = None) -> Any:
        reply = await self._call("GET", (name(key),), None, READ)
        return default if reply is None else decode(reply)

    async def get_entry(self, key: str) -> Entry[Value] | None:
        return entry(await self._call("GETENTRY", (name(key),), None, READ))

    async def set(
        self,
        key: str,
        value: Value,
        *,
        ttl: float | timedelta | None = None,
        expires_at: datetime | float | None = None,
        keep_ttl: bool = False,
        if_absent: bool = False,
        if_present: bool = False,
        if_version: int | None = None,
        fence: Fencing | None = None,
    ) -> int:
        options: dict[str, object] = {}
        if ttl is not None:
            options["ttl"] = duration_ms(ttl)
        if expires_at is not None:
            options["expires_at"] = time_ms(expires_at)
        if keep_ttl:
            options["keep_ttl"] = True
        if if_absent:
            options["if_absent"] = True
        if if_present:
            options["if_present"] = True
        if if_version is not None:
            options["if_version"] = if_version
        reply: int = await self._call("SET", (name(key), encode(value)), options or None, WRITE, fence)
        return reply

    async def getdel(self, key: str, *, default: Any = None, fence: Fencing | None = None) -> Any:
        reply = await self._call("GETDEL", (name(key),), None, TAKES, fence)
        return default if reply is None else decode(reply)

    async def delete(self, *keys: str, if_version: int | None = None, fence: Fencing | None = None) -> int:
        options: dict[str, object] = {}
        if if_version is not None:
            options["if_version"] = if_version
        reply: int = await self._call("DEL", tuple(map(name, keys)), options or None, WRITE, fence)
        return reply

    async def incr(self, key: str, *, fence: Fencing | None = None) -> int | float | Decimal:
        return decode_number(await self._call("INCR", (name(key),), None, WRITE, fence))

    async def ping(self) -> str:
        reply: str = await self._call("PING", (), None, READ)
        return reply


class BatchCommands:
    """The commands of a batch."""

    def _add(
        self,
        word: str,
        args: tuple[object, ...],
        options: dict[str, object] | None,
        kind: int,
        decode: Callable[[Any], T],
        fence: Fencing | None = None,
    ) -> Pending[T]:
        raise NotImplementedError

    def get(self, key: str) -> Pending[Any]:
        return self._add("GET", (name(key),), None, READ, lambda reply: None if reply is None else decode(reply))

    def set(self, key: str, value: Value, *, fence: Fencing | None = None) -> Pending[int]:
        return self._add("SET", (name(key), encode(value)), None, WRITE, int, fence)

    def incr(self, key: str, *, fence: Fencing | None = None) -> Pending[int | float | Decimal]:
        return self._add("INCR", (name(key),), None, WRITE, decode_number, fence)

    def getdel(self, key: str, *, fence: Fencing | None = None) -> Pending[Any]:
        return self._add(
            "GETDEL", (name(key),), None, TAKES, lambda reply: None if reply is None else decode(reply), fence
        )
