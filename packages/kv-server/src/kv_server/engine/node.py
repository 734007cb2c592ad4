"""What commands may ask about the server as a whole. The net floor answers; the engine only passes the question on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from kv_protocol.types import ClientInfo

if TYPE_CHECKING:
    from kv_server.engine.engine import Engine

__all__ = ["Node", "Solitary"]


class Node(Protocol):
    """The server around the engine."""

    engine: Engine

    def clients(self) -> list[ClientInfo]:
        """Every connection, oldest first."""

    def facts(self) -> dict[str, dict[str, int | float | str]]:
        """Sections of INFO that only the server knows."""


class Solitary:
    """The node of an engine that no server surrounds."""

    engine: Engine

    def clients(self) -> list[ClientInfo]:
        return []

    def facts(self) -> dict[str, dict[str, int | float | str]]:
        return {}
