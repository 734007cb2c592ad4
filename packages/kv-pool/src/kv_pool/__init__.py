"""A pool of connections to kv.

async with kv_pool.KvPool("kv://127.0.0.1:7440/shop") as pool:
    async with pool.get() as client:        # shared: the connection with the least to do
        await client.set("user:1", {"name": "Ada"})
    async with pool.acquire() as client:    # nobody else's meanwhile
        await client.set("report", large)
"""

from typing import TYPE_CHECKING, Any

from kv_pool._config import PoolConfig
from kv_pool._ledger import PoolStatistics, PoolTimeout

if TYPE_CHECKING:
    from kv_pool._trio import KvPool

__all__ = ["KvPool", "PoolConfig", "PoolStatistics", "PoolTimeout"]


def __getattr__(name: str) -> Any:
    """The pool itself, with trio behind it, comes when it is asked for: the other faces do without."""
    if name != "KvPool":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from kv_pool._trio import KvPool

    globals()["KvPool"] = KvPool
    return KvPool
