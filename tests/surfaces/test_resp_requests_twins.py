"""The native reader of requests and the plain one: fed alike, they give and refuse alike."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kv_server.surfaces import resp_requests as native
from tests.surfaces.talk import packed
from tests.surfaces.twins import plain_twin

plain: Any = plain_twin(native)

MAX_BULK = 128 * 1024  # beyond what one feed below holds
words = st.lists(
    st.binary(max_size=30)
    | st.sampled_from([b"", b"\r\n", b"$3", b"*1\r\n$4\r\nPING\r\n", b"GET", b"x" * 1_500, b"y" * 17_000, b"get"]),
    min_size=1,
    max_size=9,
)
sizes = st.integers(-3, 300) | st.sampled_from(
    [b"01", b"-0", b"+1", b" 1", b"1_0", b"16384", b"16385", b"131073", b"9" * 18, b"9" * 19, b"9" * 20,
     b"-" + b"9" * 19]
)  # fmt: skip
noise = (
    st.binary(max_size=40)
    | st.text("*$-0123456789\r\nGETset \"'\\x", max_size=40).map(str.encode)
    | st.builds(lambda mark, size: b"%b%b\r\n" % (mark, b"%d" % size if isinstance(size, int) else size),
                st.sampled_from([b"*", b"$"]), sizes)
    | st.sampled_from([b"*0\r\n", b"*-1\r\n", b"\r\n", b"GET k\r\n", b"set 'a b' \"\\x41\"\n", b"POST / HTTP/1.1\r\n",
                       b"*" + b"1" * 66_000, b"$" + b"1" * 66_000, b"a" * 66_000, b"*2\r\n$1\r\na\r\n", b"*3\r\n"])
)  # fmt: skip
conversations = st.lists(words.map(lambda each: packed(*each)) | noise, max_size=8).map(b"".join)


def shown(reader: Any, found: list[list[bytes]]) -> tuple[Any, ...]:
    return found, reader.failure, reader.http, reader.halfway()


@settings(max_examples=500)
@given(conversations, st.data())
def test_they_read_alike(conversation: bytes, data: st.DataObject) -> None:
    readers = [module.RequestReader(MAX_BULK) for module in (plain, native)]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(conversation)), max_size=9)))
    for start, stop in zip([0, *cuts], [*cuts, len(conversation)], strict=True):
        wary = data.draw(st.sampled_from([False, False, True]))
        told = []
        for reader in readers:
            reader.wary = wary
            found = reader.feed(conversation[start:stop])
            while wary and found and reader.halfway() and reader.failure is None:  # as a connection asks for the next
                more = reader.feed(b"")
                if not more:
                    break
                found += more
            told.append(shown(reader, found))
        assert told[0] == told[1]


@settings(max_examples=200)
@given(st.lists(words, min_size=1, max_size=5), st.integers(1, 7))
def test_they_read_alike_piece_by_piece(commands: list[list[bytes]], step: int) -> None:
    readers = [module.RequestReader(MAX_BULK) for module in (plain, native)]
    conversation = b"".join(packed(*each) for each in commands)
    for start in range(0, len(conversation), step):
        told = [shown(reader, reader.feed(conversation[start : start + step])) for reader in readers]
        assert told[0] == told[1]


@pytest.mark.parametrize("count", [63, 64, 65, 256, 257, 3_000])
def test_commands_of_many_words_are_read_alike(count: int) -> None:
    data = packed(*[b"%d" % number for number in range(count)]) * 3
    assert native.RequestReader(MAX_BULK).feed(data) == plain.RequestReader(MAX_BULK).feed(data)


def test_input_that_is_no_bytes_is_refused() -> None:
    wrong: list[Any] = [None, bytearray(b"PING\r\n"), "PING\r\n"]
    for data in wrong:
        with pytest.raises(TypeError):
            native.RequestReader(MAX_BULK).feed(data)


def test_what_was_read_is_let_go() -> None:
    reader = native.RequestReader(MAX_BULK)
    whole, cut = packed(b"SET", b"k" * 50, b"v" * 500) * 20, packed(b"SET", b"k" * 50, b"v" * 70_000)

    def read() -> None:
        assert len(reader.feed(whole)) == 20
        assert [reader.feed(cut[:1_000]), len(reader.feed(cut[1_000:]))] == [[], 1]
        broken = native.RequestReader(MAX_BULK)
        assert broken.feed(whole + b"*2\r\n$1\r\na\r\n$1\r\nab\r\n") and broken.failure

    read()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(200):
            read()
        assert tracemalloc.get_traced_memory()[0] - before < 20_000
    finally:
        tracemalloc.stop()
