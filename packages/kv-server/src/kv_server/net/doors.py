"""Which surface a connection's first byte is for."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from kv_server.surfaces.stranger import Stranger
from kv_server.surfaces.surface import Surface

__all__ = ["Door", "Doors", "open_door"]

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
