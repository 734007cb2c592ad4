"""When two replies to one call count as the same: order that is open, time that runs, spelling of numbers."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tests.redis.client import ARRAY_NULL, BULK_NULL, NULL, Reply, Words, show
from tests.redis.templates import name_of

Rule = Callable[[Words, Reply, Reply], bool]

SLACK_MS = 5_000  # between the same call to the one server and to the other, on a machine that stalls
SPOKEN = "other words: "  # begins the reason for an error that differs only in words on which nobody depends

MATCHED = tuple(
    re.compile(pattern)
    for pattern in (
        rb"ERR unknown command",
        rb"ERR unknown subcommand",
        rb"ERR wrong number of arguments",
        rb"ERR syntax error",
        rb"ERR value is not an integer or out of range",
        rb"ERR value is not a valid float",
        rb"ERR value is out of range",
        rb"ERR no such key",
        rb"ERR index out of range",
        rb"ERR invalid expire time",
        rb"ERR increment or decrement would overflow",
        rb"ERR increment would produce NaN or Infinity",
        rb"ERR hash value is not",
        rb"ERR DB index is out of range",
        rb"ERR invalid DB index",
        rb"ERR min or max",
        rb"ERR offset is out of range",
        rb"ERR bit ",
        rb"ERR timeout is",
        rb"ERR source and destination objects are the same",
        rb"ERR (EXEC|DISCARD) without MULTI",
        rb"ERR MULTI calls can not be nested",
        rb"ERR WATCH inside MULTI",
        rb"ERR Invalid stream ID",
        rb"ERR The ID specified in XADD",
        rb"ERR The XGROUP subcommand",
        rb"ERR Can't execute",
        rb"ERR Target key name",
        rb"ERR DUMP payload",
        rb"(?!ERR )",
    )
)


def agree(words: Words, theirs: Reply, ours: Reply) -> str | None:
    """Why *ours* is not what Redis answers to *words*; None if it is."""
    if theirs == ours:
        return None
    if theirs.kind == "error" and ours.kind == "error":
        return _same_error(theirs.value, ours.value)
    if theirs.kind != "error" and ours.kind != "error":
        rule = RULES.get(name_of(words)) if words else None
        if rule is not None and _fits(rule, words, theirs, ours):
            return None
    return f"Redis says {show(theirs)}, kv says {show(ours)}"


def _fits(rule: Rule, words: Words, theirs: Reply, ours: Reply) -> bool:
    """Whether both replies are as *rule* has it; those of another form are not."""
    try:
        return rule(words, theirs, ours)
    except (AttributeError, LookupError, TypeError, ValueError):
        return False


def _same_error(theirs: Any, ours: Any) -> str | None:
    reason = f"Redis says -{theirs.decode('utf-8', 'replace')}, kv says -{ours.decode('utf-8', 'replace')}"
    if theirs.split(b" ")[0] != ours.split(b" ")[0] or any(pattern.match(theirs) for pattern in MATCHED):
        return reason
    if ours.startswith(b"ERR a bug of the server"):
        return reason
    return SPOKEN + reason


def _rows(reply: Reply) -> tuple[Any, ...]:
    return reply.value if isinstance(reply.value, tuple) else ()


def _key(item: Any) -> str:
    return repr(item)


def unordered(words: Words, theirs: Reply, ours: Reply) -> bool:
    """The same elements; in which order is open."""
    return theirs.kind == ours.kind and sorted(_rows(theirs), key=_key) == sorted(_rows(ours), key=_key)


def pairs(words: Words, theirs: Reply, ours: Reply) -> bool:
    """The same pairs, flat or as a map; in which order is open."""
    return theirs.kind == ours.kind and _table(theirs) == _table(ours)


def _table(reply: Reply) -> list[Any]:
    rows = _rows(reply)
    found = rows if reply.kind == "map" else list(zip(rows[::2], rows[1::2], strict=True))
    return sorted(found, key=_key)


def options(words: Words, theirs: Reply, ours: Reply) -> bool:
    """CONFIG GET: what is asked for by name must be there; most values are each server's own."""
    common = {b"databases", b"maxmemory", b"notify-keyspace-events", b"timeout"}
    there, here = dict(_table_of(theirs)), dict(_table_of(ours))
    missing = ({word.lower() for word in words[2:]} & there.keys()) - here.keys()
    alike = all(there[name] == here[name] for name in common & there.keys() & here.keys())
    return theirs.kind == ours.kind and alike and not missing


def sorted_by(words: Words, theirs: Reply, ours: Reply) -> bool:
    """SORT BY: the order of equal weights is open."""
    asked = {word.upper() for word in words[2:]}
    if b"BY" not in asked or theirs.kind != ours.kind:
        return False
    there, here = _rows(theirs), _rows(ours)
    same = sorted(there, key=_key) == sorted(here, key=_key)
    return len(there) == len(here) and (same or b"LIMIT" in asked or b"GET" in asked)


def about(scale: int) -> Rule:
    """The same number but for the time that passes between the servers; *scale* ms are one."""

    def rule(words: Words, theirs: Reply, ours: Reply) -> bool:
        there, here = theirs.value, ours.value
        if not isinstance(there, int) or not isinstance(here, int) or theirs.kind != ours.kind:
            return False
        return min(there, here) >= 0 and abs(there - here) * scale <= SLACK_MS

    return rule


def same_kind(words: Words, theirs: Reply, ours: Reply) -> bool:
    """A reply of that type; what it says is each server's own affair."""
    return theirs.kind == ours.kind


def found(words: Words, theirs: Reply, ours: Reply) -> bool:
    """Something for both, or nothing for both."""
    nothing = (BULK_NULL, ARRAY_NULL, NULL)
    return (theirs in nothing) == (ours in nothing) and theirs.kind == ours.kind


def spelled(words: Words, theirs: Reply, ours: Reply) -> bool:
    """The same but for how doubles are written: 17 digits up to Redis 7.0, as few as tell the number since 7.2."""
    if theirs == ours:
        return True
    if theirs.kind != ours.kind:
        return False
    if isinstance(theirs.value, bytes) and isinstance(ours.value, bytes):
        try:
            return b"%.17g" % float(ours.value) == theirs.value
        except ValueError:
            return False
    there, here = _rows(theirs), _rows(ours)
    if not there or len(there) != len(here):
        return False
    return all(
        spelled(words, their, our) if isinstance(their, Reply) else all(map(spelled, (words, words), their, our))
        for their, our in zip(there, here, strict=True)
    )


def near(words: Words, theirs: Reply, ours: Reply) -> bool:
    """Positions and distances: the last digit is the processor's."""
    if theirs == ours:
        return True
    if theirs.kind != ours.kind:
        return False
    if isinstance(theirs.value, bytes) and isinstance(ours.value, bytes):
        try:
            return abs(float(theirs.value) - float(ours.value)) <= max(1e-4, 1e-9 * abs(float(theirs.value)))
        except ValueError:
            return False
    there, here = _rows(theirs), _rows(ours)
    if not there or len(there) != len(here):
        return False
    return all(near(words, their, our) for their, our in zip(there, here, strict=True))


def places(words: Words, theirs: Reply, ours: Reply) -> bool:
    """What a search around a place finds: an order only if one was asked for, any few if ANY."""
    asked = {word.upper() for word in words}
    if b"ANY" in asked:
        return theirs.kind == ours.kind and len(_rows(theirs)) == len(_rows(ours))
    if near(words, theirs, ours):
        return True
    if asked & {b"ASC", b"DESC", b"COUNT"} or theirs.kind != ours.kind:
        return False
    there, here = sorted(_rows(theirs), key=_key), sorted(_rows(ours), key=_key)
    return near(words, theirs._replace(value=tuple(there)), ours._replace(value=tuple(here)))


def page(words: Words, theirs: Reply, ours: Reply) -> bool:
    """A page of a scan: Redis may show more or less of a small table at once, so only its form is compared."""
    if theirs.kind != "array" or ours.kind != "array":
        return False
    (there, _), (here, listed) = _rows(theirs), _rows(ours)
    return there.kind == here.kind and listed.kind == "array"


def clocked(words: Words, theirs: Reply, ours: Reply) -> bool:
    """The same but for moments in ms."""
    if theirs == ours:
        return True
    if theirs.kind != ours.kind:
        return False
    if theirs.kind == "int":
        assert isinstance(theirs.value, int)
        assert isinstance(ours.value, int)
        return min(theirs.value, ours.value) > 10**12 and abs(theirs.value - ours.value) <= SLACK_MS
    there, here = _rows(theirs), _rows(ours)
    return len(there) == len(here) > 0 and all(clocked(words, *both) for both in zip(there, here, strict=True))


def pending(words: Words, theirs: Reply, ours: Reply) -> bool:
    """XPENDING: `[id, consumer, idle, deliveries]` a row, of which the idle time runs."""
    there, here = _rows(theirs), _rows(ours)
    if theirs.kind != ours.kind or len(there) != len(here) or len(words) < 6:
        return False
    for their, our in zip(map(_rows, there), map(_rows, here), strict=True):
        if len(their) != 4 or len(our) != 4 or their[:2] + their[3:] != our[:2] + our[3:]:
            return False
        if not about(1)(words, their[2], our[2]):
            return False
    return True


def inspected(words: Words, theirs: Reply, ours: Reply) -> bool:
    """XINFO: tables with at least the fields of Redis, whose times run and whose memory is each server's own."""
    return _inspected("", theirs, ours)


XINFO_FIELDS = frozenset(
    b"length radix-tree-keys radix-tree-nodes last-generated-id max-deleted-entry-id entries-added groups name "
    b"pel-count "
    b"recorded-first-entry-id first-entry last-entry entries consumers pending last-delivered-id entries-read lag pel "
    b"seen-time active-time idle inactive".split()
)


def _inspected(name: str, theirs: Reply, ours: Reply) -> bool:
    if theirs == ours or name.startswith("radix-tree"):
        return theirs.kind == ours.kind
    if theirs.kind == ours.kind == "int":
        return (name == "idle" and about(1)((), theirs, ours)) or clocked((), theirs, ours)
    there, here = _named(theirs), _named(ours)
    if there is not None and here is not None:
        return all(label in here and _inspected(label.decode(), there[label], here[label]) for label in there)
    rows = list(zip(_rows(theirs), _rows(ours), strict=False))
    if theirs.kind != ours.kind or len(_rows(theirs)) != len(_rows(ours)) or not rows:
        return False
    return all(_inspected("", *both) for both in rows)


def _named(reply: Reply) -> dict[Any, Reply] | None:
    """*reply* as the table that XINFO makes, flat or as a map; None if it is no such table."""
    rows = _rows(reply)
    if reply.kind != "map" and (reply.kind != "array" or not rows or len(rows) % 2):
        return None
    table = dict(_table_of(reply))
    return table if XINFO_FIELDS.issuperset(table) else None


def fresh_id(words: Words, theirs: Reply, ours: Reply) -> bool:
    """An id that the server made from its clock."""
    form = re.compile(rb"\d{13}-\d+")
    return all(isinstance(reply.value, bytes) and form.fullmatch(reply.value) for reply in (theirs, ours))


def parting(words: Words, theirs: Reply, ours: Reply) -> bool:
    """The same kind of message and as many left; which of all channels comes first is open."""
    there, here = _rows(theirs), _rows(ours)
    return len(words) == 1 and theirs.kind == ours.kind and (there[0], there[2]) == (here[0], here[2])


def greeting(words: Words, theirs: Reply, ours: Reply) -> bool:
    """The same fields, of which versions and ids are each server's own."""
    own = {b"server", b"version", b"id"}
    there, here = dict(_table_of(theirs)), dict(_table_of(ours))
    return there.keys() == here.keys() and all(there[name] == here[name] for name in there if name not in own)


def _table_of(reply: Reply) -> list[tuple[Any, Reply]]:
    rows = _rows(reply)
    found = rows if reply.kind == "map" else zip(rows[::2], rows[1::2], strict=True)
    return [(name.value, value) for name, value in found]


_BY_RULE: tuple[tuple[Rule, str], ...] = (
    (unordered, "keys smembers sinter sunion sdiff hkeys hvals pubsub|channels pubsub|shardchannels spop"),
    (pairs, "hgetall"),
    (options, "config|get"),
    (sorted_by, "sort sort_ro"),
    (about(1000), "ttl expiretime"),
    (about(1), "pttl pexpiretime"),
    (same_kind, "time lastsave info role client|id client|list client|info client|trackinginfo memory|stats"),
    (
        same_kind,
        "command command|count command|list command|info command|docs lolwut memory|doctor slowlog|get slowlog|len",
    ),
    (
        same_kind,
        "latency|doctor latency|graph latency|histogram latency|latest latency|history latency|reset bgsave "
        "memory|malloc-stats",
    ),
    (same_kind, "client|help config|help object|help"),
    (same_kind, "command|help pubsub|help xinfo|help xgroup|help memory|help acl|help latency|help slowlog|help"),
    (found, "object|idletime object|freq object|encoding object|refcount memory|usage dump randomkey acl|genpass"),
    (page, "scan sscan hscan zscan"),
    (spelled, "zadd zscore zmscore zincrby zrange zrevrange zrangebyscore zrevrangebyscore zrank zrevrank zrandmember"),
    (spelled, "zpopmin zpopmax bzpopmin bzpopmax zmpop bzmpop zinter zunion zdiff"),
    (near, "geopos geodist"),
    (places, "geosearch georadius georadius_ro georadiusbymember georadiusbymember_ro"),
    (fresh_id, "xadd"),
    (pending, "xpending"),
    (inspected, "xinfo|stream xinfo|consumers xinfo|groups"),
    (greeting, "hello"),
    (parting, "unsubscribe punsubscribe sunsubscribe"),
)

RULES: dict[str, Rule] = {name: rule for rule, names in _BY_RULE for name in names.split()}
"""Commands whose replies are compared otherwise than word for word."""
