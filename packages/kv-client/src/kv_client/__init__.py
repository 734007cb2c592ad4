"""The trio client of kv.

async with kv_client.connect("kv://127.0.0.1:7440/shop") as client:
    await client.set("user:1", {"name": "Ada"}, ttl=3600)
    async with client.lock("invoice:7", ttl=15) as held:
        await client.set("invoice:7", document, fence=held)
"""

from typing import TYPE_CHECKING, Any

from kv_client import _records, _vocabulary
from kv_client._async import names as _names
from kv_client._async.names import *  # noqa: F403
from kv_client._records import *  # noqa: F403
from kv_client._vocabulary import *  # noqa: F403
from kv_protocol import errors as _errors
from kv_protocol.errors import *  # noqa: F403

if TYPE_CHECKING:
    from kv_client._trio.client import Client, connect

__all__ = ["Client", "connect"]
__all__ += [*_names.__all__, *_records.__all__, *_vocabulary.__all__]
__all__ += [name for name in _errors.__all__ if name != "error_from_wire"]


def __getattr__(name: str) -> Any:
    """The client itself, with trio behind it, comes when it is asked for: the other faces do without."""
    if name not in ("Client", "connect"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from kv_client._trio import client

    globals().update(Client=client.Client, connect=client.connect)
    return globals()[name]
