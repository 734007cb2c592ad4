"""The container of a hash: its account, copies and dumps, and the places that large ones keep for walks and picks."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from kv_server.model.hash import FIELD_BYTES, Hash
from tests.engine.profile import examples

fields = st.integers(0, 700).map(lambda number: b"f%d" % number)


@settings(max_examples=examples(60))
@given(changes=st.lists(st.tuples(st.booleans(), fields, st.sampled_from([b"", b"value"])), max_size=80))
def test_places_follow_every_change(changes: list[tuple[bool, bytes, bytes]]) -> None:
    made = Hash()
    plain: dict[bytes, bytes] = {}
    for number in range(600):
        made.bytes += made.put(b"f%d" % number, b"first")
        plain[b"f%d" % number] = b"first"
    made.page(0, 1)
    assert made.places is not None
    for put, field, blob in changes:
        if put:
            made.bytes += made.put(field, blob)
            plain[field] = blob
        elif field in plain:
            made.bytes -= made.drop(field)
            del plain[field]
    assert dict(made) == plain
    assert sorted(made.places) == sorted(plain)
    assert made.bytes == sum(len(field) + len(blob) + FIELD_BYTES for field, blob in plain.items())
    assert dict(Hash.load(made.dump())) == dict(made.copy()) == plain
    assert Hash.load(made.dump()).bytes == made.copy().bytes == made.bytes
    assert list(Hash.load(made.dump())) == list(made)


def test_a_copy_changes_apart() -> None:
    made = Hash.load([b"f", b"1"])
    other = made.copy()
    other.put(b"g", b"2")
    other.drop(b"f")
    assert made.dump() == [b"f", b"1"]


def test_picks_without_repeats_are_all_different_and_at_most_all() -> None:
    made = Hash.load([octets for number in range(700) for octets in (b"f%d" % number, b"v")])
    picked = made.pick(300, Random(1), repeats=False)
    assert len(dict(picked)) == 300
    assert made.pick(900, Random(1), repeats=False) == list(made.items())
    assert len(made.pick(900, Random(1), repeats=True)) == 900
