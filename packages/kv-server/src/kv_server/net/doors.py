"""What the loop expects of a surface, and which one a connection's first byte is for."""

from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias

from kv_protocol.errors import KvError
from kv_server.engine.session import Session
from kv_server.surfaces.stranger import Stranger

__all__ = ["Door", "Doors", "Surface"]


class Surface(Protocol):
    """One connection's protocol, sans-IO."""

    session: Session | None
    """Who it is; None before it has said."""
    address: str
    """Where its peer is."""
    certified: str | None
    """Whom the certificate of its peer names."""
    calls: int
    held: int
    """Bytes of output that were not taken yet."""
    stalled: bool
    """Input waits inside for `resume`."""
    closing: bool
    """It will take no more input; it is to be closed when its output has left."""
    overflowed: bool
    """Its reader was owed too much."""

    @property
    def halfway(self) -> bool:
        """Something has begun to arrive and its rest has not come."""

    def receive_data(self, data: bytes) -> None:
        """Take *data*, which is never empty."""

    def resume(self) -> None:
        """Go on with what waits inside."""

    def data_to_send(self) -> bytes:
        """Take output: some of it, or none."""

    def retract(self, taken: bytes, refusal: Callable[[], KvError]) -> bool:
        """Answers that were *taken*, or could be, must not be given: put errors in their place. False if it cannot."""

    def go_away(self, error: KvError) -> None:
        """Say that the server will end the connection soon."""

    def refuse(self, error: KvError) -> None:
        """Say why the connection ends, and end it."""

    def leave(self) -> None:
        """The connection is over as far as the engine is concerned."""


Door: TypeAlias = Callable[[Callable[[], None], Callable[[], bool]], Surface]
"""Makes the surface of a connection, given what it is to call when it has output of its own accord, and what says
whether the peer is known to be gone."""

Doors: TypeAlias = Mapping[int, Door]
"""By the first byte that a client sends."""


def open_door(
    doors: Doors,
    first: int,
    wake: Callable[[], None],
    lost: Callable[[], bool],
    address: str,
    certified: str | None,
) -> Surface:
    """The surface for a connection from *address* whose first byte is *first*."""
    door = doors.get(first)
    surface = Stranger() if door is None else door(wake, lost)
    surface.address, surface.certified = address, certified
    return surface
