"""Command lines of the plainest form: however they run, they are answered alike."""

from __future__ import annotations

from random import Random

import pytest

from tests.surfaces.talk import Talk, packed

LINES = (
    ("HSET", "h", "f", "1", "g", "two"),
    ("HINCRBY", "h", "f", "41"),
    ("HGET", "h", "f"),
    ("HGET", "h", "absent"),
    ("LPUSH", "l", "a", "b"),
    ("LPOP", "l"),
    ("LPOP", "l", "5"),
    ("LPOP", "l"),
    ("SADD", "s", "x", "y", "x"),
    ("ZADD", "z", "1.5", "m", "-2", "n"),
    ("ZADD", "z", "XX", "CH", "3", "m"),
    ("ZADD", "z", "0000000007", "o", "9007199254740993", "p", "-0", "q"),
    ("ZADD", "z", "000000000008", "o"),
    ("ZMSCORE", "z", "o", "p"),
    ("MSET", "a", "1", "b", "\u00e9"),
    ("INCR", "a"),
    ("EXPIRE", "a", "100"),
    ("EXPIRE", "a", "100", "NX"),
    ("GET", "b"),
    ("hget", "h", "g"),
)
ANSWERS = (
    b":2\r\n:42\r\n$2\r\n42\r\n$-1\r\n:2\r\n$1\r\nb\r\n*1\r\n$1\r\na\r\n$-1\r\n:2\r\n:2\r\n:1\r\n"
    b":3\r\n:0\r\n*2\r\n$1\r\n8\r\n$16\r\n9007199254740992\r\n+OK\r\n:2\r\n:1\r\n:0\r\n"
    b"$2\r\n\xc3\xa9\r\n$3\r\ntwo\r\n"
)


def test_lines_are_answered_in_their_order_whatever_way_each_goes() -> None:
    talk = Talk()
    talk.connection.receive_data(b"".join(packed(*line) for line in LINES))
    assert talk.take() == ANSWERS


@pytest.mark.parametrize("size", [1, 7, 50])
def test_lines_that_come_torn_are_answered_as_whole_ones(size: int) -> None:
    talk = Talk()
    data = b"".join(packed(*line) for line in LINES)
    for at in range(0, len(data), size):
        talk.connection.receive_data(data[at : at + size])
    assert talk.take() == ANSWERS


SAME_KEY = (
    ("SET", "k", "1"), ("GET", "k"), ("INCR", "k"), ("APPEND", "k", "0"), ("DEL", "k"), ("EXPIRE", "k", "100"),
    ("TTL", "k"), ("EXPIRE", "k", "-1"), ("PERSIST", "k"), ("TYPE", "k"), ("EXISTS", "k"), ("LPUSH", "k", "a"),
    ("RPUSH", "k", "b"), ("LPOP", "k"), ("RPOP", "k"), ("LLEN", "k"), ("SADD", "k", "m"), ("SREM", "k", "m"),
    ("SCARD", "k"), ("HSET", "k", "f", "1"), ("HINCRBY", "k", "f", "1"), ("HDEL", "k", "f"), ("HGET", "k", "f"),
    ("ZADD", "k", "1", "m"), ("ZREM", "k", "m"), ("RENAME", "k", "other"), ("RENAME", "other", "k"), ("GETDEL", "k"),
    ("COPY", "other", "k"), ("MSET", "k", "1", "other", "2"), ("PING",), ("ECHO", "k"), ("SETEX", "k", "100", "v"),
    ("XADD", "k", "*", "f", "v"), ("PFADD", "k", "m"), ("FLUSHDB",),
)  # fmt: skip


@pytest.mark.parametrize("seed", range(20))
def test_lines_with_one_key_find_what_those_before_them_left(seed: int) -> None:
    dice = Random(seed)
    lines = dice.choices(SAME_KEY, k=300)
    together, apart = Talk(), Talk()
    said = together.send(b"".join(packed(*line) for line in lines))
    assert said == b"".join(apart.call(*line) for line in lines)
    one, other = together.rig.engine, apart.rig.engine
    assert (one.hits, one.misses) == (other.hits, other.misses)


def test_a_line_that_fails_says_why_and_those_behind_it_run() -> None:
    talk = Talk()
    lines = (
        ("SADD", "s", "x"),
        ("LPUSH", "s", "y"),
        ("HGET", "h"),
        ("NOSUCH", "x"),
        ("SADD", "s", "y"),
        ("SCARD", "s"),
    )
    talk.connection.receive_data(b"".join(packed(*line) for line in lines))
    first, second, third, fourth, fifth, sixth, _ = talk.take().split(b"\r\n")
    assert (first, fifth, sixth) == (b":1", b":1", b":2")
    assert second.startswith(b"-WRONGTYPE ")
    assert third == b"-ERR wrong number of arguments for 'hget' command"
    assert fourth.startswith(b"-ERR unknown command")


def test_a_long_reply_stands_between_those_around_it() -> None:
    talk = Talk()
    members = [f"member:{number}" for number in range(3000)]
    lines = (("RPUSH", "l", *members), ("LLEN", "l"), ("LRANGE", "l", "0", "-1"), ("LLEN", "l"))
    talk.connection.receive_data(b"".join(packed(*line) for line in lines))
    said = talk.take()
    while talk.connection.held or talk.connection.stalled:
        talk.connection.resume()
        said += talk.take()
    assert said.startswith(b":3000\r\n:3000\r\n*3000\r\n$8\r\nmember:0\r\n")
    assert said.endswith(b"member:2999\r\n:3000\r\n")


@pytest.mark.parametrize("line", [("GET", "k"), ("HSET", "h", "f", "v"), ("TYPE", "k"), ("OBJECT", "ENCODING", "k")])
def test_what_a_client_has_called_last_is_known_whatever_way_that_went(line: tuple[str, ...]) -> None:
    talk = Talk()
    talk.connection.receive_data(packed("SET", "k", "v") + packed(*line))
    talk.take()
    command = talk.connection.command
    assert command is not None
    assert command.name.split()[0] == line[0]
