"""Requests of the native door that are about another call, not about the store."""

from __future__ import annotations

from typing import Any

from kv_protocol.errors import ProtocolError, UnknownCommand
from kv_server.engine.engine import Engine
from kv_server.engine.session import Session
from kv_server.surfaces.hello import printable
from kv_server.surfaces.replies import Encoder
from kv_server.surfaces.requests import positive_numbers

__all__ = ["steer"]


def steer(
    engine: Engine, encoder: Encoder, session: Session, request_id: int, name: bytes, args: list[Any], options: Any
) -> bytes:
    """The answer to a request that no command takes: it is about another call, or nobody knows it."""
    if name == b"CANCEL":
        (call,) = positive_numbers(name, args, options, 1)
        return encoder.plain(request_id, engine.cancel(session, call))
    if name == b"CREDIT":
        call, count = positive_numbers(name, args, options, 2)
        engine.credit(session, call, count)
        return encoder.plain(request_id, None)
    if name == b"HELLO":
        raise ProtocolError("HELLO is the first request of a connection, and only the first")
    raise UnknownCommand(f"no command {printable(name)}")
