"""Every command that kv names: a call that succeeds, and the mistakes that one can make in it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from tests.redis.agreement import SPOKEN, agree
from tests.redis.canonical import LINES, OTHER_FORM, REFUSED
from tests.redis.client import Connection, Reply, Words, spell
from tests.redis.contest import Contest, served_by
from tests.redis.differences import allowed
from tests.redis.excuses import Case
from tests.redis.servers import Server

OTHER_TYPES = [("SET", "x"), ("RPUSH", "x"), ("ZADD", "1 m")]
ENDING = {"quit", "reset", "hello", "monitor"}


@pytest.fixture
def links(request: pytest.FixtureRequest, redis: Server, kv: Server) -> Iterator[list[Connection]]:
    """A connection to each server, to empty databases; in RESP2, or what the test was given as its parameter."""
    with contextlib.ExitStack() as stack:
        both = [Connection(server.port, getattr(request, "param", 2)) for server in (redis, kv)]
        for link in both:
            stack.enter_context(contextlib.closing(link))
            link.call(b"FLUSHALL")
            link.call(b"CONFIG", b"SET", b"latency-monitor-threshold", b"0")
        yield both


@pytest.fixture(scope="module")
def counted(kv: Server) -> frozenset[str]:
    """The commands of kv, and those of two words."""
    return served_by(kv)


def test_every_command_has_a_line(counted: frozenset[str], links: list[Connection]) -> None:
    containers = {name.partition("|")[0] for name in counted if "|" in name} - {"command"}
    assert LINES.keys() | REFUSED.keys() == counted - (containers - REFUSED.keys())
    for name in REFUSED:
        words = name.upper().encode().split(b"|")
        refusals = [link.call(*words, *[b"INFO"] * (name == "cluster")) for link in links]
        assert refusals[0] == refusals[1] or name.startswith("acl|")
        assert refusals[1].kind == "error"
    assert sum("|" not in name for name in counted) == links[1].call(b"COMMAND", b"COUNT").value


def test_numbers_of_words_and_places_of_keys_are_those_of_redis(links: list[Connection]) -> None:
    there, here = (dict(forms(link.call(b"COMMAND"))) for link in links)
    other = {name for name in there.keys() & here.keys() if there[name] != here[name]}
    assert other == OTHER_FORM.keys()


@pytest.mark.parametrize("links", [2, 3], indirect=True, ids=["RESP2", "RESP3"])
@pytest.mark.parametrize("name", LINES)
def test_a_call_succeeds(name: str, contest: Contest, links: list[Connection]) -> None:
    compared = links if name in contest.known else links[1:]
    replies = [play(link, LINES[name]) for link in compared]
    for reply in replies:
        assert reply.kind != "error", f"{lines_of(name)}: {reply}"
    if name in contest.known:
        check(LINES[name][-1], *replies)


@pytest.mark.parametrize("name", LINES)
def test_mistakes_are_told_as_redis_tells_them(name: str, contest: Contest, links: list[Connection]) -> None:
    if name not in contest.known:
        pytest.skip("Redis has no such command")
    *before, call = LINES[name]
    head = call[: 2 if "|" in name else 1]
    wrong = [head] if len(call) > len(head) else []
    wrong += [(*call, b"one-more")] if name not in ENDING else []
    for words in wrong:
        replies = []
        for link in links:
            link.call(b"FLUSHALL")
            link.call(b"DISCARD")
            replies.append(play(link, [*before, words]))
        check(words, *replies)


@pytest.mark.parametrize("name", LINES)
def test_a_key_of_another_type_is_refused(name: str, contest: Contest, links: list[Connection]) -> None:
    *before, call = LINES[name]
    keys = links[0].call(b"COMMAND", b"GETKEYS", *call)
    if name not in contest.known or keys.kind != "array" or name == "restore":
        pytest.skip("takes no keys")
    assert isinstance(keys.value, tuple)
    for key in {each.value for each in keys.value}:
        for word, rest in OTHER_TYPES:
            spoil = [(b"DEL", key), (word.encode(), key, *rest.encode().split())]
            replies = []
            for link in links:
                link.call(b"FLUSHALL")
                replies.append(play(link, [*before, *spoil, shorter_wait(call)]))
            check(call, *replies, after=f"{spell(spoil[1])}; ")


def forms(table: Reply) -> Iterator[tuple[str, object]]:
    """Of each command in *table*, and in those within it: its arity, its places of keys, whether these may move."""
    assert isinstance(table.value, tuple)
    for row in table.value:
        name, arity, flags, first, last, step, *_, inner = row.value
        yield name.value.decode(), (arity, first, last, step, Reply("simple", b"movablekeys") in flags.value)
        yield from forms(inner)


def lines_of(name: str) -> str:
    return "; ".join(map(spell, LINES[name]))


def shorter_wait(call: Words) -> Words:
    """*call*, if it waits a second, waiting no longer than a moment."""
    if not call[0].startswith(b"B") or call[0].startswith(b"BIT"):
        return call
    return (
        tuple(b"0.001" if word == b"1" else word for word in call)
        if call[-1] == b"1"
        else (call[0], b"0.001", *call[2:])
    )


def play(link: Connection, calls: list[Words]) -> Reply:
    """Make *calls*; the last reply. `<payload>` and `<token>` stand for what the call before brought."""
    reply = Reply("none", None)
    for call in calls:
        brought = reply.value
        if isinstance(brought, tuple) and brought:
            brought = brought[0].value if isinstance(brought[0], Reply) else brought[0][1].value
        filled = b"%d" % brought if isinstance(brought, int) else brought
        words = [filled if word in (b"<payload>", b"<token>") else word for word in call]
        reply = link.call(*words)  # type: ignore[arg-type]
    return reply


def check(words: Words, theirs: Reply, ours: Reply, after: str = "") -> None:
    reason = agree(words, theirs, ours)
    if reason and not reason.startswith(SPOKEN) and allowed(Case(words, theirs, ours, reason)) is None:
        pytest.fail(f"{after}{spell(words)}: {reason}", pytrace=False)
