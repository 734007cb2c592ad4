"""Where kv answers otherwise than Redis on purpose: each class with its reason. docs/differences.md is made from it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from tests.redis.agreement import agree
from tests.redis.client import Reply, Words
from tests.redis.templates import name_of
from tests.redis.vocabulary import words

CLASSES_MAX = 40

Covers = Callable[[Words, Reply, Reply], bool]


class Difference(NamedTuple):
    """A class of allowed differences. *covers* tells from a call and both replies whether they are a case of it."""

    title: str
    redis: str
    kv: str
    why: str
    covers: Covers | None = None
    """None: such replies are compared by a rule of agreement.py, or never asked for."""
    example: tuple[str, ...] = ()
    """Calls of which the last is answered otherwise: a test keeps the class honest."""
    goes_on: bool = False
    """Nothing was changed by such a call on either server, so that the rest of the sequence can be compared."""


ARGUMENT = re.compile(
    rb"ERR (syntax error|value is not an integer or out of range|value is not a valid float|invalid expire time|min or "
    rb"max|value is out of range, must be positive|bit |The bit|DB index is out of range|timeout is|Unsupported option|"
    rb"invalid longitude|radius (cannot|must) be|need numeric|count should|weight value|Unrecognized XCLAIM|limit should|"
    rb"Invalid (min-idle|IDLE|TIME|RETRYCOUNT|bitfield|stream ID)|Number of keys can't|invalid cursor|unsupported unit|"
    rb"[a-zA-Z_ ]+ (must be|should be|cannot be|is not) )"
)
STATE = re.compile(
    rb"(WRONGTYPE|NOGROUP|BUSYGROUP|BUSYKEY|ERR no such key|ERR The XGROUP|ERR hash value|ERR could not decode)"
)
SIGN = rb"must be positive"


def error(reply: Reply, pattern: re.Pattern[bytes]) -> bool:
    return reply.kind == "error" and isinstance(reply.value, bytes) and pattern.match(reply.value) is not None


def nothing(reply: Reply) -> bool:
    """What Redis says of a key that is not there."""
    empty = reply.value in (None, 0, (), -1) or reply == Reply("simple", b"none")
    return empty or reply == Reply("array", (Reply("bulk", b"0"), Reply("array", ())))


def other_check_first(words: Words, theirs: Reply, ours: Reply) -> bool:
    if not error(ours, ARGUMENT) or theirs.kind != "error":
        return False
    assert isinstance(theirs.value, bytes)
    assert isinstance(ours.value, bytes)
    if error(theirs, STATE):
        return True
    return error(theirs, ARGUMENT) and (SIGN in theirs.value) == (SIGN in ours.value)


CHANGING = re.compile(rb"SET|.*STORE|GEORADIUS.*", re.IGNORECASE)


def unread(words: Words, theirs: Reply, ours: Reply) -> bool:
    return error(ours, ARGUMENT) and nothing(theirs) and not CHANGING.fullmatch(words[0])


def unread_by_georadius(words: Words, theirs: Reply, ours: Reply) -> bool:
    return error(ours, ARGUMENT) and nothing(theirs) and words[0].upper().startswith(b"GEORADIUS")


def repeated(words: Words, theirs: Reply, ours: Reply) -> bool:
    options = [word.upper() for word in words[2:]]
    again = {word for word in options if options.count(word) > 1 and re.fullmatch(rb"[A-Z]+", word)}
    periods = {b"EX", b"PX", b"EXAT", b"PXAT", b"PERSIST", b"KEEPTTL"} & set(options)
    return error(ours, ARGUMENT) and bool(again or (name_of(words) == "getex" and len(periods) > 1))


def named(words: Words, theirs: Reply, ours: Reply) -> bool:
    database = {b"SELECT", b"MOVE", b"SWAPDB", b"COPY"}
    return words[0].upper() in database and error(
        theirs, re.compile(rb"ERR (invalid|value is not an integer|DB index)")
    )


HEX = re.compile(rb"[+-]?0[xX]")


def hexadecimal(words: Words, theirs: Reply, ours: Reply) -> bool:
    return any(map(HEX.match, words)) and ours.kind == "error"


def decimal(words: Words, theirs: Reply, ours: Reply) -> bool:
    if name_of(words) not in ("incrbyfloat", "hincrbyfloat"):
        return False
    if theirs.kind == "bulk" and ours.kind == "error":
        assert isinstance(theirs.value, bytes)
        return len(theirs.value) > 300  # digits that no double has
    try:
        there, here = float(theirs.value), float(ours.value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return theirs.kind == ours.kind == "error"
    return abs(there - here) <= 1e-12 * abs(there)


LATEST_MS = 253_402_300_800_000


def farthest(words: Words, theirs: Reply, ours: Reply) -> bool:
    scale = {"ttl": 1000, "expiretime": 1000, "pttl": 1, "pexpiretime": 1}.get(name_of(words))
    if scale is None or not isinstance(theirs.value, int) or not isinstance(ours.value, int):
        return False
    return theirs.value > ours.value and theirs.value * scale > LATEST_MS - 10**13


def empty_name(words: Words, theirs: Reply, ours: Reply) -> bool:
    there, here = theirs.value, ours.value
    if not isinstance(there, tuple) or not isinstance(here, tuple):
        return False
    return sorted(map(repr, here)) == sorted(map(repr, (*there, Reply("bulk", b""))))


def empty_bound(words: Words, theirs: Reply, ours: Reply) -> bool:
    bounds = {b"", b"("}
    return bool(bounds & set(words[2:])) and error(ours, re.compile(rb"ERR min or max"))


def unsigned(words: Words, theirs: Reply, ours: Reply) -> bool:
    return "scan" in name_of(words) and error(ours, re.compile(rb"ERR invalid cursor"))


def minus_zero(words: Words, theirs: Reply, ours: Reply) -> bool:
    return agree(words, signless(theirs), signless(ours)) is None


def signless(reply: Any) -> Any:
    """*reply* with every -0 as 0."""
    if not isinstance(reply, Reply):
        return tuple(map(signless, reply))
    if isinstance(reply.value, tuple):
        return reply._replace(value=tuple(map(signless, reply.value)))
    return reply._replace(value=b"0") if reply.value == b"-0" else reply


AROUND = frozenset(words("50000 2000000 180 -180 179.9 85.05112878 -85.05112878 inf 1e17 9223372036854775807"))


def around(words: Words, theirs: Reply, ours: Reply) -> bool:
    if not words[0].upper().startswith((b"GEOSEARCH", b"GEORADIUS")) or not AROUND & set(words):
        return False
    there, here = theirs.value, ours.value
    if isinstance(there, int) and isinstance(here, int):
        return there < here
    return isinstance(there, tuple) and isinstance(here, tuple) and len(there) < len(here)


def estimator(words: Words, theirs: Reply, ours: Reply) -> bool:
    there, here = theirs.value, ours.value
    return isinstance(there, bytes) and isinstance(here, bytes) and there[:4] == here[:4] == b"HYLL"


def cut(words: Words, theirs: Reply, ours: Reply) -> bool:
    if theirs.kind != "error" or ours.kind != "error" or not any(b"\x00" in word for word in words):
        return False
    assert isinstance(theirs.value, bytes)
    assert isinstance(ours.value, bytes)
    return theirs.value[:20] == ours.value[:20]


DIFFERENCES: tuple[Difference, ...] = (
    Difference(
        "Which of two mistakes is told",
        "looks at the key between its arguments: a wrong number on a key of another type is `WRONGTYPE`",
        "reads all arguments before it looks at the key, so that the wrong number is told",
        "the signature of a command is its grammar, for every door; a call that cannot be read touches nothing",
        other_check_first,
        ("SET s x", "LINDEX s one"),
        goes_on=True,
    ),
    Difference(
        "An option given twice",
        "takes some options twice; the last one counts, or none",
        "syntax error",
        "an option is a named argument, and a named argument has one value",
        repeated,
        ("SET s x XX XX",),
    ),
    Difference(
        "Databases have names",
        "`SELECT x` is an error",
        "`SELECT` and kin take a number from 0 to 15 or the name of a namespace",
        "namespaces are the server's, and both protocols reach them",
        named,
        ("SELECT shop",),
    ),
    Difference(
        "Hexadecimal floats",
        "reads `0x10` as 16 where it wants a float",
        "not a valid float",
        "one form of numbers for every door",
        hexadecimal,
        ("ZADD z 0x10 m",),
    ),
    Difference(
        "INCRBYFLOAT is exact",
        "adds long doubles: 123456789.123 becomes 123456789.12299999999959255; what fits no double may fit",
        "adds decimals: what you add is what you get; what fits no double is refused",
        "values may be decimals natively, and both doors count alike",
        decimal,
        ("INCRBYFLOAT n 123456789.123",),
    ),
    Difference(
        "The last moment",
        "an expiry may lie 292 million years ahead",
        "an expiry beyond the year 9999 counts as the end of that year",
        "a moment must be a datetime natively",
        farthest,
        ("SET s x PXAT 9223372036854775807", "TTL s"),
    ),
    Difference(
        "The empty name and patterns",
        "no pattern but a single `*` fits a name of no octets",
        "every pattern that can be nothing fits it",
        "`**` means what `*` means",
        empty_name,
        ("RPUSH {} x", "KEYS **"),
        goes_on=True,
    ),
    Difference(
        "Bounds without a number",
        "reads an empty bound, or `(` alone, as 0",
        "min or max is not a float",
        "an empty word is no number",
        empty_bound,
        ("ZADD z 0 m", "ZCOUNT z ( 1"),
    ),
    Difference(
        "Searches around the globe",
        "a very large radius, or one over a pole or the antimeridian, misses places that are within it",
        "finds every place within the distance",
        "the distance decides; Redis's grid has no cells there",
        around,
        ("GEOADD g 2.349014 85.05112878 p", "GEORADIUS g 2.349014 -85.05112878 2000000 km"),
    ),
    Difference(
        "The octets of a HyperLogLog",
        "GET shows its sparse or dense form",
        "GET shows kv's form",
        "the form is not part of the commands; the counts are the same",
        estimator,
        ("PFADD h m", "GET h"),
    ),
    Difference(
        "Cursors",
        "takes any number for a cursor, also a negative or an empty one",
        "invalid cursor",
        "a cursor is a point in the order of the keys and comes from the reply before",
        unsigned,
        ("SCAN -1",),
        goes_on=True,
    ),
    Difference(
        "Arguments of a call on a key that is not there",
        "answers nil or 0 without reading the rest of the call",
        "refuses what it cannot read, whether the key exists or not",
        "a wrong call is wrong at the first try, not when there is data",
        unread,
        ("LINDEX absent one",),
        goes_on=True,
    ),
    Difference(
        "Minus zero",
        "a sorted set keeps the score -0 and shows it",
        "the score is 0",
        "equal scores look equal",
        minus_zero,
        ("ZADD z -0 m", "ZSCORE z m"),
        goes_on=True,
    ),
    Difference(
        "Names with NUL in error texts",
        "cuts the text there",
        "shows the whole name",
        "names may hold any octets",
        cut,
    ),
    Difference(
        "How doubles are written",
        "7.0 writes 17 digits: 0.10000000000000001; 7.2 as few as tell the number",
        "as 7.2",
        "kv answers as 7.2; this table is checked against 7.0",
    ),
    Difference(
        "How values are kept",
        "OBJECT ENCODING, REFCOUNT, IDLETIME, FREQ and MEMORY USAGE tell of its own structures",
        "the commands are there and speak of kv's structures",
        "the structures are others",
    ),
    Difference(
        "Pages of a scan",
        "shows small collections at once, whatever COUNT says",
        "shows at most COUNT",
        "a cursor is a point in the order of the names' hashes, for tables of any size",
    ),
)


def allowed(words: Words, theirs: object, ours: object) -> Difference | None:
    """The class to which these two replies to *words* belong."""
    if not words or not isinstance(theirs, Reply) or not isinstance(ours, Reply):
        return None
    covering = (each for each in DIFFERENCES if each.covers is not None and each.covers(words, theirs, ours))
    return next(covering, None)
