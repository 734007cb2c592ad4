"""TLS of a client: its context, whose certificate the server must show, and what to say when there is no agreement."""

from functools import cache
from ssl import MemoryBIO, SSLCertVerificationError, SSLContext, SSLError, create_default_context
from typing import Final, NamedTuple

from kv_protocol.errors import InvalidArgument

__all__ = ["Security", "explained", "security"]

_NO_TLS: Final = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST")
_UNKNOWN_CA: Final = (2, 18, 19, 20, 21)  # X509_V_ERR_...: self-signed, or signed by somebody who is not known


class Security(NamedTuple):
    """*host* is what the server's certificate must be for, and the name that it is sent."""

    context: SSLContext
    host: str


@cache
def _shared() -> SSLContext:
    """The context of all clients of this process that bring none: to read the authorities takes a while."""
    return create_default_context()


def security(host: str, context: SSLContext | None) -> Security:
    """TLS to *host*. Raises `InvalidArgument`."""
    if context is None:
        context = _shared()
    elif not isinstance(context, SSLContext):
        raise InvalidArgument(f"tls: must be an ssl.SSLContext, not {type(context).__name__}")
    try:
        context.wrap_bio(MemoryBIO(), MemoryBIO(), server_hostname=host)
    except (SSLError, ValueError) as error:
        raise InvalidArgument(f"tls: no connection to {host} can be made with this context: {error}") from None
    return Security(context, host)


def explained(error: SSLError) -> str:
    """Why there is no connection, in words that say what to change."""
    reason = error.reason or ""
    if isinstance(error, SSLCertVerificationError):
        said = f"the server's certificate was refused: {error.verify_message.rstrip('.')}"
        if error.verify_code in _UNKNOWN_CA:
            said += ": its authority is unknown; trust it by tls=ssl.create_default_context(cafile=...)"
        return said
    if reason in _NO_TLS:
        return "the server answered without TLS: kv:// is for a bind that has none"
    if "_ALERT_" in reason:
        return f"the server refused TLS with this client: {_words(reason.partition('_ALERT_')[2])}"
    return f"TLS failed: {_words(reason) or error}"


def _words(reason: str) -> str:
    return reason.lower().replace("_", " ")
