"""The trio client of kv.

async with kv_client.connect("kv://127.0.0.1:7440/shop") as client:
    await client.set("user:1", {"name": "Ada"}, ttl=3600)
    async with client.lock("invoice:7", ttl=15) as held:
        await client.set("invoice:7", document, fence=held)
"""

from kv_client._async.batch import Batch
from kv_client._async.election import Election, Leaders
from kv_client._async.handles import Bitmap, Geo, Hash, HyperLogLog, List, Set, SortedSet, Stream
from kv_client._async.keyspace import Keyspace
from kv_client._async.limiter import Limiter
from kv_client._async.locks import Held, Lock
from kv_client._async.transaction import Transaction
from kv_client._async.update import ABORT, DELETE, MISSING
from kv_client._async.watch import Listener, Watch
from kv_client._convert import Entry
from kv_client._core.statistics import Statistics
from kv_client._core.subscription import Gap, Message
from kv_client._pending import Pending
from kv_client._records import *  # noqa: F403
from kv_client._records import __all__ as _records
from kv_client._trio.client import Client, connect
from kv_protocol.errors import *  # noqa: F403
from kv_protocol.errors import __all__ as _errors
from kv_protocol.types import Change, Fence, LeaseInfo, LockInfo
from kv_protocol.values import Value

__all__ = [
    "ABORT",
    "DELETE",
    "MISSING",
    "Batch",
    "Bitmap",
    "Change",
    "Client",
    "Election",
    "Entry",
    "Fence",
    "Gap",
    "Geo",
    "Hash",
    "Held",
    "HyperLogLog",
    "Keyspace",
    "Leaders",
    "LeaseInfo",
    "Limiter",
    "List",
    "Listener",
    "Lock",
    "LockInfo",
    "Message",
    "Pending",
    "Set",
    "SortedSet",
    "Statistics",
    "Stream",
    "Transaction",
    "Value",
    "Watch",
    "connect",
]
__all__ += [name for name in _errors if name != "error_from_wire"]
__all__ += _records
