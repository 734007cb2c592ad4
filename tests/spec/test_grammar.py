"""Commands whose text form is written by hand: the typed door still follows the signature, and both agree."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

import pytest

from kv_protocol.errors import InvalidArgument
from kv_server.spec import (
    BLOCKS,
    FAST,
    GROWS,
    OPTIONAL,
    SLOW,
    TAKES,
    WRITE,
    Catalog,
    Count,
    Grammar,
    Int,
    Key,
    Name,
    Octets,
    Text,
    Timeout,
    Value,
    Words,
    command,
)  # fmt: skip
from kv_server.spec.checks import from_octets, text_float, text_int

SINCE = "0.1"
COST = "O(1)"


class Field(NamedTuple):
    name: Name
    value: Value


class Trim(NamedTuple):
    """How far a stream is cut after an entry was added."""

    strategy: Literal["MAXLEN", "MINID"]
    nearly: bool
    threshold: Octets


class Reading(NamedTuple):
    stream: Key
    after: Octets


class BitOperation(NamedTuple):
    operation: Literal["GET", "SET", "INCRBY"]
    encoding: Octets
    offset: Octets
    value: Int


class Credentials(NamedTuple):
    user: Text
    password: Text


def parse_xadd(words: Words) -> tuple[tuple[Any, ...], dict[str, Any]]:
    options: dict[str, Any] = {}
    key = words.take()
    if words.token("NOMKSTREAM"):
        options["create"] = False
    strategy = words.token("MAXLEN", "MINID")
    if strategy:
        nearly = words.peek() == b"~"
        if words.peek() in (b"~", b"="):
            words.take()
        options["trim"] = Trim(strategy, nearly, words.take())  # type: ignore[arg-type]
    entry = words.take()
    rest = words.rest()
    if not rest or len(rest) % 2:
        raise InvalidArgument(f"wrong number of arguments for '{words.command}' command")
    pairs = [Field(rest[at], from_octets(rest[at + 1])) for at in range(0, len(rest), 2)]
    return (key, entry, *pairs), options


@command(
    WRITE | GROWS | FAST, group="stream", since=SINCE, cost=COST,
    grammar=Grammar(
        "key [NOMKSTREAM] [<MAXLEN | MINID> [= | ~] threshold] <* | id> field value [field value ...]", parse_xadd, 4
    ),
)  # fmt: skip
def xadd(tx: Any, key: Key, id: Octets, /, *fields: Field, create: bool = True, trim: Trim | None = None) -> Octets:
    """Append an entry to the stream at *key*."""
    return id


def parse_xreadgroup(words: Words) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if not words.token("GROUP"):
        raise InvalidArgument("syntax error")
    group, consumer = words.take(), words.take()
    options: dict[str, Any] = {}
    while (token := words.token("COUNT", "BLOCK", "NOACK", "STREAMS")) not in (None, "STREAMS"):
        if token == "NOACK":
            options["no_ack"] = True
        else:
            options["count" if token == "COUNT" else "block"] = text_int(words.take(), 0)
    rest = words.rest()
    if token is None or not rest or len(rest) % 2:
        raise InvalidArgument(
            "Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be specified."
        )
    half = len(rest) // 2
    return (group, consumer, *map(Reading, rest[:half], rest[half:])), options


@command(
    WRITE | BLOCKS | TAKES, group="stream", since=SINCE, cost="O(entries)",
    grammar=Grammar(
        "GROUP group consumer [COUNT count] [BLOCK milliseconds] [NOACK] STREAMS key [key ...] id [id ...]",
        parse_xreadgroup,
        6,
    ),
)  # fmt: skip
def xreadgroup(
    tx: Any, group: Name, consumer: Name, /, *streams: Reading,
    count: Count | None = None, block: Timeout | None = None, no_ack: bool = False,
) -> dict[Name, list[Value]] | None:  # fmt: skip
    """Read entries of streams for a consumer of a group."""
    return None


def parse_bitfield(words: Words) -> tuple[tuple[Any, ...], dict[str, Any]]:
    key = words.take()
    made = []
    while operation := words.token("GET", "SET", "INCRBY"):
        encoding, offset = words.take(), words.take()
        made.append(BitOperation(operation, encoding, offset, 0 if operation == "GET" else text_int(words.take())))  # type: ignore[arg-type]
    return (key, *made), {}


@command(
    WRITE | GROWS, group="bitmap", since=SINCE, cost="O(operations)",
    grammar=Grammar(
        "key [GET encoding offset | SET encoding offset value | INCRBY encoding offset increment ...]",
        parse_bitfield,
        1,
    ),
)  # fmt: skip
def bitfield(tx: Any, key: Key, /, *operations: Annotated[BitOperation, OPTIONAL]) -> list[int | None]:
    """Read and change integers within the bits at *key*."""
    return []


def parse_migrate(words: Words) -> tuple[tuple[Any, ...], dict[str, Any]]:
    host, port, key = words.take().decode(), text_int(words.take()), words.take()
    database, timeout = words.take(), int(text_float(words.take()))
    options: dict[str, Any] = {}
    keys = [key] if key else []
    while token := words.token("COPY", "REPLACE", "AUTH", "AUTH2", "KEYS"):
        if token == "KEYS":
            if key:
                raise InvalidArgument(
                    "When using MIGRATE KEYS option, the key argument must be set to the empty string"
                )
            keys = words.rest()
        elif token in ("COPY", "REPLACE"):
            options[token.lower()] = True
        else:
            user = words.take().decode() if token == "AUTH2" else "default"
            options["credentials"] = Credentials(user, words.take().decode())
    return (host, port, database, timeout, *keys), options


@command(
    WRITE | SLOW, group="keys", since=SINCE, cost="O(size)",
    grammar=Grammar(
        'host port <key | ""> database timeout [COPY] [REPLACE] [AUTH password | AUTH2 user password]'
        " [KEYS key [key ...]]",
        parse_migrate,
        5,
    ),
)  # fmt: skip
def migrate(
    tx: Any, host: Text, port: Int, database: Name, timeout: Timeout, /, *keys: Key,
    copy: bool = False, replace: bool = False, credentials: Credentials | None = None,
) -> int:  # fmt: skip
    """Move keys to another server."""
    return len(keys)


WRITTEN = Catalog((xadd, xreadgroup, bitfield, migrate))
K, S = from_octets(b"v"), from_octets(b"8")

LINES = [
    ("XADD s * f v", [b"s", b"*", [b"f", K]], {}),
    (
        "XADD s nomkstream maxlen ~ 1000 1-1 f v g 8",
        [b"s", b"1-1", [b"f", K], [b"g", S]],
        {b"create": False, b"trim": [b"MAXLEN", True, b"1000"]},
    ),
    ("XADD s MINID = 5-0 * f v", [b"s", b"*", [b"f", K]], {b"trim": [b"MINID", False, b"5-0"]}),
    (
        "XREADGROUP GROUP g me COUNT 10 block 2000 NOACK STREAMS a b > 0-0",
        [b"g", b"me", [b"a", b">"], [b"b", b"0-0"]],
        {b"count": 10, b"block": 2000, b"no_ack": True},
    ),
    ("XREADGROUP GROUP g me STREAMS a >", [b"g", b"me", [b"a", b">"]], {}),
    ("BITFIELD k", [b"k"], {}),
    (
        "BITFIELD k INCRBY i5 100 1 get u4 #0 SET u8 0 255",
        [b"k", [b"INCRBY", b"i5", b"100", 1], [b"GET", b"u4", b"#0", 0], [b"SET", b"u8", b"0", 255]],
        {},
    ),
    ("MIGRATE host 6379 k 0 500", [b"host", 6379, b"0", 500, b"k"], {}),
    (
        "MIGRATE host 6379  0 500 COPY REPLACE AUTH2 ada secret KEYS a b",
        [b"host", 6379, b"0", 500, b"a", b"b"],
        {b"copy": True, b"replace": True, b"credentials": [b"ada", b"secret"]},
    ),
]


@pytest.mark.parametrize(("line", "args", "options"), LINES, ids=[line for line, _, _ in LINES])
def test_both_doors_bind_the_same_call(line: str, args: list[Any], options: dict[bytes, Any]) -> None:
    words = line.encode().split(b" ")
    called = WRITTEN.find_text(words)
    assert called.bind_text(words)[:3] == called.bind_typed(args, options)[:3]


@pytest.mark.parametrize(
    "line",
    [
        "XADD s *", "XADD s * f", "XADD s MAXLEN ~ 1 * f", "XREADGROUP g me STREAMS a >", "BITFIELD", "BITFIELD k GET",
        "XREADGROUP GROUP g me STREAMS a b >", "BITFIELD k TURN u8 0", "MIGRATE host 1 k 0 500 KEYS a", "MIGRATE host",
    ],
)  # fmt: skip
def test_a_malformed_line_is_refused(line: str) -> None:
    words = line.encode().split(b" ")
    with pytest.raises(InvalidArgument):
        WRITTEN.find_text(words).bind_text(words)


def test_keys_come_of_the_signature_whatever_the_line() -> None:
    words = b"XREADGROUP GROUP g me STREAMS a b > 0-0".split()
    reading = WRITTEN["XREADGROUP"]
    assert reading.keys(reading.bind_text(words)) == [(b"a", WRITE), (b"b", WRITE)]
    moving = WRITTEN["MIGRATE"]
    assert moving.keys(moving.bind_text(b"MIGRATE host 1 k 0 500".split())) == [(b"k", WRITE)]


def test_the_usage_is_the_grammars() -> None:
    assert WRITTEN["XADD"].usage.startswith("XADD key [NOMKSTREAM]")
    assert WRITTEN["XADD"].native == "XADD key id name value [name value ...] {create, trim}"


def test_a_cursor_hands_out_every_word_once() -> None:
    words = Words([b"CMD", b"one", b"two", b"three"], 1, "cmd")
    assert words.left == 3
    assert words.peek() == b"ONE"
    assert words.token("TWO") is None
    assert words.token("TWO", "ONE") == "ONE"
    assert words.take() == b"two"
    with pytest.raises(InvalidArgument, match="syntax error"):
        words.finish()
    assert words.rest() == [b"three"]
    words.finish()
    with pytest.raises(InvalidArgument, match="syntax error"):
        words.take()
