"""GET, SET, INCR and DEL in every form, and what must close their own way now and then."""

from __future__ import annotations

from random import Random
from typing import Any, Final

from kv_protocol.values import encode
from tests.builds.callers import Caller, line
from tests.builds.typed import BLOBS, KEYS, REVISION, VALUES

TEXTS: Final = (
    b"", b"0", b"1", b"-1", b"-0", b"+1", b"01", b"00", b" 1", b"1 ", b"1.0", b"9", b"99", b"-", b"--1", b"1e3", b"nil",
    b"999999999999999999", b"-999999999999999999", b"1000000000000000000", b"9223372036854775806",
    b"18446744073709551615", b"9223372036854775807", b"-9223372036854775808", b"-9223372036854775809",
    b"9223372036854775808", b"\xff\x00", "é".encode(), b"\xc3", b"x", b"a\r\nb", b"$3\r\n", b"\x80" * 40, b"12345678",
    b"1234567\x80", b"true",
    *(b"x" * size for size in (31, 32, 33, 255, 256, 4_095, 4_096, 4_097, 65_535, 65_536, 70_000)),
)  # fmt: skip
ODD_KEYS: Final = (
    *KEYS, b"{", b"}", b"{}", b"{}x", b"{{a}}", b"}a{b}", b"{a", b"a{b}c{d}", b"{a}{b}", b"\x00", b"a\r\n", b"list",
    *(b"k" * size for size in (31, 32, 255, 256, 65_535, 65_536, 65_537)),
)  # fmt: skip
COMMON: Final[tuple[Any, ...]] = ("x", "5", b"raw", b"7", "y" * 40, "z" * 300, b"w" * 300)
MANY: Final = tuple(b"k%d" % number for number in range(1_500))


def key_of(dice: Random) -> bytes:
    return dice.choice(dice.choice([KEYS, KEYS, KEYS, ODD_KEYS, MANY]))


def spelled(dice: Random, word: bytes) -> bytes:
    share = dice.random()
    return word if share < 0.8 else word.lower() if share < 0.95 else bytes(dice.choice([c, c ^ 32]) for c in word)


def swift_line(dice: Random) -> bytes:
    """One of the four as a command line."""
    word = dice.choice([b"GET", b"SET", b"INCR", b"DEL", b"SET", b"GET"])
    words = [spelled(dice, word), key_of(dice)]
    if word == b"SET":
        words.append(dice.choice(TEXTS) if dice.random() < 0.7 else b"%d" % dice.randrange(-200, 200))
    share = dice.random()
    if share < 0.05:
        words += [dice.choice([b"XX", b"NX", b"GET", b"a", b"KEEPTTL"])]
    elif share < 0.08:
        words += [dice.choice([b"PX", b"EX"]), dice.choice([b"1", b"5", b"60"])]
    elif share < 0.1:
        words.pop()
    elif share < 0.16 and all(each and each.isalnum() and len(each) < 200 for each in words):
        return b" ".join(words) + dice.choice([b"\r\n", b"\n"])
    elif share < 0.18:
        return b"*0%d\r\n" % len(words) + line(*words)[4:]
    elif share < 0.2:
        return line(*words).replace(b"\r\n$", dice.choice([b"\r\n$0", b"\r\n$+", b"\r\n$"]), 1)
    return line(*words)


def plain_line(dice: Random, share: float) -> bytes:
    """One of the four in its commonest form; a *share* of them lets a key expire, several at once."""
    word, key = dice.choice([b"GET", b"SET", b"SET", b"INCR", b"DEL"]), dice.choice(dice.choice([KEYS, MANY, MANY]))
    if dice.random() < share:
        return line(b"PEXPIRE", key, dice.choice([b"1", b"5", b"5", b"50"]))
    return line(word, key, b"%d" % dice.randrange(-200, 200)) if word == b"SET" else line(word, key)


def plain_request(dice: Random, caller: Caller) -> bytes:
    name, key = dice.choice([b"GET", b"SET", b"INCR", b"DEL"]), dice.choice(dice.choice([KEYS, MANY]))
    value: list[Any] = [encode(dice.choice(COMMON))] if name == b"SET" else []
    return caller.request(name, [key, *value], share=0.2)


def swift_request(dice: Random, caller: Caller) -> bytes:
    """One of the four as a frame."""
    name = dice.choice([b"GET", b"SET", b"INCR", b"DEL", b"SET", b"GET"])
    arguments: list[Any] = [key_of(dice)]
    options = None
    if name == b"SET":
        blob = encode(dice.choice(VALUES) if dice.random() < 0.8 else dice.randrange(-(2**33), 2**33))
        arguments.append(dice.choice(BLOBS) if dice.random() < 0.05 else blob)
        if dice.random() < 0.1:
            options = dice.choice([{b"ttl": 5}, {b"keep_ttl": True}, {b"if_absent": True}, {}, {b"ttl": 0}])
    share = dice.random()
    if share < 0.03:
        arguments.append(dice.choice([b"a", None, 5, "x"]))
    elif share < 0.05:
        arguments.pop()
    elif share < 0.07:
        name = spelled(dice, name)
    return caller.request(name, arguments, options, share=0.3)


BETWEEN: Final = tuple(
    line(*words.encode().split())
    for words in """
MULTI
MULTI
EXEC
EXEC
DISCARD
WATCH a
WATCH a b
UNWATCH
PING
PEXPIRE a 5
PEXPIRE b 1
EXPIRE c 60
PERSIST a
LPUSH a x
HSET b f v
SADD c m
ZADD a 1 m
APPEND a 1
SETRANGE a 2 x
INCRBYFLOAT a 1.5
DECR a
TTL a
STRLEN a
TYPE a
EXISTS a b
UNLINK b
RENAME a b
COPY a b
SELECT 1
SELECT 0
SELECT other
FLUSHDB
FLUSHALL
SWAPDB 0 1
CLIENT REPLY OFF
CLIENT REPLY SKIP
CLIENT REPLY ON
HELLO 3
HELLO 2
RESET
SUBSCRIBE c
UNSUBSCRIBE c
CONFIG SET slowlog-log-slower-than 0
CONFIG SET slowlog-log-slower-than 10000
CONFIG SET notify-keyspace-events KEA
CONFIG SET latency-monitor-threshold 1
SLOWLOG GET
MONITOR
PSUBSCRIBE __key*
CLIENT PAUSE 5
CLIENT PAUSE 50 WRITE
CLIENT UNPAUSE
WHY a
BLPOP a 0.01
CONFIG SET maxmemory 1
CONFIG SET maxmemory 0
CONFIG RESETSTAT
OBJECT FREQ a
OBJECT IDLETIME a
OBJECT ENCODING a
DUMP a
ACL SETUSER u on nopass ~a* %R~b* +@all -incr
AUTH u x
AUTH default x
ACL SETUSER default -set
ACL SETUSER default +set
ACL SETUSER default resetkeys ~a*
QUIT
ACL SETUSER default allkeys +@all
GET
INCR
DEL
SET a
NOSUCH x
FENCED l 1 SET a 1
LOCK l
CLIENT NO-TOUCH ON
CLIENT NO-TOUCH OFF
TOUCH a
DEL a b c
GETDEL a
GETSET a 1
LATENCY LATEST
""".strip().splitlines()
)
"""What comes among lines of the four."""

AMONG: Final[tuple[tuple[bytes, list[Any], Any], ...]] = (
    (b"PING", [], None), (b"EXPIRE", [b"a", 5], None), (b"EXPIRE", [b"b", 1], None), (b"PERSIST", [b"a"], None),
    (b"RPUSH", [b"a", encode("x")], None), (b"HSET", [b"b", [b"f", encode(1)]], None), (b"SADD", [b"c", b"m"], None),
    (b"APPEND", [b"a", encode("1")], None), (b"INCR", [b"a"], {b"by": encode(1.5)}), (b"TTL", [b"a"], None),
    (b"GETENTRY", [b"a"], None), (b"TYPE", [b"a"], None), (b"RENAME", [b"a", b"b"], None), (b"FLUSHDB", [], None),
    (b"ATOMIC", [[b"SET", [b"a", encode(5)], None], [b"INCR", [b"a"], None], [b"GET", [b"a"], None]], None),
    (b"ATOMIC", [[b"SET", [b"a", encode(5)], None], [b"INCR", [b"hash"], None], [b"GET", [], None]], None),
    (b"LOCK", [b"l"], {b"ttl": 50}), (b"UNLOCK", [b"l", REVISION + 3], None), (b"WATCH", [b""], None),
    (b"WATCH", [b"a"], None), (b"CANCEL", [3], None), (b"CREDIT", [3, 5], None), (b"MONITOR", [], None),
    (b"WHY", [b"a"], None), (b"CONFIG SET", [b"slowlog-log-slower-than", b"0"], None), (b"SLOWLOG GET", [], None),
    (b"BLPOP", [b"a"], {b"wait": 5}), (b"SET", [b"a", encode(1)], {b"lease": [b"l", REVISION + 3]}),
    (b"CONFIG SET", [b"slowlog-log-slower-than", b"10000"], None), (b"DUMP", [b"a"], None), (b"NOSUCH", [], None),
    (b"MGET", [b"a", b"b", b"c"], None), (b"DEL", [b"a", b"b"], None), (b"NAMESPACE DROP", [b"other"], None),
    (b"NAMESPACE LIST", [], None), (b"NOSUCH", [b"a"], None),
)  # fmt: skip
