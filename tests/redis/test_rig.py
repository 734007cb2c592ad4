"""The rig itself: Redis beside Redis shows no difference, and a server that lies is caught."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest

from tests.redis.client import ARRAY_NULL, BULK_NULL, NULL, Connection, Reply, pack, show, spell
from tests.redis.contest import Contest, Finding
from tests.redis.families import FAMILIES
from tests.redis.family import Family, draw_steps
from tests.redis.servers import Server, redis_server
from tests.redis.shorten import shortened

SEQUENCES = 25
LYING_SEQUENCES = 400
BY_NAME = {family.name: family for family in FAMILIES}


@pytest.fixture(scope="module")
def twin(redis: Server) -> Iterator[Server]:
    """A second Redis."""
    with redis_server() as server:
        yield server


def search(contest: Contest, family: Family, count: int) -> Finding | None:
    """The first difference in *count* sequences."""
    dice = random.Random(7)
    makers = contest.makers(family)
    for _ in range(count):
        finding = contest.check(family, draw_steps(makers, dice.randrange), dice.choice((2, 3)), strict=True)
        if finding is not None:
            return finding
    return None


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_redis_answers_as_redis(family: Family, redis: Server, twin: Server) -> None:
    contest = Contest(redis, twin)
    finding = search(contest, family, SEQUENCES if family.name != "timeouts" else 5)
    contest.close()
    assert finding is None, str(finding)


def test_every_line_names_a_command_of_redis(redis: Server) -> None:
    """A line with a slip in it would never be drawn, or would only ever be an error."""
    contest = Contest(redis, redis)
    for family in FAMILIES:
        unknown = family.names() - contest.allows(contest.known)
        assert not unknown, f"{family.name}: {unknown}"


Lie = Callable[[Reply], Reply]


def everywhere(change: Callable[[Reply], Reply]) -> Lie:
    """The lie that tells a reply, and every reply inside it, by *change*."""

    def lie(reply: Reply) -> Reply:
        if reply.kind == "map":
            return reply._replace(value=tuple((lie(key), lie(value)) for key, value in reply.value))  # type: ignore[attr-defined]
        if isinstance(reply.value, tuple):
            return change(reply._replace(value=tuple(map(lie, reply.value))))
        return change(reply)

    return lie


def one_more(reply: Reply) -> Reply:
    return reply._replace(value=reply.value + 1) if isinstance(reply.value, int) and reply.kind == "int" else reply


def upper(reply: Reply) -> Reply:
    return reply._replace(value=reply.value.upper()) if isinstance(reply.value, bytes) else reply


def rounded(reply: Reply) -> Reply:
    value = reply.value
    if isinstance(value, bytes) and b"." in value and reply.kind in ("bulk", "double"):
        return reply._replace(value=value[:-1])
    return reply


def reversed_(reply: Reply) -> Reply:
    return reply._replace(value=reply.value[::-1]) if reply.kind == "array" else reply  # type: ignore[index]


def shortened_by_one(reply: Reply) -> Reply:
    return reply._replace(value=reply.value[:-1]) if reply.kind in ("array", "set", "map") else reply  # type: ignore[index]


def renamed(before: Reply, after: Reply) -> Callable[[Reply], Reply]:
    return lambda reply: after if reply == before else reply


def reworded(reply: Reply) -> Reply:
    return Reply("error", b"ERR " + reply.value) if reply.kind == "error" else reply  # type: ignore[operator]


def retyped(before: str, after: str) -> Callable[[Reply], Reply]:
    return lambda reply: reply._replace(kind=after) if reply.kind == before else reply


LIES: list[tuple[str, str, Lie]] = [
    ("integers one too high", "strings", everywhere(one_more)),
    ("text in capitals", "strings", everywhere(upper)),
    ("an empty text for nil", "hashes", everywhere(renamed(BULK_NULL, Reply("bulk", b"")))),
    ("nil for no list", "sorted sets", everywhere(renamed(Reply("array", ()), ARRAY_NULL))),
    ("one nil for another", "lists", everywhere(renamed(ARRAY_NULL, BULK_NULL))),
    ("RESP2's nil in RESP3", "strings", everywhere(renamed(NULL, BULK_NULL))),
    ("scores a digit short", "sorted sets", everywhere(rounded)),
    ("the other way round", "lists", reversed_),
    ("without the last", "sets", shortened_by_one),
    ("a set as an array", "sets", retyped("set", "array")),
    ("a map as an array", "hashes", retyped("map", "array")),
    ("errors in other words", "counters", reworded),
    ("bulk for simple", "transactions", everywhere(retyped("simple", "bulk"))),
    ("pushes as arrays", "pub/sub", retyped("push", "array")),
    ("without the last pushed", "notifications", shortened_by_one),
    (
        "ids one too high",
        "streams",
        everywhere(lambda reply: renamed(Reply("bulk", b"1-1"), Reply("bulk", b"1-2"))(reply)),
    ),
    ("one reply too many taken", "blocking", shortened_by_one),
    ("distances a digit short", "geo", everywhere(lambda reply: rounded(rounded(rounded(reply))))),
]


@pytest.mark.parametrize(("family", "lie"), [row[1:] for row in LIES], ids=[f"{row[1]}: {row[0]}" for row in LIES])
def test_a_server_that_lies_is_caught(family: str, lie: Lie, redis: Server, twin: Server) -> None:
    class Liar(Connection):
        depth = 0

        def read(self) -> Reply:
            self.depth += 1
            try:
                told = super().read()
            finally:
                self.depth -= 1
            return told if self.depth else lie(told)

    contest = Contest(redis, twin, 5.0, Liar)
    finding = search(contest, BY_NAME[family], LYING_SEQUENCES)
    contest.close()
    assert finding is not None


def test_a_finding_is_shortened_to_what_matters(redis: Server, twin: Server) -> None:
    class Liar(Connection):
        def read(self) -> Reply:
            told = super().read()
            return Reply("bulk", b"lie") if told == Reply("bulk", b"foobar") else told

    contest = Contest(redis, twin, 5.0, Liar)
    finding = search(contest, BY_NAME["strings"], LYING_SEQUENCES)
    assert finding is not None
    assert len(shortened(contest, BY_NAME["strings"], finding).steps) <= 3
    contest.close()


def test_requests_and_replies_are_shown_as_typed() -> None:
    assert pack([b"GET", b""]) == b"*2\r\n$3\r\nGET\r\n$0\r\n\r\n"
    assert spell((b"SET", b"a b", b"\xff\r\n")) == 'SET "a b" "\\xff\\x0d\\x0a"'
    inner = Reply("array", (Reply("int", 1), BULK_NULL, Reply("error", b"ERR no")))
    assert show(Reply("map", ((Reply("bulk", b"k"), inner),))) == '%{"k": [1, null bulk, -ERR no]}'
