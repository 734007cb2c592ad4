"""Read, change, write back: a compare-and-set loop that tries again while others are faster."""

import random
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

from kv_client._async.settled import settled
from kv_client._markers import ABORT, DELETE, MISSING
from kv_protocol.errors import ConditionFailed, InvalidArgument

if TYPE_CHECKING:
    from kv_client._async.keyspace import Keyspace

__all__ = ["update"]

FIRST_PAUSE_S: Final = 0.001
LONGEST_PAUSE_S: Final = 0.1


async def update(keyspace: "Keyspace", key: str, change: Callable[[Any], Any | Awaitable[Any]], attempts: int) -> Any:
    """See `Keyspace.update`."""
    if attempts < 1:
        raise InvalidArgument("attempts: at least 1")
    entry = await keyspace.get_entry(key)
    for attempt in range(attempts):
        value, version = (MISSING, 0) if entry is None else (entry.value, entry.version)
        wanted = await settled(change(value))
        if wanted is ABORT:
            return value
        try:
            if wanted is not DELETE:
                await keyspace.set(key, wanted, if_version=version, keep_ttl=True)
            elif version:
                await keyspace.delete(key, if_version=version)
            return MISSING if wanted is DELETE else wanted
        except ConditionFailed as error:
            if attempt == attempts - 1:
                raise
            entry = error.current
        await keyspace._link.sleep(random.uniform(0, min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**attempt)))
    raise AssertionError("the last attempt returns or raises")
