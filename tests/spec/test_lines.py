"""Lines of the plainest form: what a command declares says as what their words are read."""

from __future__ import annotations

import pytest

from kv_server.commands import CATALOG
from kv_server.spec.lines import Word, line_of

KEY, NAME, VALUE, INT, FLOAT = Word.KEY, Word.NAME, Word.VALUE, Word.INT, Word.FLOAT


@pytest.mark.parametrize(
    "command, words, rest",
    [
        (b"GET", [KEY], []),
        (b"SET", [KEY, VALUE], []),
        (b"EXPIRE", [KEY, INT], []),
        (b"LPOP", [KEY], []),
        (b"RPUSH", [KEY], [VALUE]),
        (b"HSET", [KEY], [NAME, VALUE]),
        (b"ZADD", [KEY], [FLOAT, NAME]),
        (b"MSET", [], [KEY, VALUE]),
    ],
)
def test_the_words_of_a_line_are_read_as_they_are_declared(command: bytes, words: list[Word], rest: list[Word]) -> None:
    line = line_of(CATALOG.spoken[command])
    assert line is not None and (line.words, line.rest) == (words, rest)


@pytest.mark.parametrize("command", [b"BLPOP", b"EXEC", b"PING", b"XADD", b"SUBSCRIBE", b"ZUNION"])
def test_a_command_whose_words_say_what_follows_or_that_waits_has_no_such_line(command: bytes) -> None:
    assert line_of(CATALOG.spoken[command]) is None


def test_with_no_count_a_pop_is_answered_as_one_value() -> None:
    line = line_of(CATALOG.spoken[b"LPOP"])
    assert line is not None and line.view is not None and line.view.without
