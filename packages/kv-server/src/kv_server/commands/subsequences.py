"""The longest common subsequence of two strings: as text, as a length, or as the ranges that match."""

from __future__ import annotations

from typing import Annotated, Any, Final, NamedTuple, NoReturn

from kv_protocol.errors import CommandError, InvalidArgument, TooLarge, WrongType
from kv_protocol.values import from_octets, octets
from kv_server.engine.tx import Tx
from kv_server.spec.catalog import command
from kv_server.spec.command import READ, SLOW, View
from kv_server.spec.types import Int, SourceKey, Token, Value

MAX_CELLS: Final = 134_217_728  # of a table of both lengths: as Redis has it, and few milliseconds


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


def no_text(error: CommandError) -> NoReturn:
    """What no text can be made of has a text of its own there."""
    if isinstance(error, WrongType):
        raise InvalidArgument("The specified keys must contain string values") from None
    raise error


VIEWS: Final = tuple(
    View(f"{form.__name__}{'_still' * still}", form, tokens + ("WITHMATCHLEN",) * still, rescue=no_text)
    for form, tokens, still in (
        (text, (), False),
        (text, (), True),
        (length, ("LEN",), False),
        (length, ("LEN",), True),
        (ranges, ("IDX",), False),
        (ranges_with_length, ("IDX",), True),
        (both, ("LEN", "IDX"), False),
        (both, ("LEN", "IDX"), True),
    )
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
    """Return the longest common subsequence of what is at two keys, and the runs of at least *least* that match.

    >>> version = await client.mset({"one": "ohmytext", "two": "mynewtext"})
    >>> await client.lcs("one", "two", least=4)
    Common(text='mytext', length=6, matches=[Match(first=4, second=5, length=4)])
    """
    one, two = (octets(blob) if (blob := tx.value(key)) is not None else b"" for key in (first, second))
    if (len(one) + 1) * (len(two) + 1) > MAX_CELLS:
        raise TooLarge("the strings are too long to be compared", {"limit": MAX_CELLS})
    found, matches = trace(one, two, rows_of(one, two))
    return Common(from_octets(found), len(found), [match for match in matches if match.length >= least])


def rows_of(one: bytes, two: bytes) -> list[int]:
    """For each beginning of *one* a bit for each octet of *two*: 0 where it makes what they have in common longer.

    All bits of a row are found at once (Hyyrö 2004): a carry runs from each match to the next bit that gives way to it.
    """
    row = everywhere = (1 << len(two)) - 1
    places = {octet: places_of(octet, two) for octet in set(one) & set(two)}
    rows = [row]
    for octet in one:
        met = row & places.get(octet, 0)
        row = (row + met | row - met) & everywhere
        rows.append(row)
    return rows


def places_of(octet: int, octets: bytes) -> int:
    """A bit for each of *octets*: 1 where it is *octet*."""
    digits = b"0" * octet + b"1" + b"0" * (255 - octet)
    return int(octets[::-1].translate(digits), 2)


def trace(one: bytes, two: bytes, rows: list[int]) -> tuple[bytes, list[Match]]:
    """Walk back through *rows*: the subsequence, and the runs from the last to the first."""
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
        if rows[at] >> other - 1 & 1:
            other -= 1
        else:
            at -= 1
    if run:
        matches.append(Match(at, other, run))
    found.reverse()
    return bytes(found), matches
