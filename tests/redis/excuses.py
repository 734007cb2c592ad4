"""Which case belongs to which class of differences.py: a function a class, over a call and both replies."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from tests.redis.agreement import agree
from tests.redis.client import ARRAY_NULL, BULK_NULL, Reply, Words
from tests.redis.templates import name_of
from tests.redis.vocabulary import words


class Case(NamedTuple):
    """Two replies to a call that do not agree."""

    words: Words
    theirs: Reply
    ours: Reply
    reason: str

    @property
    def name(self) -> str:
        return name_of(self.words)

    @property
    def errors(self) -> bool:
        """Neither server did anything."""
        return self.theirs.kind == self.ours.kind == "error"


ARGUMENT = re.compile(
    rb"ERR (syntax error|value is not an integer or out of range|value is not a valid float|invalid expire time|min or "
    rb"max|value is out of range|bit |The bit|DB index is out of range|timeout is|Unsupported option|limit should|"
    rb"invalid longitude|radius (cannot|must) be|need numeric|count should|weight value|Unrecognized XCLAIM|"
    rb"Invalid (min-idle|IDLE|TIME|RETRYCOUNT|bitfield|stream ID|client ID)|Number of keys can't|invalid cursor|"
    rb"unsupported unit|exactly one of|numkeys should|[a-zA-Z_ ]+ (must be|should be|cannot be|can't be|is not) )"
)
STATE = re.compile(
    rb"(WRONGTYPE|NOGROUP|BUSYGROUP|BUSYKEY|ERR no such key|ERR The XGROUP|ERR hash value|ERR could not decode|"
    rb"ERR The specified keys)"
)
ARITY = re.compile(rb"ERR wrong number of arguments for ")
AROUND = frozenset(words("50000 2000000 180 -180 179.9 85.05112878 -85.05112878 inf 1e17 9223372036854775807"))
STORING = re.compile(rb"SET|.*STORE|STOREDIST", re.IGNORECASE)
LATEST_MS = 253_402_300_800_000


def always(case: Case) -> bool:
    return True


def stores(case: Case) -> bool:
    """The call would change something even where nothing is there."""
    return any(map(STORING.fullmatch, case.words))


def error(reply: Reply, pattern: re.Pattern[bytes]) -> bool:
    return reply.kind == "error" and isinstance(reply.value, bytes) and pattern.match(reply.value) is not None


def nothing(reply: Reply) -> bool:
    """What Redis says of a key that is not there."""
    empty = reply.value in (None, 0, (), -1) or reply == Reply("simple", b"none")
    return empty or reply == Reply("array", (Reply("bulk", b"0"), Reply("array", ())))


def other_check_first(case: Case) -> bool:
    return error(case.ours, ARGUMENT) and (error(case.theirs, STATE) or error(case.theirs, ARGUMENT))


def unread(case: Case) -> bool:
    return error(case.ours, ARGUMENT) and nothing(case.theirs)


def word_too_many(case: Case) -> bool:
    return case.name in ("lpop", "rpop") and error(case.theirs, ARITY) and error(case.ours, ARGUMENT)


def repeated(case: Case) -> bool:
    options = [word.upper() for word in case.words[2:]]
    again = {word for word in options if options.count(word) > 1 and re.fullmatch(rb"[A-Z]+", word)}
    periods = {b"EX", b"PX", b"EXAT", b"PXAT", b"PERSIST", b"KEEPTTL"} & set(options)
    return error(case.ours, ARGUMENT) and bool(again or (case.name == "getex" and len(periods) > 1))


def more_options(case: Case) -> bool:
    return case.name == "getset" and error(case.theirs, ARITY)


def since_7_2(case: Case) -> bool:
    if case.name == "lpos":
        return error(case.ours, re.compile(rb"ERR value is out of range, value must between"))
    if case.name in ("zrank", "zrevrank"):
        return error(case.theirs, ARITY)
    gone = re.compile(rb"UNBLOCKED the stream|NOGROUP the consumer group this client was blocked on")
    return error(case.theirs, gone) and error(case.ours, re.compile(rb"NOGROUP No such key|WRONGTYPE"))


def over(case: Case) -> bool:
    there, here = case.theirs.value, case.ours.value
    fewer = isinstance(there, int) and isinstance(here, int) and here < there
    return (case.name == "memory|usage" and nothing(case.ours)) or (case.name == "dbsize" and fewer)


def half_greeted(case: Case) -> bool:
    return case.name == "client|getname"


def greeted(before: Sequence[Words]) -> bool:
    return any(name_of(call) == "hello" and b"SETNAME" in call for call in before)


def of_bits(case: Case) -> bool:
    return case.name in ("bitcount", "bitfield", "bitfield_ro", "bitop", "bitpos", "get", "getbit", "getrange")


def far_too_low(before: Sequence[Words]) -> bool:
    return any(b"SAT" in call and b"-9223372036854775808" in call for call in before)


def woken(case: Case) -> bool:
    return case.theirs.kind == "answers" and case.theirs.value == () != case.ours.value


def stored(before: Sequence[Words]) -> bool:
    return any(b"STORE" in call or call[0].upper().endswith(b"STORE") for call in before)


def scores_by_name(case: Case) -> bool:
    asked = {word.upper() for word in case.words}
    return case.name == "zrange" and {b"BYLEX", b"WITHSCORES"} <= asked and case.theirs.kind == "error"


def named(case: Case) -> bool:
    wrong = re.compile(rb"ERR (invalid|value is not an integer|value is out of range|DB index)")
    return case.name in ("select", "move", "swapdb", "copy") and error(case.theirs, wrong)


NUMBERLESS = re.compile(rb"\(?[+-]?(0[xX].*)?|\(?\s.*|.*\x00.*", re.DOTALL)


def spelled_otherwise(case: Case) -> bool:
    wrong = re.compile(rb"ERR (value is not a valid float|hash value is not a float|min or max|weight value|need num)")
    return error(case.ours, wrong)


def oddly_spelled(before: Sequence[Words]) -> bool:
    """A float is empty, in hexadecimal, or has blanks before it."""
    return any(NUMBERLESS.fullmatch(word) for call in before for word in call[2:])


def decimal(case: Case) -> bool:
    if case.name not in ("incrbyfloat", "hincrbyfloat"):
        return False
    there, here = case.theirs.value, case.ours.value
    if case.theirs.kind == "bulk" and case.ours.kind == "error":
        assert isinstance(there, bytes)
        return len(there) > 300  # digits that no double has
    if case.errors:
        return True
    try:
        return abs(float(there) - float(here)) <= 1e-12 * abs(float(there))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False


def farthest(case: Case) -> bool:
    scale = {"ttl": 1000, "expiretime": 1000, "pttl": 1, "pexpiretime": 1}.get(case.name)
    there, here = case.theirs.value, case.ours.value
    if scale is None or not isinstance(there, int) or not isinstance(here, int):
        return False
    return there > here and there * scale > LATEST_MS - 10**13


def empty_name(case: Case) -> bool:
    there, here = case.theirs.value, case.ours.value
    if not isinstance(there, tuple) or not isinstance(here, tuple):
        return False
    return sorted(map(repr, here)) == sorted(map(repr, (*there, Reply("bulk", b""))))


def unsigned(case: Case) -> bool:
    return "scan" in case.name and error(case.ours, re.compile(rb"ERR invalid cursor"))


def minus_zero(case: Case) -> bool:
    return agree(case.words, signless(case.theirs), signless(case.ours)) is None


def signless(reply: Any) -> Any:
    """*reply* with every -0 as 0."""
    if not isinstance(reply, Reply):
        return tuple(map(signless, reply))
    if isinstance(reply.value, tuple):
        return reply._replace(value=tuple(map(signless, reply.value)))
    return reply._replace(value=reply.value[1:]) if reply.value in (b"-0", b"-0.0") else reply


def around(case: Case) -> bool:
    if not case.name.startswith(("geosearch", "georadius")):
        return False
    there, here = case.theirs.value, case.ours.value
    if isinstance(there, int) and isinstance(here, int):
        return there < here
    return isinstance(there, tuple) and isinstance(here, tuple) and len(there) < len(here)


def at_the_edge(before: Sequence[Words]) -> bool:
    return any(AROUND.intersection(call) for call in before)


def estimator(case: Case) -> bool:
    there, here = case.theirs.value, case.ours.value
    return isinstance(there, bytes) and isinstance(here, bytes) and there[:4] == here[:4] == b"HYLL"


def cut(case: Case) -> bool:
    there, here = case.theirs.value, case.ours.value
    if not case.errors or not any(b"\x00" in word for word in case.words):
        return False
    return isinstance(there, bytes) and isinstance(here, bytes) and there[:20] == here[:20]


def refused_exec(case: Case) -> bool:
    return case.errors and error(case.theirs, re.compile(rb"EXECABORT Transaction discarded because of: "))


def other_null(case: Case) -> bool:
    return case.name in ("blmove", "brpoplpush") and (case.theirs, case.ours) == (BULK_NULL, ARRAY_NULL)


def by_name_among_scores(case: Case) -> bool:
    return "lex" in case.name or b"BYLEX" in [word.upper() for word in case.words]


def some_score(before: Sequence[Words]) -> bool:
    scores = [call[2::2] for call in before if name_of(call) == "zadd"]
    return any(score not in (b"0", b"-0") for row in scores for score in row)


def untracked(case: Case) -> bool:
    return case.name in ("client|tracking", "client|caching", "client|trackinginfo", "client|getredir")


def access(case: Case) -> bool:
    return case.name.startswith("acl|") and case.theirs.kind == case.ours.kind


def late_login(case: Case) -> bool:
    return case.errors and b" takes time, and cannot be part of a transaction" in case.ours.value  # type: ignore[operator]


def flags_of_keys(case: Case) -> bool:
    return case.name == "command|getkeysandflags" and case.theirs.kind == case.ours.kind == "array"


def no_call(case: Case) -> bool:
    refused = case.ours == Reply("error", b"ERR Invalid arguments specified for command")
    return case.name == "command|getkeys" and (refused or case.words.count(b"STORE") > 1)


# ---- what is told to those who listen: the replies are lists of messages
Message = tuple[bytes, ...]
NEVER = (b"new", b"keymiss")


def told(case: Case) -> tuple[list[Message], list[Message]]:
    """The messages that Redis and kv tell: of each the kind, the channels, the payload."""
    if case.theirs.kind != "messages":
        return [], []
    both = [[tuple(part.value for part in each.value) for each in reply.value] for reply in (case.theirs, case.ours)]  # type: ignore[attr-defined]
    return both[0], both[1]


def event(message: Message) -> bytes:
    """The name of the event that is told."""
    return message[-1] if b"__keyspace@" in message[-2] else message[-2].partition(b"__:")[2]


def told_with_commit(case: Case) -> bool:
    there, here = told(case)
    return case.name == "exec" and (set(there) < set(here) or set(here) < set(there))


def told_otherwise(case: Case) -> bool:
    renamed = {b"zincr": b"zadd", b"zpopmin": b"zrem", b"zpopmax": b"zrem"}
    there, here = told(case)
    if case.name in ("xreadgroup", "xclaim", "xautoclaim"):
        return here == [each for each in there if event(each) != b"xgroup-createconsumer"] != there
    other = [event(each) for each in here] == [renamed.get(event(each), event(each)) for each in there]
    return case.name in ("zadd", "zmpop", "bzmpop", "exec") and other


def told_once(case: Case) -> bool:
    there, here = told(case)
    there = [each for each in there if event(each) not in NEVER]
    return len(here) < len(there) and set(here) == set(there)


def told_expiry(case: Case) -> bool:
    there, here = told(case)
    less = [each for each in here if event(each) != b"expire"]
    return b"KEEPTTL" in case.words and there == less != here


def told_not(case: Case) -> bool:
    there, here = told(case)
    return here == [each for each in there if event(each) not in NEVER] != there
