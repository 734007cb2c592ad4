"""Calls as people read them: words, shortened, and without what is secret."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, Final

from kv_protocol.errors import KvError
from kv_protocol.values import octets
from kv_server.spec.catalog import Catalog
from kv_server.spec.command import Command
from kv_server.spec.signature import Block, Element, Many, Param
from kv_server.spec.types import Row

__all__ = ["HIDDEN", "quoted", "shortened", "words_of"]

HIDDEN: Final = b"(redacted)"
_VALUES: Final = ("value", "number")
_LONGEST_VALUE: Final = 64 * 1024  # of one that is decoded to be shown
_ESCAPES: Final = {
    number: f"\\x{number:02x}" for number in (*range(0x20), *range(0x7F, 0x100))
} | {ord(char): f"\\{name}" for char, name in zip('\\"\n\r\t\a\b', '\\"nrtab', strict=True)}  # fmt: skip


def words_of(command: Command, args: list[Any], options: Any, catalog: Catalog) -> list[bytes]:
    """The words of a call, of either door. What came over the native one was perhaps never checked."""
    if not command.spoken:
        return [*command.name.encode().split(), *_native(command, args, options, catalog)]
    if not _tells(command):
        return args
    words, first = list(args), len(command.name.split())
    for at, param in enumerate(command.signature.positional, first):
        if isinstance(param.element, Row) and at < len(words):
            end = len(words) if param.many is Many.TAIL else at + 1
            if param.element.secret:
                words[at:end] = [HIDDEN] * (end - at)
            elif param.element.name == "inner_word" and param.many is Many.TAIL:
                words[at:] = _inner_line(words[at:], catalog)
    return words


@cache
def _tells(command: Command) -> bool:
    """Whether a word of it may be a secret, or a call within the call."""
    elements = [param.element for param in command.signature.positional]
    return any(isinstance(each, Row) and (each.secret or each.name == "inner_word") for each in elements)


def _inner_line(words: list[bytes], catalog: Catalog) -> list[bytes]:
    """A command line within one."""
    try:
        return words_of(catalog.find_spoken(words), words, None, catalog)
    except KvError:
        return [b"(no call)"]


def _native(command: Command, args: list[Any], options: Any, catalog: Catalog) -> Iterator[bytes]:
    params = command.signature.positional
    for at, given in enumerate(args):
        param = params[min(at, len(params) - 1)] if params else None
        if param is not None and isinstance(param.element, Row) and param.element.name == "call":
            yield from _inner(given, catalog)
        else:
            yield from _said(param.element if param is not None else None, given)
    by_word = {param.word.encode(): param for param in command.signature.options}
    for word, given in options.items() if isinstance(options, dict) else ():
        if given is False or given is None:
            continue
        yield word.upper() if type(word) is bytes else str(word).encode()
        if given is not True:
            yield from _said(_element(by_word.get(word)), given)


def _element(param: Param | None) -> Element | None:
    return None if param is None else param.element


def _inner(given: Any, catalog: Catalog) -> Iterator[bytes]:
    """A call within a call."""
    word, args, options = (*given, None, None)[:3] if isinstance(given, (list, tuple)) and given else (given, [], None)
    inner = catalog.commands.get(word) if type(word) is bytes else None
    if inner is None or not isinstance(args, list):
        yield b"(no call)"
    else:
        yield from words_of(inner, args, options, catalog)


def _said(element: Element | None, given: Any) -> Iterator[bytes]:
    """The words of one argument."""
    if isinstance(element, Block) and isinstance(given, list):
        for part, value in zip(element.fields.values(), given, strict=False):
            yield from _said(part, value)
    elif isinstance(given, list):
        for each in given:
            yield from _said(element, each)
    elif isinstance(element, Row) and element.secret:
        yield HIDDEN
    elif type(given) is bytes:
        yield _plain(given) if isinstance(element, Row) and element.name in _VALUES else given
    else:
        yield str(given).encode("utf-8", "replace")


def _plain(blob: bytes) -> bytes:
    """A value as the text door has it, if it is one."""
    if len(blob) > _LONGEST_VALUE:
        return b"(%d bytes)" % len(blob)
    try:
        return octets(blob)
    except Exception:
        return blob


def shortened(words: list[bytes], most: int, longest: int) -> list[bytes]:
    """As much of a call as is kept: *most* words, none above *longest*."""
    left = len(words) - most + 1
    kept = words if left <= 1 else [*words[: most - 1], b"... (%d more arguments)" % left]
    return [
        word if len(word) <= longest else b"%b... (%d more bytes)" % (word[:longest], len(word) - longest)
        for word in kept
    ]


def quoted(word: bytes) -> str:
    """A word in quotes, on one line, in ASCII."""
    return '"' + word.decode("latin-1").translate(_ESCAPES) + '"'
