"""Requests of RESP: whole in odd pieces, lines as people type them, and everything that is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kv_server.surfaces.resp_lines import MAX_WORDS, looks_like_http, split_line
from kv_server.surfaces.resp_requests import RequestReader
from tests.surfaces.talk import packed

MAX_BULK = 1 << 20
words = st.lists(
    st.binary(max_size=40) | st.sampled_from([b"", b"\r\n", b"$3", b"*1\r\n$4\r\nPING\r\n", b"x" * 3000]),
    min_size=1,
    max_size=9,
)


def pieces(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """*data* in pieces that end anywhere."""
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=12)))
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True) if end > start]


@st.composite
def conversations(draw: st.DrawFn) -> tuple[list[list[bytes]], list[bytes]]:
    """Commands, and their bytes in pieces; nothing that means nothing is in between."""
    commands = draw(st.lists(words, max_size=12))
    data = b"".join(
        draw(st.sampled_from([b"", b"", b"*0\r\n", b"*-1\r\n", b"\r\n"])) + packed(*each) for each in commands
    )
    return commands, pieces(draw, data)


@given(conversations())
def test_commands_arrive_whole_in_whatever_pieces(conversation: tuple[list[list[bytes]], list[bytes]]) -> None:
    commands, data = conversation
    reader = RequestReader(MAX_BULK)
    found = [command for piece in data for command in reader.feed(piece)]
    assert found == commands
    assert reader.failure is None


@given(st.binary(max_size=300), st.data())
def test_nothing_makes_the_reader_raise_and_pieces_make_no_difference(noise: bytes, data: st.DataObject) -> None:
    noise = data.draw(st.sampled_from([b"", b"*2\r\n$1\r\na\r\n", b"*1\r\n$", b"set a "])) + noise
    whole, cut = RequestReader(MAX_BULK), RequestReader(MAX_BULK)
    expected = whole.feed(noise)
    found = []
    for piece in data.draw(st.composite(pieces)(noise)):
        if cut.failure is None:
            found += cut.feed(piece)
    assert (found, cut.failure) == (expected, whole.failure)


def test_a_long_word_is_taken_up_in_one_stroke() -> None:
    reader = RequestReader(1 << 24)
    word = bytes(range(256)) * 40_000
    data = packed(b"SET", b"k", word)
    found: list[list[bytes]] = []
    for start in range(0, len(data), 65_536):
        assert found == []
        found += reader.feed(data[start : start + 65_536])
    assert found == [[b"SET", b"k", word]]
    assert not reader.halfway()


def test_a_pipeline_cut_in_the_middle_goes_on_in_one_stroke() -> None:
    reader = RequestReader(MAX_BULK)
    data = packed(b"SET", b"key", b"value") * 1000
    assert len(reader.feed(data[:10_011])) + len(reader.feed(data[10_011:])) == 1000
    assert not reader.halfway()


@pytest.mark.parametrize(
    "begun", [b"*", b"*1", b"*1\r\n", b"*1\r\n$4\r\nPI", b"*2\r\n$1\r\na\r\n", b"PIN", b"*1\r\n$1"]
)
def test_it_knows_that_a_command_has_begun(begun: bytes) -> None:
    reader = RequestReader(MAX_BULK)
    assert reader.feed(begun) == []
    assert reader.halfway()


@pytest.mark.parametrize(
    ("data", "failure"),
    [
        (b"*a\r\n", "invalid multibulk length"),
        (b"*1048577\r\n", "invalid multibulk length"),
        (b"*9999999999999999999999\r\n", "invalid multibulk length"),
        (b"*+1\r\n", "invalid multibulk length"),
        (b"*1_0\r\n", "invalid multibulk length"),
        (b"*01\r\n", "invalid multibulk length"),
        (b"* 1\r\n", "invalid multibulk length"),
        ("*١\r\n".encode(), "invalid multibulk length"),
        (b"*1\r\nfoo\r\n", "expected '$', got 'f'"),
        (b"*1\r\n\x00\r\n", "expected '$', got '?'"),
        (b"*1\r\n:1\r\n", "expected '$', got ':'"),
        (b"*1\r\n$-1\r\n", "invalid bulk length"),
        (b"*1\r\n$a\r\n", "invalid bulk length"),
        (b"*1\r\n$1048577\r\n", "invalid bulk length"),
        (b"*1\r\n$18446744073709551615\r\n", "invalid bulk length"),
        (b"*2\r\n$1048576\r\n" + b"x" * 1048576 + b"\r\n$1\r\ny\r\n", "too big command"),
        (b"*1\r\n$2\r\nabc\r\n", "a bulk string is longer than its length"),
        (b"*" + b"1" * 70_000, "too big mbulk count string"),
        (b"*1\r\n$" + b"1" * 70_000, "too big bulk count string"),
        (b"a" * 70_000, "too big inline request"),
        (b"set \"a b\r\n", "unbalanced quotes in request"),
        (b"set 'a'b\r\n", "unbalanced quotes in request"),
    ],
)  # fmt: skip
def test_what_is_no_request_is_refused_with_redis_s_words(data: bytes, failure: str) -> None:
    reader = RequestReader(MAX_BULK)
    assert reader.feed(packed(b"PING") + data + b"\r\nPING\r\n") == [[b"PING"]]
    assert reader.failure == failure


def test_what_is_announced_takes_no_memory() -> None:
    reader = RequestReader(1 << 30)
    assert reader.feed(b"*%d\r\n$1073741824\r\nabc" % MAX_WORDS) == []
    assert reader.failure is None
    assert reader.halfway()


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (b"", []),
        (b"  \t ", []),
        (b"set a b", [b"set", b"a", b"b"]),
        (b" set  a\tb ", [b"set", b"a", b"b"]),
        (b'set "a b" c', [b"set", b"a b", b"c"]),
        (rb'"\x41\n\r\t\b\a\q\"" ""', [b'A\n\r\t\b\aq"', b""]),
        (rb'"\x4" "\xzz"', [b"x4", b"xzz"]),
        (rb"'it\'s' '\n'", [b"it's", rb"\n"]),
        (b"a\0b c", [b"a"]),
        (b'ab"c d"', [b"abc d"]),
        ("set é".encode(), [b"set", "é".encode()]),
        (b'"', None),
        (b"'a", None),
        (b'"a"b', None),
        (b"'a''b'", None),
        (b'"a\\"', None),
    ],
)
def test_lines_are_split_as_redis_splits_them(line: bytes, found: list[bytes] | None) -> None:
    assert split_line(line) == found


@pytest.mark.parametrize(
    ("line", "http"),
    [
        (b"GET / HTTP/1.1", True),
        (b"get key http/1.0", True),
        (b"PRI * HTTP/2.0", True),
        (b"POST", True),
        (b" post /x", True),
        (b"Host: 127.0.0.1:7440", True),
        (b"hOsT: x", True),
        (b"GET key", False),
        (b"SET post 1", False),
        (b"SET a HTTP/1.1x", False),
        (b"postal", False),
    ],
)
def test_what_browsers_send_is_known(line: bytes, http: bool) -> None:
    assert looks_like_http(line) is http
