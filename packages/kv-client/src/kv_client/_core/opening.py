"""What every face does before it has a connection: check what it was given, and say why there is none."""

from kv_client._core.address import Address, parse_url
from kv_client._core.session import Session
from kv_protocol.errors import ConnectionLost, InvalidArgument

__all__ = ["not_connected", "opening"]


def opening(url: str, name: str | None, timeout: float | None, connect_timeout: float) -> tuple[Address, Session]:
    """The address in *url* and a session with who is there. Raises `InvalidArgument`."""
    address = parse_url(url)
    if (timeout is not None and not timeout > 0) or not connect_timeout > 0:
        raise InvalidArgument("timeout, connect_timeout: seconds above 0")
    return address, Session(name=name, namespace=address.namespace, place=address.place)


def not_connected(tries: int, trouble: object) -> ConnectionLost:
    """What a call is told while there is no connection."""
    return ConnectionLost(f"not connected after {tries} {'try' if tries == 1 else 'tries'}; the last: {trouble}")
