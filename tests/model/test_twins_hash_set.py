"""The native hash and set beside their plain twins: the same answers, orders, draws and pages."""

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

testing = pytest.importorskip("_testcapi")
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
        before = self.plain.bytes
        assert before + size_of(self.plain) == self.plain.bytes
        self.account += size_of(self.native)
        assert self.native.bytes == self.account
        assert self.native.outgrown or self.account == type(self.native).load(self.native.dump()).bytes

    def copy(self) -> None:
        before = self.native
        self.native, self.plain = self.native.copy(), self.plain.copy()
        assert before.bytes == self.account and (before.outgrown or self.native.bytes == self.account)
        self.account = self.native.bytes

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
        garbage: list[Any] = []
        self.change(lambda one: -one.remove_all(gone, garbage))
        assert all(len(piece) >= len(gone) for piece in garbage if len(gone))

    def page(self, cursor: int, count: int) -> None:
        self.both(lambda one: one.page(cursor, count))

    def pick(self, count: int, seed: int, repeats: bool) -> None:
        if len(self.plain):
            self.both(lambda one: one.picked(Random(seed).choices(range(len(one)), k=count)))
        assert self.both(lambda one: one.picked([])) == []

    def look(self) -> None:
        super().look()
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
    made[3].remove_all(MANY[:1_000], made)
    made += [one.copy() for one in made[:4]]
    made[1].put(b"one more", b"value")
    made[3].add(b"one more")
    known = [thing for thing in gc.get_objects() if id(thing) not in before]
    assert not any(gc.is_tracked(one) for one in made)
    assert not any(len(thing) > 300 for thing in known if type(thing) in (list, dict))


def test_what_a_large_one_is_made_of_is_freed_in_slices() -> None:
    for native, plain in ((Hash, LargeHash), (Set, LargeSet)):
        made = native.load(MANY[:1_400])
        size = len(made)
        pieces = made.pieces()
        assert len(made) == 0 and list(made) == [] and made.pieces() == []
        assert sum(map(len, pieces)) == size
        for piece in pieces:
            assert [piece.free(size // 3) for _ in range(5)] == [size // 3] * 3 + [size % 3, 0]
        assert not any(pieces)
        assert native.load(made.dump()).dump() == plain.load([]).dump() == []


def test_places_of_fields_follow_what_happens_after_the_first_walk() -> None:
    pair, dice = Hashes(Hash(), LargeHash()), Random(2)
    for turn in range(6):
        for name in dice.sample(MANY, 900):
            pair.put(name, b"v" * dice.randrange(60))
        if turn % 3 == 1:
            pair.page(700, 100)
        for name in dice.sample(pair.plain.dump()[::2], 300 if turn < 5 else len(pair.plain) - 100):
            pair.drop(name)
        pair.look()
        for cursor in (0, 1, 300, 5_000):
            pair.page(cursor, 50)
            pair.pick(100, cursor, repeats=bool(cursor % 2))
        pair.copy()
        if turn % 2:
            pair.page(0, 1)


def test_an_order_that_walks_do_not_make_longer() -> None:
    """Fields that come and go for ever leave nothing behind."""
    made, dice = Hash.load(MANY * 2 if len(MANY) % 2 else MANY), Random(4)
    for _ in range(3):
        made.page(0, 1)
        before = made.bytes
        for number in range(20_000):
            made.put(b"new %d" % number, b"%d" % number)
            made.drop(b"new %d" % number)
        assert made.bytes - before < 40_000
        for name in dice.sample(list(made), 20):
            made.put(name, b"another value")
        assert len(made) == len(MANY) // 2


def without_memory(do: Callable[[], object]) -> int:
    """Do something with ever more pieces of memory there; how many there had to be."""
    for granted in range(10_000):
        testing.set_nomemory(granted)
        try:
            do()
        except MemoryError:
            continue
        finally:
            testing.remove_mem_hooks()
        return granted
    raise AssertionError("there is never enough memory")


def test_what_there_is_no_memory_for_changes_nothing() -> None:
    for count in (1, 127, 128, 400, 895, 896, 1_400):
        fields, members = Hash.load([each for name in MANY[:count] for each in (name, name)]), Set(MANY[:count])
        for _ in range(2):
            before = fields.dump(), fields.bytes, members.dump(), members.bytes
            for do in (
                lambda fields=fields: fields.put(b"long" * 100, b"value" * 100),
                lambda fields=fields: fields.put(MANY[0], b"value" * 100),
                lambda fields=fields: fields.copy(),
                lambda members=members: members.add(b"long" * 100),
                lambda members=members: members.copy(),
            ):
                testing.set_nomemory(0)
                try:
                    do()
                except MemoryError:
                    pass
                else:
                    raise AssertionError("there was memory")
                finally:
                    testing.remove_mem_hooks()
                assert before == (fields.dump(), fields.bytes, members.dump(), members.bytes)
            fields.page(0, 1)
        assert without_memory(fields.copy) and without_memory(members.copy)
        assert without_memory(lambda fields=fields: fields.put(b"long" * 100, b"value" * 100))
        assert without_memory(lambda members=members: members.add(b"long" * 100))
        assert without_memory(lambda count=count: Hash.load(MANY[: count // 2 * 2])) or count < 2
        assert without_memory(lambda count=count: Set.load(MANY[:count]))
        assert fields.dump()[-2:] == [b"long" * 100, b"value" * 100] and members.dump()[-1] == b"long" * 100


def test_nothing_is_left_of_what_is_gone() -> None:
    def life(seed: int) -> None:
        dice = Random(seed)
        for pair in (Hashes(Hash(), LargeHash()), Sets(Set(), LargeSet())):
            for name in dice.sample(MANY, dice.choice([200, 1_400])):
                pair.put(name, b"v" * dice.randrange(140))
            pair.page(0, 10)
            for name in dice.sample(MANY, 400):
                pair.drop(name)
            pair.clear((10, 300))
            for piece in pair.native.copy().pieces()[: dice.randrange(2)]:
                piece.free(dice.randrange(300))
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
