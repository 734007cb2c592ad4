"""The blocking client of kv, for scripts and threads. It has the names of the trio client.

with kv_client.sync.connect("kv://127.0.0.1:7440/shop") as client:
    client.set("user:1", {"name": "Ada"}, ttl=3600)
    with client.lock("invoice:7", ttl=15) as held:
        client.set("invoice:7", document, fence=held)
"""

from kv_client import _records, _vocabulary
from kv_client._records import *  # noqa: F403
from kv_client._sync import names as _names
from kv_client._sync.names import *  # noqa: F403
from kv_client._vocabulary import *  # noqa: F403
from kv_client.sync._client import Client, connect
from kv_protocol import errors as _errors
from kv_protocol.errors import *  # noqa: F403

__all__ = ["Client", "connect"]
__all__ += [*_names.__all__, *_records.__all__, *_vocabulary.__all__]
__all__ += [name for name in _errors.__all__ if name != "error_from_wire"]
