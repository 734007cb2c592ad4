"""A result that is worked out once, whoever asks, and kept."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from kv_client._async.settled import settled

if TYPE_CHECKING:
    from kv_client._async.keyspace import Keyspace

__all__ = ["once"]


async def once(
    keyspace: "Keyspace",
    key: str,
    work: Callable[[], Any | Awaitable[Any]],
    ttl: float | timedelta | None,
    lease: float | timedelta,
    wait: float | timedelta | None,
) -> Any:
    """See `Keyspace.once`."""
    entry = await keyspace.get_entry(key)
    if entry is None:
        async with keyspace.lock(key, lease, wait=wait) as held:
            entry = await keyspace.get_entry(key)
            if entry is None:
                result = await settled(work())
                await keyspace.set(key, result, ttl=ttl, fence=held)
                return result
    return entry.value
