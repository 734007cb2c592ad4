"""What commands may ask about the server as a whole. The app floor answers; the engine only passes the question on."""

from __future__ import annotations

from typing import Protocol

from kv_protocol.types import ClientInfo
from kv_server.engine.engine import Engine

__all__ = ["Node"]


class Node(Protocol):
    """The server around the engine."""

    engine: Engine

    def clients(self) -> list[ClientInfo]:
        """Every connection, oldest first."""

    def facts(self) -> dict[str, dict[str, int | float | str]]:
        """Sections of INFO that only the server knows."""
