"""The commands that the shell knows, as `tools/generate.py` wrote them down, and how one is found by its word."""

from collections.abc import Iterable, Sequence
from json import loads
from os.path import dirname, join
from typing import Any, Final

__all__ = ["Row", "WrongUse", "find", "hint", "table"]

Row = dict[str, Any]
"""What is known of a command: see `tools/emitters/words.py`."""

_FILE: Final = join(dirname(__file__), "words.json")
_table: dict[str, Row] = {}


class WrongUse(Exception):
    """What was typed cannot be carried out; the text says what to change."""


def table() -> dict[str, Row]:
    """Every command by its word, in the order of the documentation."""
    if not _table:
        with open(_FILE, encoding="utf-8") as file:
            _table.update(loads(file.read()))
        del _table[""]
    return _table


def find(words: Sequence[str]) -> tuple[str, Row, list[str]] | None:
    """The command that *words* begin with, by its own word or its method's, and the words that follow."""
    known = table()
    for length in (2, 1):
        name = " ".join(words[:length]).upper().replace("-", "_")
        if len(words) >= length and name in known:
            return name, known[name], list(words[length:])
    called = words[0].lower().replace("-", "_")
    for name, row in known.items():
        if row["method"] == called:
            return name, row, list(words[1:])
    return None


def hint(word: str, known: Iterable[str]) -> str:
    """`; did you mean ...?`, if one of *known* is near to *word*."""
    from difflib import get_close_matches

    near = get_close_matches(word, list(known), 1)
    return f"; did you mean {near[0]}?" if near else ""
