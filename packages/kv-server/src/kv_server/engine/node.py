"""What commands may ask about the server as a whole. The app floor answers; the engine only passes the question on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol

from kv_protocol.errors import InvalidArgument
from kv_protocol.types import ClientInfo
from kv_server.engine.session import Outbox, Session

if TYPE_CHECKING:
    from kv_server.engine.engine import Engine

__all__ = ["Connected", "Node", "Saver", "Solitary", "keeps_nothing"]


class Connected(NamedTuple):
    """A connection of a session: both its ends, and how it fares; times in milliseconds."""

    session: Session
    outbox: Outbox
    address: str
    local: str
    descriptor: int
    age: int
    idle: int
    unsent: int


class Saver(Protocol):
    """Who writes snapshots."""

    @property
    def saving(self) -> bool:
        """One is being written, or was asked for."""

    def ask(self, told: Callable[[object], None] | None = None) -> None:
        """Write a snapshot of the store as it is now, or later; *told* gets its revision, or why there is none."""


class Node(Protocol):
    """The server around the engine."""

    engine: Engine
    tuning: dict[str, str]
    """What clients of Redis set that has no effect here."""

    def clients(self) -> list[ClientInfo]:
        """Every connection, oldest first."""

    def connections(self) -> list[Connected]:
        """The same, for who has to tell them apart or to reach them."""

    def setting(self, name: str) -> object:
        """A setting of the server as it is now. Raises `KeyError` if it has none of that name."""

    def settings(self) -> dict[str, str]:
        """Every setting as it is now, as it would be written; what is secret is not shown."""

    def read(self, name: str, written: str) -> object:
        """The value that *written* is for a setting that may change while the server runs. Raises `KeyError` if there
        is none of that name, and `ValueError` with what is wrong.
        """

    def change(self, name: str, value: object) -> None:
        """Give such a setting that value."""

    def saver(self) -> Saver:
        """Who writes snapshots. Raises if nothing is kept, or nothing yet."""

    def reset_statistics(self) -> None:
        """Count from here on."""

    def facts(self) -> dict[str, dict[str, int | float | str]]:
        """Sections of INFO that only the server knows."""


class Solitary:
    """The node of an engine that no server surrounds."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.tuning: dict[str, str] = {}

    def clients(self) -> list[ClientInfo]:
        return []

    def connections(self) -> list[Connected]:
        return []

    def setting(self, name: str) -> object:
        raise KeyError(name)

    def settings(self) -> dict[str, str]:
        return {}

    def read(self, name: str, written: str) -> object:
        raise KeyError(name)

    def change(self, name: str, value: object) -> None:
        raise KeyError(name)

    def saver(self) -> Saver:
        raise keeps_nothing()

    def reset_statistics(self) -> None:
        """There are none."""

    def facts(self) -> dict[str, dict[str, int | float | str]]:
        return {}


def keeps_nothing() -> InvalidArgument:
    return InvalidArgument("this server keeps nothing on disk: start it with --data-dir")
