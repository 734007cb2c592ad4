"""How much memory a shape of data takes, and how much it is accounted for. Run as a program, for one shape."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from resource import getpagesize
from typing import Final

from kv_server.commands import CATALOG
from kv_server.engine.engine import Engine, Start
from kv_server.engine.tx import Tx
from kv_server.model.stream_id import make_id
from kv_server.model.terms import Rules, Terms

ENOUGH: Final = 40 << 20  # accounted bytes of one measurement
PER_COMMIT: Final = 100
NOW_MS: Final = 1_800_000_000_000

Shape = Callable[[Tx, int], None]


def scalar(size: int, *, expires: bool = False) -> Shape:
    def put(tx: Tx, number: int) -> None:
        tx.key_put(b"key:%012d" % number, bytes([number & 127]) * size, NOW_MS + 10**8 + number if expires else 0)

    return put


def hash_of(count: int, size: int = 20) -> Shape:
    def put(tx: Tx, number: int) -> None:
        tx.hash_put(b"hash:%09d" % (number // count), b"field:%06d" % (number % count), b"%0*d" % (size, number))

    return put


def list_of(count: int, size: int = 20) -> Shape:
    def put(tx: Tx, number: int) -> None:
        tx.list_push(b"list:%09d" % (number // count), False, b"%0*d" % (size, number))

    return put


def set_of(count: int) -> Shape:
    def put(tx: Tx, number: int) -> None:
        tx.set_add(b"set:%09d" % (number // count), [b"member:%012d" % number])

    return put


def zset_of(count: int) -> Shape:
    def put(tx: Tx, number: int) -> None:
        tx.zset_put(b"zset:%09d" % (number // count), [(number * 7919 % 10_007 / 3, b"member:%012d" % number)])

    return put


def stream_of(count: int) -> Shape:
    def put(tx: Tx, number: int) -> None:
        key, id = b"stream:%09d" % (number // count), make_id(NOW_MS + number, number)
        names = b"field%d" % (number % 10), b"other%d" % (number % 10)
        tx.stream_add(key, id, (names[0], b"%020d" % number, names[1], b"%010d" % number))

    return put


def pending_of(count: int) -> Shape:
    entries = stream_of(count)

    def put(tx: Tx, number: int) -> None:
        key = b"stream:%09d" % (number // count)
        entries(tx, number)
        if number % count == 0:
            tx.group_put(key, b"group", bytes(16), 0)
            tx.consumer_put(key, b"group", b"consumer", NOW_MS, NOW_MS)
        tx.pending_put(key, b"group", b"consumer", NOW_MS, [make_id(NOW_MS + number, number)], [1])

    return put


def lock(tx: Tx, number: int) -> None:
    tx.lock_grant(b"lock:%012d" % number, 10**15 + number, 7, f"owner {number}", 10**7 + number, 1)


def bound(tx: Tx, number: int) -> None:
    if not number:
        tx.lock_grant(b"lease", 10**15, 7, "owner", 10**7, 1)
    key = b"key:%012d" % number
    tx.key_put(key, bytes([number & 127]) * 10, 0)
    tx.lock_bind(b"lease", 10**15, key)


SHAPES: Final[dict[str, Shape]] = {
    **{f"scalars-{size}": scalar(size) for size in (10, 100, 1_000, 10_000)},
    **{f"scalars-{size}-ttl": scalar(size, expires=True) for size in (10, 100, 1_000, 10_000)},
    **{f"hashes-{count}": hash_of(count) for count in (3, 50, 10_000)},
    **{f"lists-{count}": list_of(count) for count in (3, 50, 10_000)},
    **{f"sets-{count}": set_of(count) for count in (3, 50, 10_000)},
    **{f"zsets-{count}": zset_of(count) for count in (3, 50, 10_000)},
    **{f"streams-{count}": stream_of(count) for count in (3, 50, 10_000)},
    **{f"pending-{count}": pending_of(count) for count in (50, 10_000)},
    "locks": lock,
    "leases": bound,
}


def resident() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * getpagesize()


def measure(shape: Shape, policy: str = "noeviction", enough: int = ENOUGH) -> tuple[int, int]:
    """By how much the process and the account grow while that much is put."""
    start = Start(now_ms=NOW_MS, elapsed_ms=10**6, epoch=1, seed=b"seed", dice=Random(7))
    engine = Engine(CATALOG, start=start, shards=256)
    engine.store.govern(Rules(((b"0", Terms(policy)),)))
    for number in numbers(engine, 0, lambda number: number < 200):
        shape(engine.tx, number)
    engine.tx.start(b"0", None)
    engine.tx.namespace_flush(b"0")
    engine.seal()
    while engine.store.free_some():
        pass
    before, empty = resident(), engine.store.bytes
    for number in numbers(engine, 0, lambda _: engine.store.bytes - empty < enough):
        shape(engine.tx, number)
    return resident() - before, engine.store.bytes - empty


def numbers(engine: Engine, first: int, more: Callable[[int], bool]) -> Iterator[int]:
    """Numbers while there is to be *more*, with a commit every now and then."""
    number = first
    while more(number):
        engine.tx.start(b"0", None)
        yield number
        engine.tx.effects.clear()
        engine.tx.revision += 1
        number += 1


if __name__ == "__main__":
    print(*measure(SHAPES[sys.argv[1]], *sys.argv[2:3]))
