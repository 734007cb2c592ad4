"""Long replies: octets that are made while they are sent, so that nobody waits until all of them are.

What a long reply is made of is frozen: it was copied out of the store, and no later call changes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeAlias

__all__ = ["PART", "Piece", "Pieces", "Row", "take"]

PART: Final = 256  # items that are written at once
SLICE_BYTES: Final = 256 * 1024
SLICE_S: Final = 0.001

_GUESS: Final = 16  # bytes of an item that is not written yet

Piece: TypeAlias = "bytes | Row"
Write: TypeAlias = Callable[[Sequence[Any], list[Any]], None]


class Row:
    """The items of a long array that are not written yet, in *parts*; *left* is how many."""

    __slots__ = ("left", "parts", "write")

    def __init__(self, left: int, parts: Iterator[Sequence[Any]], write: Write) -> None:
        self.left = left
        self.parts = parts
        self.write = write

    def __len__(self) -> int:
        """A guess of the bytes to come."""
        return 1 + _GUESS * max(self.left, 0)


class Pieces:
    """A reply that is written in pieces. Its length is that of what is left, as far as it is known."""

    __slots__ = ("_rest",)

    def __init__(self, pieces: list[Piece]) -> None:
        self._rest = pieces[::-1]

    def __len__(self) -> int:
        return sum(map(len, self._rest))

    def __bool__(self) -> bool:
        return bool(self._rest)

    def write_some(self) -> bytes:
        """The next octets; none if that has only brought to light what comes first."""
        piece = self._rest.pop()
        if type(piece) is not Row:
            assert isinstance(piece, bytes)
            return piece
        part = next(piece.parts, None)
        if part is None:
            return b""
        self._rest.append(piece)
        piece.left -= len(part)
        made: list[Any] = []
        piece.write(part, made)
        try:
            return b"".join(made)
        except TypeError:  # there are long arrays among the items
            self._rest += reversed(made)
            return b""


def take(out: list[bytes | Pieces], most: int, timer: Callable[[], float]) -> tuple[bytes, int]:
    """Take octets off *out*: at most about *most*, and what is made in a slice of time; and how much shorter it is."""
    taken: list[bytes] = []
    size = shrunk = done = 0
    until = timer() + SLICE_S
    while done < len(out) and size < most:
        reply = out[done]
        if isinstance(reply, bytes):
            taken.append(reply)
            size += len(reply)
            shrunk += len(reply)
            done += 1
            continue
        before = len(reply)
        while reply and size < min(most, SLICE_BYTES) and timer() < until:
            taken.append(reply.write_some())
            size += len(taken[-1])
        shrunk += before - len(reply)
        if reply:
            break
        done += 1
    del out[:done]
    return b"".join(taken), shrunk
