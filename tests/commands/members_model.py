"""Sets, sorted sets and places said once more: a set as a set, a sorted set as a dict of scores, sorted on demand."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from kv_server.model.entry import SCALAR, SET
from tests.commands.answers import Fits
from tests.commands.plain import Fails, fingerprint
from tests.commands.side_by_side import SideBySide
from tests.engine.rig import picture

Pair = tuple[float, bytes]


class Scores(dict[bytes, float]):
    """A sorted set."""


class Beside(SideBySide):
    """An engine beside a model whose keys hold sets, `Scores`, or something else."""

    def contents(self) -> dict[bytes, Any]:
        found: dict[bytes, Any] = {}
        for entries, _ in picture(self.rig.store).values():
            for key, (kind, value, _, _) in entries.items():
                found[key] = ("int", 5)
                if kind == SET:
                    assert len(set(value)) == len(value)
                    found[key] = fingerprint(set(value))
                elif kind != SCALAR:
                    found[key] = fingerprint(Scores(zip(*value, strict=True)))
        return found


class Members:
    """The model: `keys` is all there is."""

    def __init__(self) -> None:
        self.keys: dict[bytes, Any] = {}

    def delete(self, key: bytes) -> Any:
        return int(self.keys.pop(key, None) is not None)

    def set(self, key: bytes, value: int) -> Any:
        self.keys[key] = value
        return Fits(lambda reply: True)

    def there(self, key: bytes, kind: type) -> Any:
        found = self.keys.get(key, kind())
        if type(found) is not kind:
            raise Fails("WRONG_TYPE")
        return found

    def keep(self, key: bytes, value: Any) -> int:
        """Let *key* hold *value*; nothing, if it is empty."""
        self.keys[key] = value
        if not value:
            del self.keys[key]
        return len(value)

    # ---- sets
    def members(self, key: bytes) -> set[bytes]:
        found: set[bytes] = self.there(key, set)
        return found

    def sadd(self, key: bytes, *members: bytes) -> Any:
        old = self.members(key)
        return self.keep(key, old | set(members)) - len(old)

    def srem(self, key: bytes, *members: bytes) -> Any:
        old = self.members(key)
        return len(old) - self.keep(key, old - set(members))

    def sismember(self, key: bytes, member: bytes) -> Any:
        return member in self.members(key)

    def smismember(self, key: bytes, *members: bytes) -> Any:
        return [member in self.members(key) for member in members]

    def smembers(self, key: bytes) -> Any:
        return any_order(self.members(key))

    def scard(self, key: bytes) -> Any:
        return len(self.members(key))

    def spop(self, key: bytes, count: int = 1) -> Any:
        old = self.members(key)

        def taken(reply: Any) -> bool:
            self.keep(key, old - set(reply))
            return picked(reply, old, count)

        return Fits(taken)

    def srandmember(self, key: bytes, count: int = 1) -> Any:
        if count < -(2**20):
            raise Fails("RANGE")
        old = self.members(key)
        return Fits(lambda reply: picked(reply, old, count))

    def smove(self, source: bytes, target: bytes, member: bytes) -> Any:
        if not self.members(source):
            return False
        theirs = self.members(target)
        if member not in self.members(source):
            return False
        if source != target:
            self.keep(source, self.members(source) - {member})
            self.keep(target, theirs | {member})
        return True

    def combined(self, join: Callable[..., set[bytes]], keys: Iterable[bytes]) -> set[bytes]:
        return join(*[self.members(key) for key in keys])

    def sinter(self, *keys: bytes) -> Any:
        return any_order(self.combined(set.intersection, keys))

    def sunion(self, *keys: bytes) -> Any:
        return any_order(self.combined(set.union, keys))

    def sdiff(self, *keys: bytes) -> Any:
        return any_order(self.combined(set.difference, keys))

    def sinterstore(self, target: bytes, *keys: bytes) -> Any:
        return self.keep(target, self.combined(set.intersection, keys))

    def sunionstore(self, target: bytes, *keys: bytes) -> Any:
        return self.keep(target, self.combined(set.union, keys))

    def sdiffstore(self, target: bytes, *keys: bytes) -> Any:
        return self.keep(target, self.combined(set.difference, keys))

    def sintercard(self, keys: Iterable[bytes], limit: int = 0) -> Any:
        found = len(self.combined(set.intersection, keys))
        return min(found, limit or found)

    def sscan(self, key: bytes, cursor: int, match: str = "*", count: int = 10) -> Any:
        wanted = {member for member in self.members(key) if match == "*" or member.startswith(b"m")}
        return walked(wanted, len(self.members(key)), count, lambda member: member)

    # ---- sorted sets
    def scores(self, key: bytes) -> Scores:
        found: Scores = self.there(key, Scores)
        return found

    def ranked(self, key: bytes) -> list[Pair]:
        return sorted((score, member) for member, score in self.scores(key).items())

    def put(self, key: bytes, scores: dict[bytes, float]) -> int:
        return self.keep(key, Scores({member: score + 0.0 for member, score in scores.items()}))

    def zadd(self, key: bytes, *items: Pair, changed: bool = False, **where: bool) -> Any:
        if excluded(**where):
            raise Fails("INVALID")
        if any(score != score for score, _ in items):
            raise Fails("INVALID")
        new = dict(self.scores(key))
        added = altered = 0
        for score, member in items:
            old = new.get(member)
            if old != score and admitted(old, score, **where):
                added, altered = added + (old is None), altered + (old is not None)
                new[member] = score
        self.put(key, new)
        return added + altered if changed else added

    def zincrby(self, key: bytes, by: float, member: bytes, **where: bool) -> Any:
        if excluded(**where) or by != by:
            raise Fails("INVALID")
        old = self.scores(key).get(member)
        total = float(by if old is None else old + by)
        if total != total:
            raise Fails("INVALID")
        if not admitted(old, total, **where):
            return None
        self.put(key, self.scores(key) | {member: total})
        return total

    def zrem(self, key: bytes, *members: bytes) -> Any:
        return self.without(key, [pair for pair in self.ranked(key) if pair[1] in members])

    def without(self, key: bytes, gone: list[Pair]) -> int:
        names = {member for _, member in gone}
        self.put(key, {member: score for member, score in self.scores(key).items() if member not in names})
        return len(gone)

    def zcard(self, key: bytes) -> Any:
        return len(self.scores(key))

    def zscore(self, key: bytes, member: bytes) -> Any:
        return self.scores(key).get(member)

    def zmscore(self, key: bytes, *members: bytes) -> Any:
        return list(map(self.scores(key).get, members))

    def zrank(self, key: bytes, member: bytes) -> Any:
        names = [name for _, name in self.ranked(key)]
        return (names.index(member), self.scores(key)[member]) if member in names else None

    def zrevrank(self, key: bytes, member: bytes) -> Any:
        found = self.zrank(key, member)
        return found and (len(self.scores(key)) - 1 - found[0], found[1])

    def zrandmember(self, key: bytes, count: int = 1) -> Any:
        if count < -(2**20):
            raise Fails("RANGE")
        pairs = self.ranked(key)
        return Fits(lambda reply: picked(reply, pairs, count))

    def zscan(self, key: bytes, cursor: int, match: str = "*", count: int = 10) -> Any:
        wanted = {pair for pair in self.ranked(key) if match == "*" or pair[1].startswith(b"m")}
        return walked(wanted, len(self.scores(key)), count, tuple)

    # ---- ranges
    def chosen(self, key: bytes, start: Any, stop: Any, by: str | None, rev: bool = False) -> list[Pair]:
        """All in the range, in the order asked for."""
        low, high = (stop, start) if rev and by else (start, stop)
        if by == "BYSCORE":
            above, below = score_test(low, math.inf), score_test(high, -math.inf)
            pairs = [pair for pair in self.ranked(key) if above(pair[0]) >= 0 and below(pair[0]) <= 0]
        elif by == "BYLEX":
            above, below = name_test(low, 1), name_test(high, -1)
            pairs = [pair for pair in self.ranked(key) if above(pair[1]) >= 0 and below(pair[1]) <= 0]
        else:
            if any(type(end) is not int for end in (start, stop)):
                raise Fails("INVALID")
            pairs = self.ranked(key)[:: -1 if rev else 1]
            size = len(pairs)
            first, last = start + size * (start < 0), stop + size * (stop < 0)
            return [pair for rank, pair in enumerate(pairs) if first <= rank <= last]
        return pairs[::-1] if rev else pairs

    def zrange(self, key: bytes, start: Any, stop: Any, by: Any = None, rev: bool = False, limit: Any = None) -> Any:
        if limit is not None and by is None and limit[1] != -1:
            raise Fails("INVALID")
        pairs = self.chosen(key, start, stop, by, rev)
        if limit is None or by is None:
            return pairs
        offset, count = limit
        return [] if offset < 0 else pairs[offset:] if count < 0 else pairs[offset : offset + count]

    def zrangestore(self, target: bytes, source: bytes, *ends: Any, **options: Any) -> Any:
        return self.put(target, {member: score for score, member in self.zrange(source, *ends, **options)})

    def zrevrange(self, key: bytes, start: Any, stop: Any) -> Any:
        return self.zrange(key, start, stop, rev=True)

    def zrangebyscore(self, key: bytes, low: Any, high: Any, limit: Any = None) -> Any:
        return self.zrange(key, low, high, "BYSCORE", False, limit)

    def zrevrangebyscore(self, key: bytes, high: Any, low: Any, limit: Any = None) -> Any:
        return self.zrange(key, high, low, "BYSCORE", True, limit)

    def zrangebylex(self, key: bytes, low: Any, high: Any, limit: Any = None) -> Any:
        return self.zrange(key, low, high, "BYLEX", False, limit)

    def zrevrangebylex(self, key: bytes, high: Any, low: Any, limit: Any = None) -> Any:
        return self.zrange(key, high, low, "BYLEX", True, limit)

    def zcount(self, key: bytes, low: Any, high: Any) -> Any:
        return len(self.chosen(key, low, high, "BYSCORE"))

    def zlexcount(self, key: bytes, low: Any, high: Any) -> Any:
        return len(self.chosen(key, low, high, "BYLEX"))

    def zremrangebyrank(self, key: bytes, start: int, stop: int) -> Any:
        return self.without(key, self.chosen(key, start, stop, None))

    def zremrangebyscore(self, key: bytes, low: Any, high: Any) -> Any:
        return self.without(key, self.chosen(key, low, high, "BYSCORE"))

    def zremrangebylex(self, key: bytes, low: Any, high: Any) -> Any:
        return self.without(key, self.chosen(key, low, high, "BYLEX"))

    # ---- pops
    def zpopmin(self, key: bytes, count: int = 1) -> Any:
        taken = self.ranked(key)[:count]
        self.without(key, taken)
        return taken

    def zpopmax(self, key: bytes, count: int = 1) -> Any:
        taken = self.ranked(key)[::-1][:count]
        self.without(key, taken)
        return taken

    def zmpop(self, keys: Iterable[bytes], end: str, count: int = 1) -> Any:
        for key in keys:
            if self.scores(key):
                return key, (self.zpopmin if end == "MIN" else self.zpopmax)(key, count)
        return None

    # ---- algebra
    def sources(self, keys: Iterable[bytes], weights: Iterable[float] | None) -> list[tuple[Scores, float]]:
        """What is at *keys*, the smallest first, as sums that round depend on it."""
        keys = list(keys)
        factors = [1.0] * len(keys) if weights is None else list(weights)
        if any(factor != factor for factor in factors):
            raise Fails("INVALID")
        found = []
        for key, factor in zip(keys, factors, strict=True):
            value = self.keys.get(key, Scores())
            if type(value) is set:
                value = Scores.fromkeys(value, 1.0)
            if type(value) is not Scores:
                raise Fails("WRONG_TYPE")
            found.append((value, factor))
        return found

    def joined(self, keys: Iterable[bytes], weights: Any, aggregate: str, everywhere: bool) -> dict[bytes, float]:
        sources = sorted(self.sources(keys, weights), key=lambda source: len(source[0]))
        names = set().union(*(scores for scores, _ in sources))
        if everywhere:
            names = {name for name in names if all(name in scores for scores, _ in sources)}
        result = {}
        for name in names:
            parts = [number(scores[name] * factor) for scores, factor in sources if name in scores]
            total = parts[0]
            for part in parts[1:]:
                total = number(total + part) if aggregate == "SUM" else {"MIN": min, "MAX": max}[aggregate](total, part)
            result[name] = total
        return result

    def left(self, keys: Iterable[bytes]) -> dict[bytes, float]:
        (first, _), *rest = self.sources(keys, None)
        return {name: score for name, score in first.items() if not any(name in other for other, _ in rest)}

    def zunion(self, keys: Any, weights: Any = None, aggregate: str = "SUM") -> Any:
        return in_order(self.joined(keys, weights, aggregate, False))

    def zinter(self, keys: Any, weights: Any = None, aggregate: str = "SUM") -> Any:
        return in_order(self.joined(keys, weights, aggregate, True))

    def zdiff(self, keys: Any) -> Any:
        return in_order(self.left(keys))

    def zunionstore(self, target: bytes, keys: Any, weights: Any = None, aggregate: str = "SUM") -> Any:
        return self.put(target, self.joined(keys, weights, aggregate, False))

    def zinterstore(self, target: bytes, keys: Any, weights: Any = None, aggregate: str = "SUM") -> Any:
        return self.put(target, self.joined(keys, weights, aggregate, True))

    def zdiffstore(self, target: bytes, keys: Any) -> Any:
        return self.put(target, self.left(keys))

    def zintercard(self, keys: Any, limit: int = 0) -> Any:
        found = len(self.joined(keys, None, "SUM", True))
        return min(found, limit or found)


def any_order(members: Iterable[bytes]) -> Fits:
    expected = sorted(members)
    return Fits(lambda reply: sorted(reply) == expected)


def in_order(scores: dict[bytes, float]) -> list[Pair]:
    """Zeros have no sign here: 0.0 for both."""
    expected = sorted((score, member) for member, score in scores.items())
    return Fits(lambda reply: reply == expected)  # type: ignore[return-value]


def picked(reply: list[Any], known: Any, count: int) -> bool:
    """Whether *reply* is a choice of *count* out of *known*, with repetition if that is negative."""
    if not set(reply) <= set(known):
        return False
    if count < 0:
        return len(reply) == (-count if known else 0)
    return len(set(reply)) == len(reply) == min(count, len(known))


def walked(wanted: set[Any], size: int, count: int, plain: Callable[[Any], Any]) -> Fits:
    """A first page: complete if it says so, else of the length asked for."""

    def holds(reply: Any) -> bool:
        cursor, page = reply
        met = list(map(plain, page))
        complete = cursor == 0
        return set(met) <= wanted and len(set(met)) == len(met) and complete == (count >= size) and (
            not complete or set(met) == wanted
        )  # fmt: skip

    return Fits(holds)


def excluded(
    if_absent: bool = False, if_present: bool = False, if_greater: bool = False, if_less: bool = False
) -> bool:
    return (if_absent and if_present) or (if_absent + if_greater + if_less > 1)


def admitted(
    old: float | None,
    new: float,
    if_absent: bool = False,
    if_present: bool = False,
    if_greater: bool = False,
    if_less: bool = False,
) -> bool:
    if old is None:
        return not if_present
    return not if_absent and (not if_greater or new > old) and (not if_less or new < old)


def number(score: float) -> float:
    return 0.0 if score != score else score


def score_test(bound: Any, beyond: float) -> Callable[[float], float]:
    """Tells of a score whether it is above (1), at (0) or below (-1) a bound; at an open one, beyond it."""
    if isinstance(bound, bytes):
        text = bound.removeprefix(b"(")
        try:
            value = float(text)
        except ValueError:
            raise Fails("INVALID") from None
        side = 0 if text == bound else -math.copysign(1, beyond)
    else:
        value, side = float(bound), 0
    if value != value:
        raise Fails("INVALID")
    return lambda score: (score > value) - (score < value) or side


def name_test(bound: Any, side: int) -> Callable[[bytes], int]:
    if bound == b"-":
        return lambda member: 1
    if bound == b"+":
        return lambda member: -1
    if not isinstance(bound, bytes) or bound[:1] not in (b"[", b"("):
        raise Fails("INVALID")
    name, tie = bound[1:], 0 if bound[:1] == b"[" else -side
    return lambda member: (member > name) - (member < name) or tie
