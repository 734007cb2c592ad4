"""Glob patterns: against regular expressions where those say the same, and in pattern times name steps at most."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kv_server.model.glob import fitting, matches
from tests.engine.profile import examples

CLASSES = [
    (b"[ab]", rb"[ab]"),
    (b"[^ab]", rb"[^ab]"),
    (b"[a-c]", rb"[a-c]"),
    (b"[c-a]", rb"[a-c]"),
    (b"[^a-c\xff]", rb"[^a-c\xff]"),
    (b"[a\\]b]", rb"[a\]b]"),
    (b"[\\^a]", rb"[\^a]"),
    (b"[a^]", rb"[a^]"),
    (b"[]", rb"(?!)"),
    (b"[^]", rb"."),
    (b"[.]", rb"\."),
]
parts = st.one_of(
    st.sampled_from([(b"*", rb".*"), (b"?", rb"."), (b"**", rb".*")]),
    st.binary(min_size=1, max_size=1).map(lambda char: (b"\\" + char, re.escape(char))),
    st.sampled_from(list(b"ab-^]!.+({|$\n\x00\xff")).map(lambda char: (bytes([char]), re.escape(bytes([char])))),
    st.sampled_from(CLASSES),
)
names = st.lists(
    st.sampled_from([b"a", b"b", b"c", b"-", b"^", b"]", b".", b"\n", b"\xff", b"ab", b"\x00"]), max_size=8
).map(b"".join)


@settings(max_examples=examples(400))
@given(chosen=st.lists(parts, max_size=6), name=names)
def test_patterns_mean_what_the_same_regular_expression_means(chosen: list[tuple[bytes, bytes]], name: bytes) -> None:
    pattern = b"".join(glob for glob, _ in chosen)
    regex = b"".join(expression for _, expression in chosen)
    assert matches(pattern, name) == (re.fullmatch(regex, name, re.DOTALL) is not None)


@settings(max_examples=examples(400))
@given(chosen=st.lists(parts, max_size=6), several=st.lists(names, max_size=6))
@example(chosen=[(b"*", b"")], several=[b"", b"a", b""])
@example(chosen=[(b"?", b""), (b"*", b"")], several=[b"", b"ab", b"a"])
@example(chosen=[], several=[b"", b"a", b""])
@example(chosen=[], several=[])
def test_many_names_fit_as_each_of_them_does(chosen: list[tuple[bytes, bytes]], several: list[bytes]) -> None:
    pattern = b"".join(glob for glob, _ in chosen)
    assert fitting(pattern, several) == [name for name in several if matches(pattern, name)]


@settings(max_examples=examples(200))
@given(pattern=st.binary(max_size=12), name=st.binary(max_size=12))
def test_no_pattern_is_an_error(pattern: bytes, name: bytes) -> None:
    assert matches(pattern, name) in (True, False)


@given(name=st.binary(max_size=20))
def test_an_escaped_name_matches_itself_alone(name: bytes) -> None:
    pattern = b"".join(b"\\" + bytes([char]) for char in name)
    assert matches(pattern, name)
    assert not matches(pattern, name + b"x")
    assert matches(b"*", name)
    assert matches(b"?" * len(name), name)


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        (b"[abc", b"b", True),  # a class that never closes ends with the pattern
        (b"[abc", b"b]", False),
        (b"[a-]", b"_", True),  # as in Redis: a range up to the bracket, in a class that never closes
        (b"[", b"[", False),
        (b"[^", b"x", True),
        (b"a\\", b"a\\", True),
        (b"", b"", True),
        (b"", b"a", False),
        (b"*a*b*", b"xxaxxbxx", True),
        (b"*a*b", b"xxbxxa", False),
        (b"[\\", b"\\", True),
        (b"{t}*", b"{t}key", True),
    ],
)
def test_odd_patterns(pattern: bytes, name: bytes, expected: bool) -> None:
    assert matches(pattern, name) == expected


class Counted(bytes):
    """A name that counts how often one of its bytes is looked at."""

    looks = 0

    def __getitem__(self, at: Any) -> Any:
        self.looks += 1
        return bytes.__getitem__(self, at)


@pytest.mark.parametrize(
    "pattern",
    [
        b"*a" * 30 + b"b",
        b"*" * 500 + b"b",
        b"a*" * 40 + b"b",
        b"*[ab]" * 30 + b"c",
        b"*?" * 30 + b"b",
        b"*" + b"a" * 99 + b"b",
    ],
)
def test_no_pattern_takes_more_than_its_length_times_the_names(pattern: bytes) -> None:
    name = Counted(b"a" * 500)
    assert not matches(pattern, name)
    assert name.looks <= 3 * len(pattern) * len(name)
