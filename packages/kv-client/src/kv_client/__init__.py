"""The trio client of kv.

async with kv_client.connect("kv://127.0.0.1:7440/shop") as client:
    await client.set("user:1", {"name": "Ada"}, ttl=3600)
    async with client.lock("invoice:7", ttl=15) as held:
        await client.set("invoice:7", document, fence=held)
"""

from kv_client._async.names import *  # noqa: F403
from kv_client._async.names import __all__ as _names
from kv_client._common import *  # noqa: F403
from kv_client._common import __all__ as _common
from kv_client._trio.client import Client, connect

__all__ = ["Client", "connect"]
__all__ += _names
__all__ += _common
