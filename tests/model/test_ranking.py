"""The order of a sorted set against a plain sorted list, over several chunks; and what it is made of stays sound."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from random import Random
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kv_server.model import ranking
from kv_server.model.ranking import Pair, Ranking
from tests.engine.profile import examples

INF = float("inf")
scores = st.sampled_from([0.0, -0.0, 1.0, 2.0, -1.5, INF, -INF, 1e300, 5e-324]) | st.floats(allow_nan=False)
members = st.binary(max_size=2)
pairs = st.tuples(scores, members)


@pytest.fixture(autouse=True, params=[1, 2, 4, 512])
def _chunks(request: pytest.FixtureRequest) -> object:
    with mock.patch.object(ranking, "_CHUNK", request.param):
        yield


def sound(built: Ranking, plain: list[Pair]) -> None:
    assert list(built) == plain
    assert len(built) == len(plain)
    assert all(built.chunks)
    assert built.lasts == [chunk[-1] for chunk in built.chunks]
    assert all(len(chunk) < max(2 * ranking._CHUNK, 2) for chunk in built.chunks)
    counts = [len(chunk) for chunk in built.chunks]
    assert [built._before_chunk(at) for at in range(len(counts))] == [sum(counts[:at]) for at in range(len(counts))]


@settings(max_examples=examples(60), suppress_health_check=[])
@given(begun=st.lists(pairs, unique=True, max_size=12), changes=st.lists(pairs, max_size=60))
def test_it_is_a_sorted_list(begun: list[Pair], changes: list[Pair]) -> None:
    plain = sorted(begun)
    built = Ranking(plain)
    for pair in changes:
        if pair in plain:
            plain.remove(pair)
            built.remove(pair)
        else:
            insort(plain, pair)
            built.add(pair)
    sound(built, plain)
    again = built.copy()
    for pair in plain:
        built.remove(pair)
    sound(built, [])
    sound(again, plain)


@settings(max_examples=examples(60))
@given(
    held=st.lists(pairs, unique=True, max_size=40), asked=pairs, ends=st.tuples(st.integers(0, 45), st.integers(-3, 45))
)
def test_ranks_and_slices_are_those_of_a_sorted_list(held: list[Pair], asked: Pair, ends: tuple[int, int]) -> None:
    plain = sorted(held)
    built = Ranking(plain)
    score, member = asked
    assert built.rank(asked) == bisect_left(plain, asked)
    for pair in plain:
        assert built.rank(pair) == plain.index(pair)
    only = [pair[0] for pair in plain]
    assert built.rank_of_score(score, beyond=False) == bisect_left(only, score)
    assert built.rank_of_score(score, beyond=True) == bisect_right(only, score)
    assert built.slice(*ends) == (plain[ends[0] : ends[1]] if ends[1] > 0 else [])
    level = sorted({(0.0, name) for _, name in held})
    names = [name for _, name in level]
    assert Ranking(level).rank_of_member(member, beyond=False) == bisect_left(names, member)
    assert Ranking(level).rank_of_member(member, beyond=True) == bisect_right(names, member)


def test_it_stays_sound_over_many_changes() -> None:
    dice = Random(3)
    built, plain = Ranking(), []
    for turn in range(3_000):
        if plain and dice.random() < (0.3 if turn < 1_500 else 0.7):
            pair = plain.pop(dice.randrange(len(plain)))
            built.remove(pair)
        else:
            pair = (dice.choice([dice.random(), 0.5]), b"%d" % turn)
            insort(plain, pair)
            built.add(pair)
        if turn % 500 == 0:
            sound(built, plain)
    sound(built, plain)
