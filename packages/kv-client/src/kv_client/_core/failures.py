"""Errors as they come over the wire, made into what a caller catches."""

from collections.abc import Mapping
from typing import Any

from kv_client._convert import entry
from kv_protocol.errors import ConditionFailed, Failure, KvError, ProtocolError, TransactionConflict, error_from_wire
from kv_protocol.names import text

__all__ = ["failure"]


def failure(body: Any) -> KvError:
    """Return the error that *body* of a FAILED reply stands for. Raises `ProtocolError` if it stands for none."""
    try:
        code, message, details = body
    except (TypeError, ValueError):
        raise ProtocolError("a FAILED reply that holds no error") from None
    if type(code) is not str or type(message) is not str or not isinstance(details or {}, Mapping):
        raise ProtocolError("a FAILED reply that holds no error")
    error = error_from_wire(Failure(code, message, details or {}))
    if isinstance(error, ConditionFailed):
        error.details = {**error.details, "current": entry(error.details.get("current"))}
    elif isinstance(error, TransactionConflict):
        try:
            keys = [(text(key), int(version)) for key, version in error.details.get("keys", ())]
        except (TypeError, ValueError):
            raise ProtocolError("a conflict that lists no keys") from None
        error.details = {**error.details, "keys": keys}
    return error
