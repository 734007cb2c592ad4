"""The few kinds of reply that only RESP has.

A reply on its way to RESP describes itself, so that one encoder serves all: bytes and str are bulk strings, int and
bool integers, float a double, None null, list and tuple an array, dict a map; the rest are the classes below. RESP2 has
no form for some, which it writes as it always did: maps and pairs flat, sets and pushes as arrays, doubles as text.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, Final, TypeVar

from kv_protocol.errors import CommandError

__all__ = [
    "KINDS", "LONG", "NIL_ARRAY", "OK", "SILENCE", "Long", "Members", "NilArray", "PairTable", "Pairs", "Push",
    "Replies", "RespError", "Simple", "Spelled", "Verbatim", "in_parts", "longer",
]  # fmt: skip


F = TypeVar("F", bound=Callable[..., Any])


class Simple(bytes):
    """A simple string: a word without line breaks, such as OK."""


class Verbatim(str):
    """Text as it is to be shown to people."""


class Spelled(float):
    """A double that is written in fixed decimals, up to 17, instead of the fewest that read back."""

    def text(self) -> bytes:
        return f"{self:.17f}".rstrip("0").rstrip(".").encode()


class Members(list[Any]):
    """A set."""


class Pairs(list[Any]):
    """An array of pairs, which RESP2 writes as one flat array."""


class PairTable(dict[Any, Any]):
    """A map, which RESP2 writes as an array of pairs."""


class Push(list[Any]):
    """Something that answers no call."""


class Replies(list[Any]):
    """Several replies to one call, or none."""


class Long:
    """A reply of many items that are made ready part by part, when they are sent: *make* does that to a part."""

    __slots__ = ("items", "make")

    def __init__(self, items: Any, make: Callable[[Any], Any]) -> None:
        self.items = items
        self.make = make

    def __len__(self) -> int:
        return len(self.items)


class RespError(CommandError):
    """An error that only RESP knows; its message is the whole line, with the word that clients match first."""

    code = "INVALID"
    resp = ""


class NilArray:
    """An array that is not there: RESP2 tells it from a bulk string that is not."""

    def __repr__(self) -> str:
        return "NIL_ARRAY"


LONG: Final = 1024
"""A reply of more items is long: what can be done later is done while it is sent."""
OK: Final = Simple(b"OK")
NIL_ARRAY: Final = NilArray()
SILENCE: Final = Replies()
"""No reply at all."""


def longer(reply: Any, make: Callable[[Any], Any]) -> Long:
    """A long *reply* of which *make* is to make what RESP has."""
    if type(reply) is not Long:
        return Long(reply, make)
    before = reply.make
    return Long(reply.items, lambda part: make(before(part)))


def in_parts(project: F) -> F:
    """A view of a list that makes the same of each part of it by itself, so that of a long one it is done later."""

    @wraps(project)
    def made(reply: Any) -> Any:
        return project(reply) if len(reply) <= LONG else Long(reply, project)

    return made  # type: ignore[return-value]


KINDS: Final[tuple[type, ...]] = (Long, Members, NilArray, PairTable, Pairs, Push, Replies, Simple, Spelled, Verbatim)
"""As annotations, they stand for replies that are what they are to be."""
