"""The commits of a group beside their plain twin: the same bytes, whatever they hold and whoever has written them."""

from __future__ import annotations

import importlib.util
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgpack import packb, unpackb

from kv_server.engine import groups
from kv_server.engine.commit import Commit
from kv_server.engine.groups import Group
from kv_server.engine.logged import unpack_rows
from tests.engine.profile import examples


def plain() -> Any:
    """The class in the plain source."""
    path = Path(str(groups.__file__)).parent / "groups.py"
    spec = importlib.util.spec_from_file_location("plain_groups", path)
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made.Group


PlainGroup = plain()
EDGES = [
    sign * edge + step
    for edge in (0, 1 << 5, 1 << 7, 1 << 8, 1 << 15, 1 << 16, 1 << 31, 1 << 32, 1 << 63, 1 << 64)
    for sign in (1, -1)
    for step in (-1, 0, 1)
    if -(1 << 63) <= sign * edge + step < 1 << 64
]
whole = st.sampled_from(EDGES) | st.integers(0, (1 << 64) - 1)
stamp = st.sampled_from([0, 1, 1_700_000_000_000]) | st.integers(0, (1 << 63) - 1)
octets = st.binary(max_size=300) | st.sampled_from([255, 256, 65_535, 65_536]).map(bytes)
plainest = st.none() | st.booleans() | whole | st.floats() | octets | st.text(max_size=40)
things = st.recursive(plainest, lambda inner: st.lists(inner, max_size=20) | st.tuples(inner, inner), max_leaves=30)
names = st.sampled_from([b"0", b"other", b""])
rows = st.tuples(stamp, stamp, stamp, names, st.lists(st.tuples(st.integers(0, 255), things), max_size=20))


def same(one: Any, other: Any) -> bool:
    """Whether two unpacked things are alike, NaN like itself."""
    if isinstance(one, float) and isinstance(other, float):
        return struct.pack(">d", one) == struct.pack(">d", other)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other) and type(one) is type(other)


@settings(max_examples=examples(200))
@given(groups=st.lists(st.lists(rows, min_size=1, max_size=20), min_size=1, max_size=3))
def test_a_group_has_the_bytes_that_were_always_written(groups: list[list[Any]]) -> None:
    one, other = Group(), PlainGroup()
    for commits in groups:
        for commit in commits:
            one.append(Commit(*commit))
            other.append(commit)
        assert (len(one), one.last) == (len(other), other.last) == (len(commits), commits[-1][0])
        data = one.packed()
        assert data == other.packed() == one.packed()
        told = list(unpack_rows(data))
        assert same(told, list(one))
        again = [unpackb(packb(row, unicode_errors="surrogateescape"), unicode_errors="surrogateescape",
                         strict_map_key=False) for row in commits]  # fmt: skip
        assert same(told, again)
        one.clear()
        other.clear()
        assert not one and list(one) == []


def test_many_commits_and_long_ones_are_packed_whole() -> None:
    one, other = Group(), PlainGroup()
    for number in range(70_000):
        row = (number, 1, number // 1_000, b"0" if number < 69_000 else b"1", [(0x11, b"%d" % number, b"v", 0)] * 2)
        one.append(row)
        other.append(row)
    row = (70_000, 2, 70, b"1", [(0x11, bytes(70_000), bytes(3_000_000), 5)] * 20)
    one.append(row)
    other.append(row)
    assert one.packed() == other.packed()


def test_a_commit_that_cannot_be_written_leaves_no_trace() -> None:
    one, other = Group(), PlainGroup()
    good = [(1, 2, 3, b"0", [(0x11, b"a", b"b", 0)]), (2, 2, 3, b"1", [(0x12, b"a", 0)])]
    refused: list[Any] = [
        (3, 2, 3, b"2", [(0x11, b"a", object())]),
        (3, 2, 3, b"2", [(0x11, b"a", 1 << 64)]),
    ]
    if not isinstance(one, list):
        for row in refused:
            with pytest.raises((TypeError, OverflowError)):
                one.append(row)
        assert len(one) == 0
    for commit in good:
        one.append(commit)
        other.append(commit)
        if not isinstance(one, list):
            for row in refused:
                with pytest.raises((TypeError, OverflowError)):
                    one.append(row)
            assert len(one) == len(other)
            assert one.last == commit[0]
    assert one.packed() == other.packed()


def test_there_is_nothing_in_an_empty_group() -> None:
    with pytest.raises(IndexError):
        _ = Group().last
    with pytest.raises(ValueError):
        Group().packed()
