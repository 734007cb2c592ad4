"""The longest common subsequence of two strings: as text, as a length, or as the ranges that match."""

from __future__ import annotations

from array import array
from typing import Annotated, Any, Final, NamedTuple

from kv_protocol.errors import InvalidArgument, TooLarge
from kv_protocol.values import from_octets, octets
from kv_server.engine.tx import Tx
from kv_server.spec.catalog import command
from kv_server.spec.command import READ, SLOW, View
from kv_server.spec.types import Int, SourceKey, Token, Value

MAX_CELLS: Final = 4_194_304  # products of lengths: beyond, one call would keep all others waiting for too long


class Match(NamedTuple):
    """A run that both have: where it begins in one and in the other, and how long it is."""

    first: int
    second: int
    length: int


class Common(NamedTuple):
    """What two strings have in common, in order but not without gaps; matches from the last to the first."""

    text: Value
    length: int
    matches: list[Match]


def text(common: Common) -> Value:
    return common.text


def length(common: Common) -> int:
    return common.length


def ranges(common: Common) -> object:
    return shown(common, [[run_of(match.first, match), run_of(match.second, match)] for match in common.matches])


def ranges_with_length(common: Common) -> object:
    found = [[run_of(match.first, match), run_of(match.second, match), match.length] for match in common.matches]
    return shown(common, found)


def both(common: Common) -> object:
    raise InvalidArgument("If you want both the length and indexes, please just use IDX.")


def shown(common: Common, matches: list[Any]) -> dict[str, Any]:
    return {"matches": matches, "len": common.length}


def run_of(start: int, match: Match) -> list[int]:
    return [start, start + match.length - 1]


VIEWS: Final = (
    View("text", text),
    View("text_still", text, tokens=("WITHMATCHLEN",)),
    View("length", length, tokens=("LEN",)),
    View("length_still", length, tokens=("LEN", "WITHMATCHLEN")),
    View("ranges", ranges, tokens=("IDX",)),
    View("ranges_with_length", ranges_with_length, tokens=("IDX", "WITHMATCHLEN")),
    View("both", both, tokens=("LEN", "IDX")),
    View("both_still", both, tokens=("LEN", "IDX", "WITHMATCHLEN")),
)


@command(READ | SLOW, group="string", since="0.1", cost="O(length of one * length of the other)", views=VIEWS)
def lcs(
    tx: Tx,
    first: SourceKey,
    second: SourceKey,
    /,
    *,
    least: Annotated[Int, Token("MINMATCHLEN")] = 0,
) -> Common:
    """Return the longest common subsequence of what is at two keys, and the runs of at least *least* that match."""
    one, two = (octets(blob) if (blob := tx.value(key)) is not None else b"" for key in (first, second))
    if len(one) * len(two) > MAX_CELLS:
        raise TooLarge("the strings are too long to be compared", {"limit": MAX_CELLS})
    found, matches = trace(one, two, table_of(one, two))
    return Common(from_octets(found), len(found), [match for match in matches if match.length >= least])


def table_of(one: bytes, two: bytes) -> list[array[int]]:
    """How much the first i octets of one have in common with the first j of the other, by i and j."""
    rows = [array("I", bytes(4 * (len(two) + 1)))]
    for octet in one:
        above, row, best = rows[-1], array("I", [0]), 0
        for index, other in enumerate(two):
            if octet == other:
                best = above[index] + 1
            elif above[index + 1] > best:
                best = above[index + 1]
            row.append(best)
        rows.append(row)
    return rows


def trace(one: bytes, two: bytes, table: list[array[int]]) -> tuple[bytes, list[Match]]:
    """Walk back through *table*: the subsequence, and the runs from the last to the first."""
    found = bytearray()
    matches: list[Match] = []
    at, other, run = len(one), len(two), 0
    while at and other:
        if one[at - 1] == two[other - 1]:
            found.append(one[at - 1])
            at, other, run = at - 1, other - 1, run + 1
            continue
        if run:
            matches.append(Match(at, other, run))
            run = 0
        if table[at - 1][other] > table[at][other - 1]:
            at -= 1
        else:
            other -= 1
    if run:
        matches.append(Match(at, other, run))
    found.reverse()
    return bytes(found), matches
