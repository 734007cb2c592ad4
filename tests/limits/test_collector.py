"""The collector of garbage knows nothing of keys and elements where a compiler was, and nothing is lost by that."""

from __future__ import annotations

import gc
import tracemalloc
from random import Random
from typing import Final

import pytest

from kv_server.commands import CATALOG
from kv_server.engine.engine import Engine, Start
from kv_server.model.entry import SCALAR
from kv_server.model.hash import Hash
from kv_server.model.large_hash import LargeHash
from kv_server.model.terms import Rules, Terms
from tests.limits.accounted import NOW_MS, SHAPES, numbers

native = pytest.mark.skipif(Hash is LargeHash, reason="there is no native build")
every = pytest.mark.parametrize("shape", SHAPES)

FEW: Final = 400
MANY: Final = 1_600
SPARE: Final = 200  # what may come beside keys


def engine_of(policy: str = "noeviction") -> Engine:
    start = Start(now_ms=NOW_MS, elapsed_ms=10**6, epoch=1, seed=b"seed", dice=Random(7))
    engine = Engine(CATALOG, start=start, shards=1)
    engine.store.govern(Rules(((b"0", Terms(policy)),)))
    return engine


def fill(engine: Engine, shape: str, first: int, until: int) -> None:
    for number in numbers(engine, first, lambda number: number < until):
        SHAPES[shape](engine.tx, number)


def known() -> int:
    """How many objects the collector knows, with what they hold if that is much."""
    gc.collect()
    return sum(1 + (len(thing) if type(thing) in (list, dict) else 0) for thing in gc.get_objects())


@native
@every
def test_it_knows_no_more_objects_with_more_keys(shape: str) -> None:
    engine = engine_of()
    fill(engine, shape, 0, FEW)
    before = known()
    fill(engine, shape, FEW, MANY)
    assert known() - before < SPARE


@native
@pytest.mark.parametrize("shape", ["scalars-10-ttl", "hashes-3", "streams-3"])
@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-lfu"])
def test_it_knows_no_more_with_more_keys_of_a_cache(policy: str, shape: str) -> None:
    engine = engine_of(policy)
    fill(engine, shape, 0, FEW)
    before = known()
    fill(engine, shape, FEW, MANY)
    assert known() - before < SPARE


@native
def test_it_knows_no_more_after_a_walk_over_all_keys() -> None:
    engine = engine_of()
    fill(engine, "scalars-10", 0, MANY)
    before = known()
    found = engine.store.scan(engine.store.namespaces[b"0"], 0, MANY)[1]
    assert len(found) == MANY
    del found
    assert known() - before < SPARE


@every
def test_nothing_is_left_of_an_engine_that_is_gone(shape: str) -> None:
    def life() -> None:
        engine = engine_of()
        fill(engine, shape, 0, FEW)
        for entry in [entry for table in engine.store.namespaces[b"0"].live_tables() for _, entry in table.items()]:
            entry.copy()
            if entry.kind != SCALAR:
                type(entry.value).load(entry.value.dump())

    life()
    gc.collect()
    tracemalloc.start()
    try:
        life()
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(3):
            life()
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] - before < 30_000
    finally:
        tracemalloc.stop()
