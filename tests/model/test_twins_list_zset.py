"""The native list and sorted set beside their plain twins: the same answers, orders, ranks, draws and pages."""

from __future__ import annotations

import gc
import importlib.util
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kv_server.model import list as list_module
from kv_server.model import zset as zset_module
from kv_server.model.container import CONTAINERS
from kv_server.model.large_set import sample
from kv_server.model.list import List
from kv_server.model.steps import finished
from kv_server.model.zset import SortedSet
from tests.engine.profile import examples

testing = pytest.importorskip("_testcapi")
HOME = Path(str(zset_module.__file__)).parent
pytestmark = pytest.mark.skipif(
    str(zset_module.__file__).endswith(".py") or str(list_module.__file__).endswith(".py"), reason="no native build"
)


def plain(module: str, name: str) -> Any:
    """The class of that *name* in the plain source of a *module*; what stands for its kind stays."""
    spec = importlib.util.spec_from_file_location(f"plain_{module}", HOME / f"{module}.py")
    assert spec is not None and spec.loader is not None
    made, before = importlib.util.module_from_spec(spec), dict(CONTAINERS)
    spec.loader.exec_module(made)
    CONTAINERS.update(before)
    return getattr(made, name)


PlainList, PlainSortedSet = plain("large_list", "LargeList"), plain("zset", "SortedSet")
INF = float("inf")
REFUSED = (KeyError, ValueError, IndexError, TypeError, OverflowError)


class Twins:
    """A native container and a plain one, to which the same is done."""

    def __init__(self, native: Any, plain: Any) -> None:
        self.native, self.plain = native, plain
        self.account = native.bytes

    def both(self, ask: Callable[[Any], Any]) -> Any:
        """What both say."""
        said, theirs = ask(self.native), ask(self.plain)
        assert said == theirs
        return said

    def grow(self, change: Callable[[Any], int], sign: int = 1) -> None:
        """A change that returns by how much the account of each grows."""
        before = self.plain.bytes
        assert before + sign * change(self.plain) == self.plain.bytes
        self.account += sign * change(self.native)
        assert self.native.bytes == self.account

    def replaced(self, how: str) -> None:
        """Go on with copies, or with what was dumped and loaded."""
        for name in ("native", "plain"):
            one = getattr(self, name)
            if how == "copy":
                two = one.copy()
            else:
                two = type(one).load(one.dump()) if how == "load" else finished(type(one).loading(one.dump()))
            setattr(self, name, two)
        self.account = self.native.bytes


# ---- lists
SIZES = [0, 1, 10, 30, 126, 127, 128, 129, 255, 256, 400, 1_023, 1_024, 1_025, 2_000]
blobs = st.tuples(st.sampled_from(SIZES), st.integers(0, 3)).map(lambda pair: bytes([97 + pair[1]]) * pair[0])
small = st.sampled_from([b"a", b"b", b"", b"0123456789"])
several = st.lists(small, max_size=60) | st.lists(blobs, max_size=4)
whole = st.integers(0, 400)
list_steps = st.one_of(
    st.tuples(st.just("push"), st.booleans(), several),
    st.tuples(st.just("push"), st.booleans(), st.lists(small, min_size=100, max_size=200)),
    st.tuples(st.just("many"), st.integers(0, 2**32)),
    st.tuples(st.just("pop"), st.booleans(), whole),
    st.tuples(st.just("set"), whole, small | blobs),
    st.tuples(st.just("insert"), whole, small | blobs),
    st.tuples(st.just("remove"), st.lists(whole, max_size=8)),
    st.tuples(st.just("fewer"), st.integers(0, 2**32)),
    st.tuples(st.just("trim"), whole, whole),
    st.tuples(st.just("look"), small, st.booleans(), whole, st.integers(0, 3), st.none() | st.integers(1, 3)),
    st.tuples(st.sampled_from(["copy", "load", "loading"])),
)


def grow_long(twins: Twins, dice: Random) -> None:
    """Add some hundred elements of all sizes, at both ends and in the middle."""
    often = [dice.random() ** 3 for _ in SIZES]
    for size in dice.choices(SIZES, often, k=dice.choice([50, 300])):
        blob, place, left = dice.randbytes(size), dice.randrange(len(twins.plain) + 1), dice.random() < 0.5
        if dice.random() < 0.5:
            twins.grow(lambda one, blob=blob, place=place: one.insert(place, blob))
        elif dice.random() < 0.2 and place < len(twins.plain):
            twins.grow(lambda one, blob=blob, place=place: one.set(place, blob))
        else:
            twins.grow(lambda one, blob=blob, left=left: one.push(left, (blob,)))


@settings(max_examples=examples(200))
@given(steps=st.lists(list_steps, max_size=30))
def test_lists_are_alike(steps: list[tuple[Any, ...]]) -> None:
    twins = Twins(List(), PlainList())
    for kind, *args in steps:
        size = len(twins.plain)
        if kind == "push":
            twins.grow(lambda one, args=args: one.push(args[0], tuple(args[1])))
        elif kind == "pop":
            taken = [one.pop(*args) for one in (twins.native, twins.plain)]
            assert taken[0][0] == taken[1][0]
            twins.account += taken[0][1]
        elif kind == "set" and size:
            twins.grow(lambda one, args=args, size=size: one.set(args[0] % size, args[1]))
        elif kind == "insert":
            twins.grow(lambda one, args=args, size=size: one.insert(args[0] % (size + 1), args[1]))
        elif kind == "remove" and size:
            places = sorted({place % size for place in args[0]})
            twins.grow(lambda one, places=places: one.remove(places))
        elif kind == "many":
            grow_long(twins, Random(args[0]))
        elif kind == "fewer":
            dice = Random(args[0])
            share = dice.random() ** 2
            places = [place for place in range(size) if dice.random() < share]
            twins.grow(lambda one, places=places: one.remove(places))
        elif kind == "trim":
            start = args[0] % (size + 1)
            end = start + args[1] % (size - start + 1)
            twins.grow(lambda one, start=start, end=end: one.trim(start, end))
        elif kind == "look":
            blob, backward, most, skip, count = args
            words = {"backward": backward, "most": most, "skip": skip, "count": count}
            twins.both(lambda one, blob=blob, words=words: one.places(blob, **words))
        elif kind in ("copy", "load", "loading"):
            twins.replaced(kind)
        assert twins.native.bytes == twins.account
        size = twins.both(len)
        twins.both(lambda one: one.dump())
        twins.both(lambda one, size=size: [one.at(place) for place in range(-size - 2, size + 2)])
        twins.both(lambda one, size=size: [one.part(at, at + 7) for at in range(0, size, 5)])


def test_a_packed_list_is_small_and_unknown_to_the_collector() -> None:
    made = List([b"01234567890"] * 100)
    assert type(made).__basicsize__ + made.bytes <= 1_500
    assert not gc.is_tracked(made)
    large = List([b"x" * 2_000])
    before = len(gc.get_objects())
    some = [large.copy() for _ in range(100)]
    assert len(gc.get_objects()) - before < 20
    assert len(some) == 100


def test_what_no_list_can_do_is_refused_and_changes_nothing() -> None:
    for made in (List([b"a", b"b", b"c"]), List([b"a" * 2_000, b"b", b"c"])):
        before = made.dump(), made.bytes
        for refused in (
            lambda made=made: made.set(3, b"x"),
            lambda made=made: made.set(-1, b"x"),
            lambda made=made: made.remove([3]),
            lambda made=made: made.remove([1, 1]),
            lambda made=made: made.trim(2, 1),
            lambda made=made: made.trim(0, 4),
            lambda made=made: made.push(True, (b"a", "text")),
            lambda made=made: made.push(False, (None,)),
            lambda made=made: made.insert(0, "text"),
            lambda made=made: made.set(0, None),
        ):
            with pytest.raises(REFUSED):
                refused()
            assert (made.dump(), made.bytes) == before
        assert made.pop(True, 0) == ([], 0)
        assert made.at(2**62) is None and made.at(-(2**62)) is None
        assert made.part(5, 2**62) == []


@pytest.mark.parametrize("count", [0, 1, 39, 40, 80, 81, 2_000])
def test_a_list_that_there_is_no_memory_for_stays_as_it_was(count: int) -> None:
    """Each change, with ever more pieces of memory there until it is made; the last is for the number it returns."""
    small, large = b"x" * 100, b"y" * 2_000
    for do in (
        lambda made: made.push(True, (small, small)),
        lambda made: made.push(False, (small, large, small)),
        lambda made: made.insert(count // 2, small),
        lambda made: made.insert(count // 2, large),
        lambda made: made.set(count // 3, large) if count else None,
        lambda made: made.set(count // 3, small + small) if count else None,
        lambda made: made.copy(),
    ):
        made, other = List([small] * count), List([small] * count)
        before, _ = made.dump(), do(other)
        for granted in range(1_000):
            testing.set_nomemory(granted)
            try:
                do(made)
            except MemoryError:
                testing.remove_mem_hooks()
                if made.dump() == other.dump():
                    break
                assert made.dump() == before
            else:
                break
            finally:
                testing.remove_mem_hooks()
        else:
            raise AssertionError("there is never enough memory")


def test_what_is_left_of_a_long_list_is_freed_in_slices() -> None:
    made = List([b"x" * 100] * 10_000)
    (rest,) = made.pieces()
    assert len(rest) == 10_000
    slices = 0
    while rest:
        before = len(rest)
        freed = rest.free(100)
        assert freed == before - len(rest) <= 200
        assert freed >= 100 or not rest
        slices += 1
    assert slices > 50
    assert rest.free(1) == len(made) == 0


# ---- sorted sets
scores = st.sampled_from([0.0, -0.0, 1.0, 2.0, -1.5, INF, -INF, 1e300, 5e-324]) | st.floats(allow_nan=False)
members = st.integers(0, 400).map(lambda number: b"%d" % number) | st.sampled_from(
    [b"", b"\0", b"m" * 63, b"m" * 64, b"m" * 65, b"m" * 64 + b"n", b"x" * 600, b"x" * 601]
)
seeds = st.integers(0, 2**32)
counts = st.sampled_from([0, 1, 2, 10, 63, 64, 65, 127, 128, 129, 200, 400, 1_500])
zset_steps = st.one_of(
    st.tuples(st.just("put"), scores, members),
    st.tuples(st.just("put"), scores, members),
    st.tuples(st.just("many"), seeds, counts, st.sampled_from([1, 5, 10**9])),
    st.tuples(st.just("remove"), seeds),
    st.tuples(st.just("fewer"), seeds, counts),
    st.tuples(st.just("range"), whole, st.integers(-5, 800)),
    st.tuples(st.just("rank"), scores, members, st.booleans()),
    st.tuples(st.just("page"), whole, counts),
    st.tuples(st.just("sample"), seeds, counts),
    st.tuples(st.sampled_from(["copy", "load", "loading", "level"])),
)


def remove(twins: Twins, gone: list[bytes]) -> None:
    garbage: list[Any] = []
    twins.grow(lambda one: one.remove_all(gone, garbage), -1)
    for piece in garbage:
        if not isinstance(piece, list | dict):
            while piece:
                assert piece.free(100) > 0


def do(twins: Twins, kind: str, args: list[Any]) -> None:
    if kind == "put":
        twins.grow(lambda one: one.put(*args))
    elif kind == "many":
        dice, (_, count, spread) = Random(args[0]), args
        names = dice.choice([400, 10_000])
        pairs = [(float(dice.randrange(spread)), b"%d" % dice.randrange(names)) for _ in range(count)]
        twins.grow(lambda one: one.put_all(pairs))
    elif kind == "remove" and len(twins.plain):
        member = Random(args[0]).choice(twins.plain.dump()[0])
        twins.grow(lambda one: one.remove(member), -1)
    elif kind == "fewer":
        held = twins.plain.dump()[0]
        remove(twins, Random(args[0]).sample(held, min(args[1], len(held))))
    elif kind == "range":
        twins.both(lambda one: one.slice(*args))
    elif kind == "rank":
        score, member, beyond = args
        twins.both(lambda one: one.rank_of_score(score, beyond=beyond))
        twins.both(lambda one: (one.score(member), member in one))
    elif kind == "page":
        twins.both(lambda one: one.page(*args) if args[1] else None)
    elif kind == "sample":
        chosen = sample(Random(args[0]), range(len(twins.plain)), min(args[1], len(twins.plain)))
        twins.both(lambda one: [one.pair(place) for place in chosen])
    elif kind == "level":
        for one in (twins.native, twins.plain):
            one.put_all([(7.0, member) for member in one])
        twins.account = twins.native.bytes
        for member in (b"", b"20", b"m" * 64, b"\xff"):
            for beyond in (False, True):
                twins.both(lambda one: one.rank_of_member(member, beyond=beyond))  # noqa: B023
    elif kind in ("copy", "load", "loading"):
        twins.replaced(kind)


@settings(max_examples=examples(200), deadline=None)
@given(steps=st.lists(zset_steps, max_size=25))
def test_sorted_sets_are_alike(steps: list[tuple[Any, ...]]) -> None:
    twins = Twins(SortedSet(), PlainSortedSet())
    for kind, *args in steps:
        do(twins, kind, args)
        size = twins.both(len)
        ranked = twins.both(lambda one, size=size: one.slice(0, size))
        twins.both(lambda one: (one.pairs(), one.dump(), list(one)))
        twins.both(lambda one, ranked=ranked: [one.rank(member) for _, member in ranked[::7]])


@pytest.mark.parametrize("levels", [1, 3, 10**6])
def test_sorted_sets_grow_and_shrink_alike_over_many_nodes(levels: int) -> None:
    """Many leaves under several nodes, which are parted and joined again, in any order of scores and in ascending."""
    dice = Random(levels)
    twins = Twins(SortedSet(), PlainSortedSet())
    for turn, most in enumerate((30_000, 10, 12_000, 500, 20_000, 0)):
        while len(twins.plain) < most:
            start = len(twins.plain)
            pairs = [
                (float(number if turn == 2 else -number if turn == 4 else dice.randrange(levels)), b"%d" % number)
                for number in range(start, start + 64)
            ]
            twins.grow(lambda one, pairs=pairs: one.put_all(pairs))
            again = [(float(dice.randrange(levels)), b"%d" % dice.randrange(start + 64)) for _ in range(8)]
            twins.grow(lambda one, again=again: one.put_all(again))
        assert twins.both(lambda one: one.slice(0, 2**40)) == sorted(twins.plain.pairs())
        native = twins.native.copy()
        assert native.pairs() == twins.native.pairs() and native.slice(0, 2**40) == twins.native.slice(0, 2**40)
        held = list(twins.plain)
        lowest = sorted(held, key=twins.plain.score) if turn % 2 else dice.sample(held, len(held))
        for member in lowest[: len(held) - most if turn % 2 else len(held) // 3]:
            twins.grow(lambda one, member=member: one.remove(member), -1)
        twins.both(lambda one: one.slice(0, 2**40))
        ranked = twins.plain.slice(0, 2**40)
        for rank in dice.sample(range(len(ranked)), min(300, len(ranked))):
            score, member = ranked[rank]
            assert twins.native.rank(member) == rank
            assert twins.both(lambda one, score=score: one.rank_of_score(score, beyond=True)) > rank
            assert twins.native.slice(rank, rank + 200) == ranked[rank : rank + 200]
        remove(twins, dice.sample(list(twins.plain), len(twins.plain) // 2))
        remove(twins, list(twins.plain)[most // 4 :])
        twins.both(lambda one: one.pairs())


def test_what_no_sorted_set_can_do_is_refused_and_changes_nothing() -> None:
    many = [b"%d" % number for number in range(300)]
    for names in ([], [b"a"], many[:100], many):
        made = SortedSet(names, [1.0] * len(names))
        before = made.pairs(), made.slice(0, len(names)), made.bytes
        for refused in (
            lambda made=made: made.remove(b"absent"),
            lambda made=made: made.rank(b"absent"),
            lambda made=made: made.put(float("nan"), b"a"),
            lambda made=made: made.put(1.0, "text"),
            lambda made=made: made.put("1", b"a"),
            lambda made=made: made.put_all([(1.0, None), (2.0, None)]),
            lambda made=made: made.remove_all([None, None], []),
            lambda made=made: made.remove_all([None] * 100, []),
            lambda made=made: SortedSet([None], [1.0]),
            lambda made=made: SortedSet([None] * 200, [1.0] * 200),
            lambda made=made: made.pair(len(made)),
            lambda made=made: made.pair(-1),
            lambda made=made: "text" in made,
            lambda made=made: made.remove_all([b"absent"] * 100, []),
            lambda made=made: SortedSet.load([[b"a", b"a"], [1.0, 2.0]]),
            lambda made=made: SortedSet.load([[*many, b"7"], [1.0] * 301]),
            lambda made=made: SortedSet.load([many, [1.0] * 299]),
            lambda made=made: finished(SortedSet.loading([[*many, b"7"], [1.0] * 301])),
            lambda made=made: SortedSet(many, [1.0, float("nan")] * 150),
        ):
            with pytest.raises(REFUSED):
                refused()
        assert (made.pairs(), made.slice(0, len(names)), made.bytes) == before
        assert made.slice(0, -(2**40)) == made.slice(2**40, 2**41) == []
        assert not gc.is_tracked(made)


def churn(turns: int) -> None:
    """Containers of all sizes that come, grow, shrink and go, some in slices and some with their memory in use."""
    dice = Random(5)
    for _ in range(turns):
        count = dice.choice([3, 100, 128, 129, 1_000, 3_000])
        names = [b"%d" % number + b"." * (number % 90) for number in range(count)]
        scored = SortedSet(names, [float(number % 7) for number in range(count)])
        twin = scored.copy()
        garbage: list[Any] = []
        twin.remove_all(names[: count * 2 // 3], garbage)
        for name in names[::3]:
            scored.put(dice.random(), name)
            scored.remove(name)
        pieces = scored.pieces() + garbage
        for piece in pieces[: dice.randrange(3)]:
            piece.free(500)
        made = List(names[: dice.choice([10, 200, 1_000])])
        made.push(True, (b"x" * dice.choice([10, 2_000]),))
        made.pop(False, 2)
        made.copy().remove([0, 1])


def test_no_memory_is_left_behind() -> None:
    churn(40)
    tracemalloc.start()
    try:
        churn(20)
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        churn(60)
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] - before < 20_000
    finally:
        tracemalloc.stop()


def test_the_account_is_the_memory_that_is_taken() -> None:
    for count in (10, 100, 1_000, 50_000):
        names = [b"member:%09d" % number for number in range(count)]
        dice = Random(1)
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            scored = SortedSet()
            for name in names:
                scored.put(dice.random(), name)
            taken = tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()
        taken += 9 * count if count > 10_000 else 0  # an array of pages, which nobody traces
        assert abs(taken - scored.bytes) < 0.06 * taken + 150
