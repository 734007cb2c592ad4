"""The trio client of kv.

async with kv_client.connect("kv://127.0.0.1:7440/shop") as client:
    await client.set("user:1", {"name": "Ada"}, ttl=3600)
    async with client.lock("invoice:7", ttl=15) as held:
        await client.set("invoice:7", document, fence=held)
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kv_client import _records, _vocabulary
    from kv_client._async import names as _names
    from kv_client._async.names import *  # noqa: F403
    from kv_client._records import *  # noqa: F403
    from kv_client._trio.client import Client, connect
    from kv_client._vocabulary import *  # noqa: F403
    from kv_protocol import errors as _errors
    from kv_protocol.errors import *  # noqa: F403

    __all__ = ["Client", "connect"]
    __all__ += [*_names.__all__, *_records.__all__, *_vocabulary.__all__]
    __all__ += [name for name in _errors.__all__ if name != "error_from_wire"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """The names come when one is asked for, and trio with the client itself: who uses another face does without."""
    if name in ("Client", "connect"):
        from kv_client._trio import client

        globals().update(Client=client.Client, connect=client.connect)
    elif name == "__all__" or not name.startswith("_"):
        from kv_client import _records, _vocabulary
        from kv_client._async import names
        from kv_protocol import errors

        modules = (names, _records, _vocabulary, errors)
        own = {each: getattr(module, each) for module in modules for each in module.__all__}
        del own["error_from_wire"]
        globals().update(own, __all__=["Client", "connect", *own])
    if name not in globals():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return globals()[name]


def __dir__() -> list[str]:
    return [*globals(), *__getattr__("__all__")]
