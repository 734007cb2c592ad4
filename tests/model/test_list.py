"""A list, packed and large, against a Python list; its account, and what its operations cost."""

from __future__ import annotations

from itertools import islice
from time import perf_counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kv_server.model.large_list import LargeList
from kv_server.model.list import List
from kv_server.model.steps import finished
from tests.engine.profile import examples

blobs = st.sampled_from([b"a", b"b", b"", b"long" * 5, b"x" * 127, b"x" * 128, b"y" * 300, b"z" * 1_024, b"z" * 1_025])
at = st.integers(0, 1_000)
operations = st.one_of(
    st.tuples(st.just("push"), st.booleans(), st.lists(blobs, min_size=1, max_size=40)),
    st.tuples(st.just("pop"), st.booleans(), st.integers(0, 30)),
    st.tuples(st.just("set"), at, blobs),
    st.tuples(st.just("insert"), at, blobs),
    st.tuples(st.just("remove"), st.lists(at, max_size=5)),
    st.tuples(st.just("look"), blobs, st.booleans(), st.integers(0, 60)),
)


@settings(max_examples=examples(200))
@given(steps=st.lists(operations, max_size=40))
def test_it_holds_what_a_list_holds(steps: list[tuple[Any, ...]]) -> None:
    made, plain = List(), list[bytes]()
    account = made.bytes
    for kind, *args in steps:
        grown = 0
        if kind == "push":
            left, values = args
            plain = [*reversed(values), *plain] if left else plain + values
            grown = made.push(left, tuple(values))
        elif kind == "pop":
            left, count = args
            taken = plain[:count] if left else plain[::-1][:count]
            plain = plain[count:] if left else plain[: max(len(plain) - count, 0)]
            found, grown = made.pop(left, count)
            assert found == taken
        elif kind == "look":
            blob, backward, most = args
            looked = list(range(len(plain)))[::-1][:most] if backward else list(range(len(plain)))[:most]
            places = [place for place in looked if plain[place] == blob]
            assert list(made.places(blob, backward=backward, most=most)) == places
            assert list(islice(made.places(blob, backward=backward, most=most), 1)) == places[:1]
        elif kind == "remove":
            places = sorted({place % len(plain) for place in args[0]}) if plain else []
            plain = [blob for place, blob in enumerate(plain) if place not in places]
            grown = made.remove(places)
        elif kind == "insert":
            place = args[0] % (len(plain) + 1)
            plain.insert(place, args[1])
            grown = made.insert(place, args[1])
        elif plain:
            place = args[0] % len(plain)
            plain[place] = args[1]
            grown = made.set(place, args[1])
        account += grown
        assert made.bytes == account
        assert getattr(made, "outgrown", False) or account == List.load(plain).bytes
        assert made.dump() == plain == made.part(0, len(plain)) == made.copy().dump() == made.part(0, 2**40)
        assert made.part(len(plain) // 2, len(plain) - 1) == plain[len(plain) // 2 : max(len(plain) - 1, 0)]
        assert len(made) == len(plain)
        assert list(map(made.at, range(-len(plain) - 1, len(plain) + 1))) == [None, *plain, *plain, None]
        assert List.load(plain) == made == finished(List.loading(plain))


def test_a_copy_changes_apart() -> None:
    made = List([b"a", b"b"])
    other = made.copy()
    other.push(False, [b"c"])
    other.pop(True, 1)
    assert made.dump() == [b"a", b"b"]
    assert made != other
    assert other == List([b"b", b"c"])


def test_a_queue_that_is_never_empty_keeps_no_room_for_what_went() -> None:
    made = LargeList([b"x"] * 100)
    for _ in range(10_000):
        made.push(False, [b"y"])
        made.pop(True, 1)
    assert len(made.cells) <= 2 * len(made) + 32


def seconds(size: int, turns: int) -> float:
    """How long that many pushes and pops at both ends, and reads in the middle, take in a list of *size*."""
    made = List([b"x"] * size)
    begin = perf_counter()
    for _ in range(turns):
        made.push(True, [b"y"])
        made.push(False, [b"y"])
        made.at(size // 2)
        made.part(size // 2, size // 2 + 10)
        made.pop(True, 1)
        made.pop(False, 1)
    return perf_counter() - begin


def test_a_large_list_costs_at_its_ends_and_to_read_what_a_small_one_does() -> None:
    small = min(seconds(100, 20_000) for _ in range(3))
    large = min(seconds(400_000, 20_000) for _ in range(3))
    assert large < 50 * small  # element by element it would be thousands of times
