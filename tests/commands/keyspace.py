"""The data commands said once more, on plain dicts: what a store must answer, and what it must hold afterwards.

A method named like a command takes Python values and returns the reply in Python values, or raises `Fails` having
changed nothing.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.commands.plain import Fails, countable, fingerprint, in_class_of, plain_text, total
from tests.engine.rig import Present

KINDS = {
    "NoneType": "null", "bool": "bool", "int": "int", "float": "float", "str": "str", "bytes": "bytes", "list": "list",
    "dict": "map", "Decimal": "decimal", "datetime": "datetime",
}  # fmt: skip


class Record:
    """A value, the version it got, and when it expires (None: never)."""

    def __init__(self, value: Any, version: int, expires: int | None) -> None:
        self.value = value
        self.version = version
        self.expires = expires


class Keyspace:
    """One namespace of *world*, which knows the time and the revision, and is told of changes."""

    def __init__(self, world: Any, name: bytes) -> None:
        self.world = world
        self.name = name
        self.records: dict[bytes, Record] = {}

    @property
    def now(self) -> int:
        return int(self.world.now)

    # ---- the bones
    def live(self, key: bytes) -> Record | None:
        record = self.records.get(key)
        return (
            record if record is not None and not (record.expires is not None and record.expires <= self.now) else None
        )

    def names(self) -> set[bytes]:
        return {key for key in self.records if self.live(key)}

    def put(self, key: bytes, value: Any, expires: int | None) -> None:
        self.world.change(self)
        self.records[key] = Record(value, self.world.revision, expires)

    def drop(self, key: bytes) -> None:
        self.world.change(self)
        del self.records[key]

    def shift(self, key: bytes, expires: int | None) -> bool:
        record = self.records[key]
        if record.expires is not None or expires is not None:  # the same deadline anew is a change too
            self.world.change(self)
            record.expires = expires
            if not self.live(key):
                del self.records[key]
        return True

    def seen(self, key: bytes) -> tuple[Any, int, int | None] | None:
        record = self.live(key)
        left = None if record is None or record.expires is None else record.expires - self.now
        return record and (record.value, record.version, left)

    def demand(
        self,
        key: bytes,
        if_absent: bool = False,
        if_present: bool = False,
        if_version: Any = None,
        if_value: Any = None,
    ) -> None:
        record = self.live(key)
        holds = (
            not (if_absent and record)
            and not (if_present and not record)
            and (if_version is None or if_version == (record.version if record else 0))
            and (if_value is None or bool(record and fingerprint(record.value) == fingerprint(if_value)))
        )
        if not holds:
            raise Fails("CONDITION", current=self.seen(key))

    def deadline(self, key: bytes, ttl: Any, expires_at: Any, keep_ttl: bool) -> int | None:
        if ttl is not None:
            return self.now + int(ttl)
        if expires_at is not None:
            return int(expires_at)
        record = self.live(key)
        return record.expires if keep_ttl and record else None

    def value(self, key: bytes) -> Present | None:
        record = self.live(key)
        return Present(record.value) if record else None

    # ---- strings
    def get(self, key: bytes) -> Any:
        return self.value(key)

    def getentry(self, key: bytes) -> Any:
        return self.seen(key)

    def set(
        self,
        key: bytes,
        value: Any,
        *,
        ttl: Any = None,
        expires_at: Any = None,
        keep_ttl: bool = False,
        lease: Any = None,
        **conditions: Any,
    ) -> Any:
        self.demand(key, **conditions)
        held = self.world.find((self.name, lease[0]), lease[1]) if lease is not None else None
        if lease is not None and held is None:
            raise Fails("LOCK_LOST")
        self.put(key, value, self.deadline(key, ttl, expires_at, keep_ttl))
        if held is not None:
            held.keys[key] = self.world.revision
        return self.world.revision

    def getset(self, key: bytes, value: Any, **options: Any) -> Any:
        old = self.value(key)
        self.set(key, value, **options)
        return old

    def getdel(self, key: bytes) -> Any:
        old = self.value(key)
        if old:
            self.drop(key)
        return old

    def getex(self, key: bytes, *, ttl: Any = None, expires_at: Any = None, persist: bool = False) -> Any:
        old = self.value(key)
        if old and (persist or ttl is not None or expires_at is not None):
            self.shift(key, None if persist else self.deadline(key, ttl, expires_at, False))
        return old

    def text_of(self, key: bytes) -> bytes:
        record = self.live(key)
        return plain_text(record.value) if record else b""

    def append(self, key: bytes, value: Any) -> Any:
        if type(value) not in (str, bytes):
            raise Fails("INVALID")
        record = self.live(key)
        whole = self.text_of(key) + plain_text(value)
        self.put(key, in_class_of(record.value if record else value, whole), record.expires if record else None)
        return len(whole)

    def getrange(self, key: bytes, start: int, end: int) -> Any:
        record = self.live(key)
        whole = self.text_of(key)
        places = range(len(whole))
        low = start if start >= 0 else max(0, start + len(whole))
        high = end if end >= 0 else max(0, end + len(whole))
        part = bytes(whole[place] for place in places if low <= place <= high and not end < start < 0)
        return in_class_of(record.value if record else "", part)

    def setrange(self, key: bytes, offset: int, value: Any) -> Any:
        if offset < 0:
            raise Fails("RANGE")
        if type(value) not in (str, bytes):
            raise Fails("INVALID")
        record = self.live(key)
        octets, patch = bytearray(self.text_of(key)), plain_text(value)
        if not patch:
            return len(octets)
        if offset + len(patch) > 67_043_328:
            raise Fails("TOO_LARGE", limit=67_043_328)
        octets.extend(bytes(max(0, offset + len(patch) - len(octets))))
        for at, octet in enumerate(patch, offset):
            octets[at] = octet
        model = record.value if record else value
        self.put(key, in_class_of(model, bytes(octets)), record.expires if record else None)
        return len(octets)

    def strlen(self, key: bytes) -> Any:
        return len(self.text_of(key))

    def mget(self, *keys: bytes) -> Any:
        return [self.value(key) for key in keys]

    def mset(self, *items: tuple[bytes, Any], ttl: Any = None) -> Any:
        for key, value in items:
            self.put(key, value, None if ttl is None else self.now + ttl)
        return self.world.revision

    def msetnx(self, *items: tuple[bytes, Any], ttl: Any = None) -> Any:
        if any(self.live(key) for key, _ in items):
            return False
        self.mset(*items, ttl=ttl)
        return True

    # ---- counters
    def incr(
        self,
        key: bytes,
        *,
        by: Any = 1,
        minimum: Any = None,
        maximum: Any = None,
        clamp: bool = False,
        ttl_if_new: Any = None,
    ) -> Any:
        record = self.live(key)
        result = total(countable(record.value, by) if record else type(by)(0), by)
        given = [limit for limit in (minimum, maximum) if limit is not None]
        if any(type(limit) is not type(by) or str(limit).lower() in ("nan", "snan") for limit in given):
            raise Fails("INVALID")
        if minimum is not None and maximum is not None and minimum > maximum:
            raise Fails("INVALID")
        for limit, beyond in (
            (minimum, minimum is not None and result < minimum),
            (maximum, maximum is not None and result > maximum),
        ):
            if beyond and not clamp:
                raise Fails("OVERFLOW")
            result = limit if beyond else result
        spelled = record is not None and type(record.value) in (str, bytes)
        stored = in_class_of(record.value, str(result).encode()) if record and spelled else result
        if record is not None and type(record.value) is Decimal:
            stored = Decimal(result)
        fresh = None if ttl_if_new is None else self.now + ttl_if_new
        self.put(key, stored, record.expires if record else fresh)
        return result

    def decr(self, key: bytes, *, by: Any = 1, **options: Any) -> Any:
        return self.incr(key, by=by.copy_negate() if hasattr(by, "copy_negate") else -by, **options)

    # ---- keys
    def del_(self, *keys: bytes, if_version: Any = None, if_value: Any = None) -> Any:
        if if_version is not None or if_value is not None:
            if len(keys) != 1:
                raise Fails("INVALID")
            self.demand(keys[0], if_version=if_version, if_value=if_value)
        there = {key for key in keys if self.live(key)}
        for key in there:
            self.drop(key)
        return len(there)

    def exists(self, *keys: bytes) -> Any:
        return len([key for key in keys if self.live(key)])

    def type(self, key: bytes) -> Any:
        record = self.live(key)
        return record and KINDS[record.value.__class__.__name__]

    def expireat(self, key: bytes, time: int, **where: bool) -> Any:
        record = self.live(key)
        if record is None:
            return False
        if (where.get("if_new") and record.expires) or (where.get("if_expiring") and not record.expires):
            return False
        latest = float("inf") if record.expires is None else record.expires
        if (where.get("if_longer") and not time > latest) or (where.get("if_shorter") and not time < latest):
            return False
        return self.shift(key, time)

    def expire(self, key: bytes, ttl: int, **where: bool) -> Any:
        return self.expireat(key, self.now + ttl, **where)

    def ttl(self, key: bytes) -> Any:
        seen = self.seen(key)
        if seen is None:
            raise Fails("NOT_FOUND")
        return seen[2]

    def expiretime(self, key: bytes) -> Any:
        left = self.ttl(key)
        return None if left is None else self.now + left

    def persist(self, key: bytes) -> Any:
        record = self.live(key)
        return record is not None and record.expires is not None and self.shift(key, None)

    def rename(self, source: bytes, target: bytes) -> Any:
        record = self.live(source)
        if record is None:
            raise Fails("NOT_FOUND")
        if source != target:
            self.drop(source)
            self.put(target, record.value, record.expires)

    def renamenx(self, source: bytes, target: bytes) -> Any:
        if not self.live(source):
            raise Fails("NOT_FOUND")
        if self.live(target):
            return False
        self.rename(source, target)
        return True

    def copy(self, source: bytes, target: bytes, *, replace: bool = False) -> Any:
        if source == target:
            raise Fails("INVALID")
        record = self.live(source)
        if record is None or (self.live(target) and not replace):
            return False
        self.put(target, record.value, record.expires)
        return True

    def move(self, key: bytes, namespace: bytes) -> Any:
        if namespace == self.name:
            raise Fails("INVALID")
        record, there = self.live(key), self.world.space(namespace)
        if record is None or there.live(key):
            return False
        self.drop(key)
        there.put(key, record.value, record.expires)
        return True

    def dbsize(self) -> Any:
        return len(self.names())

    def flushdb(self) -> Any:
        gone = len(self.names())
        if gone:
            self.world.change(self)
            self.records.clear()
        return gone
