"""What commands about places share: units, the records they return, the eight forms in which text clients see those."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import compress, product
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from kv_server.model.geo import decode, number_of
from kv_server.spec.command import View
from kv_server.spec.resp_kinds import Spelled, in_parts
from kv_server.spec.types import Float, Name

__all__ = ["PLACE_VIEWS", "UNITS", "Found", "Position", "Unit", "fixed", "position_of", "shown"]

Unit: TypeAlias = Literal["M", "KM", "FT", "MI"]
UNITS: Final[Mapping[str, float]] = {"M": 1.0, "KM": 1000.0, "FT": 0.3048, "MI": 1609.34}
_TOKENS: Final = ("WITHDIST", "WITHHASH", "WITHCOORD")


class Position(NamedTuple):
    """A point on the globe, in degrees."""

    longitude: Float
    latitude: Float


class Found(NamedTuple):
    """A member that a search met: how far from the middle, its 52 bits, and where it is."""

    member: Name
    distance: Float
    hash: int
    position: Position


def fixed(number: float) -> bytes:
    """A distance as text clients see it."""
    return b"%.4f" % number


def position_of(score: float) -> Position:
    return Position(*decode(number_of(score)))


def shown(found: list[Found], asked: tuple[bool, ...]) -> list[Any]:
    """What a search met, with what was *asked* for of distance, hash and position."""
    if not any(asked):
        return [each.member for each in found]
    facts = [(fixed(each.distance), each.hash, tuple(map(Spelled, each.position))) for each in found]
    return [[each.member, *compress(fact, asked)] for each, fact in zip(found, facts, strict=True)]


def _form(asked: tuple[bool, ...]) -> Callable[[list[Found]], object]:
    @in_parts
    def form(found: list[Found]) -> object:
        return shown(found, asked)

    return form


PLACE_VIEWS: Final = tuple(
    View(f"places_{at}", _form(asked), tokens=tuple(compress(_TOKENS, asked)))
    for at, asked in enumerate(product((False, True), repeat=3))
)
