"""The few kinds of reply that only RESP has.

A reply on its way to RESP describes itself, so that one encoder serves all: bytes and str are bulk strings, int and
bool integers, float a double, None null, list and tuple an array, dict a map; the rest are the classes below. RESP2 has
no form for some, which it writes as it always did: maps and pairs flat, sets and pushes as arrays, doubles as text.
"""

from typing import Any, Final

from kv_protocol.errors import CommandError

__all__ = [
    "KINDS", "NIL_ARRAY", "OK", "SILENCE", "Members", "NilArray", "PairTable", "Pairs", "Push", "Replies", "RespError",
    "Simple", "Spelled", "Verbatim",
]  # fmt: skip


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


class RespError(CommandError):
    """An error that only RESP knows; its message is the whole line, with the word that clients match first."""

    code = "INVALID"
    resp = ""


class NilArray:
    """An array that is not there: RESP2 tells it from a bulk string that is not."""

    def __repr__(self) -> str:
        return "NIL_ARRAY"


OK: Final = Simple(b"OK")
NIL_ARRAY: Final = NilArray()
SILENCE: Final = Replies()
"""No reply at all."""

KINDS: Final[tuple[type, ...]] = (Members, NilArray, PairTable, Pairs, Push, Replies, Simple, Spelled, Verbatim)
"""As annotations, they stand for replies that are what they are to be."""
