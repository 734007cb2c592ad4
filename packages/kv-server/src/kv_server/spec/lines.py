"""Which commands are called by lines of the plainest form: their words are keys, names, values and numbers in a fixed
order, so that they can be read one after the other.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any, Final, NamedTuple

from kv_server.spec.command import Command, View
from kv_server.spec.signature import Block, Param, Shape
from kv_server.spec.types import Row

__all__ = ["Line", "Word", "line_of"]


class Word(IntEnum):
    """What a word is read as."""

    KEY = 1
    NAME = 2
    VALUE = 3
    INT = 4
    FLOAT = 5
    NUMBER = 6


class Line(NamedTuple):
    """The *words* behind the name of a command; those of *rest* may follow again and again. Without words for options
    the reply is made what RESP has by *view* and then by *shape*.
    """

    words: list[Word]
    rest: list[Word]
    view: View | None
    shape: Callable[[Any], Any] | None


_WORDS: Final = {
    "text_name({raw}, {label})": Word.KEY, "{raw}": Word.NAME, "from_octets({raw})": Word.VALUE,
    "text_int({raw})": Word.INT, "text_float({raw})": Word.FLOAT, "text_number({raw})": Word.NUMBER,
}  # fmt: skip


def line_of(command: Command) -> Line | None:
    """The plainest lines that call *command*; None if it has none."""
    declaration, signature = command.declaration, command.signature
    params, tail = signature.positional, signature.tail
    if declaration.grammar is not None or declaration.one_of or not command.hot.common:
        return None
    if any(param.required for param in signature.options):
        return None
    if any(param.shape not in (Shape.FIXED, Shape.TAIL) for param in params):
        return None
    without = [view for view in declaration.views if view.without]
    words = [word for param in params if param.required and param is not tail for word in _words_of(param)]
    rest = _words_of(tail) if tail is not None and not tail.empty else []
    if rest:
        told_apart = not (declaration.selects or any(view.tokens for view in declaration.views)) and all(
            param.native for param in signature.options
        )
        absent = any(not param.required and param is not tail for param in params)
        if without or absent or not (told_apart or rest[0] is Word.FLOAT):
            return None
    known = [word for word in (*words, *rest) if word is not None]
    if not known or len(known) < len(words) + len(rest):
        return None
    view = without[-1] if without else command.plain_view
    return Line(known[: len(words)], known[len(words) :], view, command.shape_of(view))


def _words_of(param: Param) -> list[Word | None]:
    """As what the words of a parameter are read; None for what is not so simple."""
    element = param.element
    if isinstance(element, Block) and not param.several:
        return [None]
    elements = element.fields.values() if isinstance(element, Block) else [element]
    return [_WORDS.get(each.text) if isinstance(each, Row) else None for each in elements]
