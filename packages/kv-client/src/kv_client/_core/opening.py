"""What every face does before it has a connection: check what it was given, and say why there is none."""

from typing import TYPE_CHECKING, Final, NamedTuple

from kv_client._core.address import Address, credentials_in, parse_url
from kv_client._core.login import Login, Secret
from kv_client._core.session import Session
from kv_protocol.errors import (
    CommandError,
    ConnectionLost,
    Forbidden,
    InvalidArgument,
    LoginFailed,
    Unauthenticated,
    UnsupportedVersion,
)

if TYPE_CHECKING:
    from ssl import SSLContext

    from kv_client._core.security import Security

__all__ = ["FINAL", "Opening", "not_connected", "opening"]

FINAL: Final = (CommandError, UnsupportedVersion, Unauthenticated, LoginFailed, Forbidden)
"""Errors of HELLO that come again however often one tries."""


class Opening(NamedTuple):
    """What a client begins with. *security* is None where nothing is encrypted."""

    address: Address
    session: Session
    security: "Security | None"


def opening(
    url: str,
    *,
    name: str | None,
    timeout: float | None,
    connect_timeout: float,
    user: str | None,
    password: Secret | None,
    token: Secret | None,
    tls: "SSLContext | None",
) -> Opening:
    """What *url* and the rest say; what stands beside the URL comes before what is in it. Raises `InvalidArgument`."""
    address = parse_url(url)
    if (timeout is not None and not timeout > 0) or not connect_timeout > 0:
        raise InvalidArgument("timeout, connect_timeout: seconds above 0")
    if user is None and password is None and token is None:
        user, password = credentials_in(url)
    elif user is None and token is None:
        user = credentials_in(url)[0]
    secured = None
    if address.tls or tls is not None:
        from kv_client._core.security import security  # who needs no TLS does not wait for it

        if address.path:
            raise InvalidArgument("tls: a Unix socket has none")
        address = address._replace(tls=True)
        secured = security(address.host, tls)
    login = Login(user, password, token)
    session = Session(name=name, namespace=address.namespace, place=address.place, login=login)
    return Opening(address, session, secured)


def not_connected(tries: int, trouble: object) -> ConnectionLost:
    """What a call is told while there is no connection."""
    if isinstance(trouble, OSError) and hasattr(trouble, "reason"):  # of TLS alone
        from kv_client._core.security import explained

        trouble = explained(trouble)  # type: ignore[arg-type]
    return ConnectionLost(f"not connected after {tries} {'try' if tries == 1 else 'tries'}; the last: {trouble}")
