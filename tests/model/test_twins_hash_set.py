"""The packed hash and set of the native build beside their plain twins: the same answers, orders, draws and pages."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from random import Random
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kv_server.model.entry import HASH, SET, Loose
from kv_server.model.hash import Hash
from kv_server.model.large_hash import LargeHash
from kv_server.model.large_set import LargeSet
from kv_server.model.set import Set
from kv_server.model.steps import finished
from kv_server.model.store import Store
from tests.engine.profile import examples

pytestmark = pytest.mark.skipif(Hash is LargeHash or Set is LargeSet, reason="there is no native build")

LENGTHS: Final = (0, 1, 6, 7, 16, 17, 127, 128, 129, 255, 256, 700)
MANY: Final = [b"%d:" % number + b"x" * (number % 9) for number in range(1_500)]
NAMES: Final = [*MANY[:40], *(b"n" * length for length in LENGTHS), *(b"n" * length + b"m" for length in LENGTHS)]

names = st.sampled_from(NAMES)
blobs = st.sampled_from(LENGTHS).flatmap(lambda length: st.sampled_from([b"a" * length, b"b" * length]))
seeds = st.integers(0, 99)
counts = st.sampled_from([1, 2, 3, 10, 64, 65, 100, 127, 128, 129, 130, 600])
spans = st.tuples(st.integers(0, 600), counts)
steps = st.one_of(
    st.tuples(st.just("put"), names, blobs),
    st.tuples(st.just("put"), names, blobs),
    st.tuples(st.just("drop"), names),
    st.tuples(st.just("fill"), spans, blobs),
    st.tuples(st.just("clear"), spans),
    st.tuples(st.just("page"), st.integers(0, 700), counts),
    st.tuples(st.just("pick"), counts, seeds, st.booleans()),
    st.tuples(st.sampled_from(["copy", "load", "loading"])),
)


class Twins:
    """A native and a plain container, to which the same is done."""

    def __init__(self, native: Any, plain: Any) -> None:
        self.native, self.plain = native, plain
        self.account = native.bytes

    def both(self, ask: Callable[[Any], Any]) -> Any:
        """What both say, which must be the same, also if they refuse."""
        said = []
        for one in (self.native, self.plain):
            try:
                said.append(ask(one))
            except (KeyError, ValueError) as refused:
                said.append(type(refused))
        assert said[0] == said[1]
        return said[0]

    def change(self, size_of: Callable[[Any], int]) -> None:
        """Do what says by how much it lets the account grow."""
        grown = size_of(self.native)
        self.plain.bytes += size_of(self.plain)
        self.account += grown
        self.native.bytes += grown
        assert self.native.bytes == self.account
        assert self.native.outgrown or self.account == type(self.native).load(self.native.dump()).bytes

    def copy(self) -> None:
        self.native, self.plain = self.native.copy(), self.plain.copy()
        assert self.native.bytes == self.account

    def load(self) -> None:
        self.native, self.plain = (type(one).load(one.dump()) for one in (self.native, self.plain))
        self.account = self.native.bytes

    def loading(self) -> None:
        """As `load`; with as many pauses."""
        pauses = []
        for one in (self.native, self.plain):
            pauses.append(sum(1 for _ in type(one).loading(one.dump())))
        assert pauses[0] == pauses[1]
        made = [finished(type(one).loading(one.dump())) for one in (self.native, self.plain)]
        self.load()
        assert [one.dump() for one in made] == [self.native.dump(), self.plain.dump()]
        assert [one.bytes for one in made] == [self.native.bytes, self.plain.bytes]

    def look(self) -> None:
        """Whether all of it is the same."""
        self.both(lambda one: one.dump())
        self.both(len)
        self.both(list)


class Hashes(Twins):
    def put(self, field: bytes, blob: bytes) -> None:
        self.change(lambda one: one.put(field, blob))
        assert self.native.get(field) == self.native[field] == blob

    def drop(self, field: bytes) -> None:
        if self.both(lambda one: field in one):
            self.change(lambda one: -one.drop(field))
        else:
            assert self.both(lambda one: one.drop(field)) is KeyError

    def fill(self, span: tuple[int, int], blob: bytes) -> None:
        for field in MANY[span[0] :][: span[1]]:
            self.put(field, blob)

    def clear(self, span: tuple[int, int]) -> None:
        for field in self.native.dump()[::2][span[0] :][: span[1]]:
            self.drop(field)

    def page(self, cursor: int, count: int) -> None:
        self.both(lambda one: one.page(cursor, count))

    def pick(self, count: int, seed: int, repeats: bool) -> None:
        if len(self.plain):
            self.both(lambda one: one.pick(count, Random(seed), repeats=repeats))

    def look(self) -> None:
        super().look()
        self.both(lambda one: list(one.items()))
        self.both(lambda one: list(one.values()))
        self.both(lambda one: list(one.mapping().items()))
        self.both(lambda one: list(map(one.get, NAMES)))


class Sets(Twins):
    def put(self, member: bytes, blob: bytes) -> None:
        if not self.both(lambda one: member in one):
            self.change(lambda one: one.add(member))

    def drop(self, member: bytes) -> None:
        if self.both(lambda one: member in one):
            self.change(lambda one: -one.remove(member))
        else:
            assert self.both(lambda one: one.remove(member)) is KeyError

    def fill(self, span: tuple[int, int], blob: bytes) -> None:
        fresh = self.both(lambda one: one.which(MANY[span[0] :][: span[1]], False))
        self.change(lambda one: one.add_all(fresh))

    def clear(self, span: tuple[int, int]) -> None:
        gone = Random(span[1]).sample(leaving := self.native.dump()[span[0] :][: span[1]], len(leaving))
        self.change(lambda one: -one.remove_all(gone))

    def page(self, cursor: int, count: int) -> None:
        self.both(lambda one: one.page(cursor, count))

    def pick(self, count: int, seed: int, repeats: bool) -> None:
        self.both(lambda one: Random(seed).sample(one.members, min(count, len(one))))

    def look(self) -> None:
        super().look()
        self.both(lambda one: one.places)
        self.both(lambda one: one.which(NAMES, True))


@pytest.mark.parametrize("twins", [lambda: Hashes(Hash(), LargeHash()), lambda: Sets(Set(), LargeSet())])
@settings(max_examples=examples(150))
@given(story=st.lists(steps, max_size=40))
def test_whatever_is_done_to_both_they_are_the_same(twins: Callable[[], Any], story: list[tuple[Any, ...]]) -> None:
    pair = twins()
    for deed, *how in story:
        getattr(pair, deed)(*how)
        pair.look()


@pytest.mark.parametrize("twins", [lambda: Hashes(Hash(), LargeHash()), lambda: Sets(Set(), LargeSet())])
def test_growing_and_shrinking_time_and_again(twins: Callable[[], Any]) -> None:
    pair, dice = twins(), Random(5)
    for _ in range(12):
        for name in dice.sample(MANY, dice.choice([5, 60, 128, 129, 300])):
            pair.put(name, b"v" * dice.choice([0, 5, 9, 9, 30]))
        pair.look()
        for name in dice.sample(
            pair.plain.dump()[:: 1 + isinstance(pair, Hashes)], len(pair.plain) - dice.choice([0, 3])
        ):
            pair.drop(name)
        pair.look()
        if dice.random() < 0.5:
            pair.load()


@pytest.mark.parametrize("size", [255, 256, 1 << 20])
def test_an_element_too_long_to_be_packed(size: int) -> None:
    long = b"x" * size
    for pair in (Hashes(Hash(), LargeHash()), Sets(Set(), LargeSet())):
        pair.put(b"", b"")
        pair.put(long, b"short")
        pair.look()
        pair.drop(long)
        pair.put(b"short", long)
        pair.put(b"short", b"")
        pair.look()
        pair.load()
        pair.look()


def test_a_hundred_thousand_elements() -> None:
    numbers = [b"%d" % number for number in range(100_000)]
    fields, members = Hashes(Hash(), LargeHash()), Sets(Set(), LargeSet())
    for number in numbers:
        fields.put(number, number)
    members.change(lambda one: one.add_all(numbers))
    for pair in (fields, members):
        pair.look()
        for number in numbers[::7]:
            pair.drop(number)
        pair.page(0, 1_000)
        pair.page(50_000, 1_000)
        pair.drop(numbers[1])
        pair.look()
        pair.loading()
        pair.look()


def test_what_is_no_bytes_is_refused() -> None:
    strangers: list[Any] = [None, "name", bytearray(b"name"), 1]
    for name in strangers:
        for ask in (
            Hash().get, Hash().drop, Hash().__contains__, Hash().__getitem__, Set().add, Set().remove,
            Set().__contains__, lambda name: Set().which([name], True), lambda name: Hash().put(name, b""),
            lambda name: Hash().put(b"", name),
        ):  # fmt: skip
            with pytest.raises(TypeError):
                ask(name)


def test_a_small_one_is_an_entry_with_a_block() -> None:
    fields, members = Hash(), Set()
    for number in range(5):
        fields.put(b"field%d" % number, b"%011d" % number)
        members.add(b"member%d" % number)
    assert (fields.bytes, members.bytes) == (104, 56)
    assert (fields.__sizeof__(), members.__sizeof__()) == (48, 48)
    table = Store(1, b"").namespace(b"n").table()
    for kind, one in ((HASH, fields), (SET, members)):
        entry = table.put(b"%d" % kind, Loose(kind, one, 1, 0))
        assert entry.value is entry and type(entry) is type(one)


def test_the_collector_knows_of_none() -> None:
    """Nor of what a large one is made of."""
    before = {id(thing) for thing in gc.get_objects()}
    made: list[Any] = [kind.load(MANY[:count]) for kind in (Hash, Set) for count in (10, 1_400)]
    made[1].page(0, 1)
    made[3].remove_all(MANY[:1_000])
    made += [one.copy() for one in made]
    made[1].put(b"one more", b"value")
    made[3].add(b"one more")
    known = [thing for thing in gc.get_objects() if id(thing) not in before]
    assert not any(gc.is_tracked(one) for one in made)
    assert not any(type(thing) in (LargeHash, LargeSet) for thing in known)
    assert not any(len(thing) > 300 and MANY[1_399] in thing for thing in known if type(thing) in (list, dict))


def test_nothing_is_left_of_what_is_gone() -> None:
    def life(seed: int) -> None:
        dice = Random(seed)
        for pair in (Hashes(Hash(), LargeHash()), Sets(Set(), LargeSet())):
            for name in dice.sample(MANY, 200):
                pair.put(name, b"v" * dice.randrange(140))
            for name in dice.sample(MANY, 400):
                pair.drop(name)
            pair.copy()
            pair.loading()
            pair.page(0, 10)
            with pytest.raises(ValueError):
                type(pair.native).load([b"a", b"1"] * 2)

    life(0)
    tracemalloc.start()
    try:
        life(1)
        before = tracemalloc.get_traced_memory()[0]
        for seed in range(2, 40):
            life(seed)
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] - before < 20_000
    finally:
        tracemalloc.stop()
