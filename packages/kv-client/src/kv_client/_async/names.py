"""The names of what a face is made of, besides its client."""

from kv_client._async.batch import Batch
from kv_client._async.election import Election, Leaders
from kv_client._async.handles import Bitmap, Geo, Hash, HyperLogLog, List, Set, SortedSet, Stream
from kv_client._async.keyspace import Keyspace
from kv_client._async.limiter import Limiter
from kv_client._async.locks import Held, Lock
from kv_client._async.transaction import Transaction
from kv_client._async.typed import Typed
from kv_client._async.watch import Listener, Watch

__all__ = [
    "Batch",
    "Bitmap",
    "Election",
    "Geo",
    "Hash",
    "Held",
    "HyperLogLog",
    "Keyspace",
    "Leaders",
    "Limiter",
    "List",
    "Listener",
    "Lock",
    "Set",
    "SortedSet",
    "Stream",
    "Transaction",
    "Typed",
    "Watch",
]
