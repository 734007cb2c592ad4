"""What commands about sorted sets share: the records they take and return, and how text clients see those."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Final, NamedTuple, cast

from kv_protocol.errors import InvalidArgument
from kv_server.engine.rows import DELETED
from kv_server.engine.tx import Tx
from kv_server.model.entry import ZSET
from kv_server.model.ranking import Pair
from kv_server.spec.command import View
from kv_server.spec.resp_kinds import in_parts
from kv_server.spec.types import PAIRS, Float, Int, Name

__all__ = [
    "AS_MEMBERS",
    "AS_PAIRS",
    "WITH_SCORES",
    "Limit",
    "Scored",
    "member_of_one",
    "number",
    "pair_of_one",
    "scored",
    "store_scores",
    "with_scores",
]


class Scored(NamedTuple):
    """A member of a sorted set with its score."""

    score: Float
    member: Name


class Limit(NamedTuple):
    """How many of what was found to leave out, and how many to return then; a negative number returns all."""

    offset: Int
    count_: Int


@in_parts
def members(pairs: list[Pair]) -> list[Name]:
    return [member for _, member in pairs]


@in_parts
def with_scores(pairs: Sequence[Pair]) -> Annotated[list[tuple[Name, Float]], PAIRS]:
    return [(member, score) for score, member in pairs]


def member_of_one(pairs: list[Pair]) -> Name | None:
    return pairs[0][1] if pairs else None


def pair_of_one(pairs: list[Pair]) -> object:
    """A member and its score, side by side; an empty array where there is none."""
    return [field for score, member in pairs for field in (member, score)]


AS_MEMBERS: Final = View("members", members)
AS_PAIRS: Final = View("pairs", with_scores)
WITH_SCORES: Final = View("scores", with_scores, tokens=("WITHSCORES",))


def scored(pairs: list[Pair]) -> list[Scored]:
    """*pairs* under their names. Only those who read need them: to give them to each takes longer than to find it."""
    return cast(list[Scored], pairs)


def number(score: float, label: str) -> float:
    """*score*, which must be a number to have a place in an order."""
    if score != score:
        raise InvalidArgument(f"{label}: value is not a valid float")
    return score


def store_scores(tx: Tx, target: bytes, scores: Mapping[bytes, float]) -> int:
    """Let *target* be the sorted set of members with *scores*, in the place of whatever is there."""
    if scores:
        tx.key_load(target, ZSET, [list(scores), list(scores.values())], 0)
    elif tx.exists(target):
        tx.key_drop(target, DELETED)
    return len(scores)
