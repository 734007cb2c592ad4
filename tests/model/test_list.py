"""The array of a list against a Python list, its account, and what its operations cost."""

from __future__ import annotations

from itertools import islice
from time import perf_counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kv_server.model.list import ELEMENT_BYTES, List, weight
from tests.engine.profile import examples

blobs = st.sampled_from([b"a", b"b", b"", b"long" * 5])
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
    for kind, *args in steps:
        if kind == "push":
            left, values = args
            plain = [*reversed(values), *plain] if left else plain + values
            made.bytes += made.push(left, tuple(values))
        elif kind == "pop":
            left, count = args
            taken = plain[:count] if left else plain[::-1][:count]
            plain = plain[count:] if left else plain[: max(len(plain) - count, 0)]
            assert made.pop(left, count) == taken
            made.bytes -= weight(taken)
        elif kind == "look":
            blob, backward, most = args
            looked = list(range(len(plain)))[::-1][:most] if backward else list(range(len(plain)))[:most]
            found = [place for place in looked if plain[place] == blob]
            assert list(made.places(blob, backward=backward, most=most)) == found
            assert list(islice(made.places(blob, backward=backward, most=most), 1)) == found[:1]
        elif kind == "remove":
            places = sorted({place % len(plain) for place in args[0]}) if plain else []
            made.bytes -= weight([plain[place] for place in places])
            plain = [blob for place, blob in enumerate(plain) if place not in places]
            made.remove(places)
        elif kind == "insert":
            place = args[0] % (len(plain) + 1)
            plain.insert(place, args[1])
            made.bytes += made.insert(place, args[1])
        elif plain:
            place = args[0] % len(plain)
            plain[place] = args[1]
            made.bytes += made.set(place, args[1])
        assert made.dump() == plain == made.part(0, len(plain)) == made.copy().dump()
        assert len(made) == len(plain)
        assert made.bytes == sum(map(len, plain)) + ELEMENT_BYTES * len(plain) == List.load(plain).bytes
        assert [made.at(place) for place in (0, -1, len(plain), -len(plain) - 1)] == [
            plain[0] if plain else None,
            plain[-1] if plain else None,
            None,
            None,
        ]


def test_a_copy_changes_apart() -> None:
    made = List([b"a", b"b"])
    other = made.copy()
    other.push(False, [b"c"])
    other.pop(True, 1)
    assert made.dump() == [b"a", b"b"]
    assert made != other
    assert other == List([b"b", b"c"])


def test_a_queue_that_is_never_empty_keeps_no_room_for_what_went() -> None:
    made = List([b"x"] * 100)
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
    assert large < 5 * small
