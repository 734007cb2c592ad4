"""What may come next at the prompt: commands, options, choices, and of the server its keys, locks and namespaces."""

import asyncio
import shlex
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Any, Final

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from kv_client.shell._grammar import dashed, width
from kv_client.shell._table import Row, find, table
from kv_client.shell._toolbox import TOOLS
from kv_protocol.errors import KvError
from kv_protocol.names import text, wire

__all__ = ["OWN_WORDS", "Words"]

OWN_WORDS: Final = ("use", "timing", "help", "exit")
_BUDGET_S: Final = 0.05  # what completion may take of a person's time
_MOST: Final = 50
_PAGE: Final = 1_000
_GLOB: Final = str.maketrans({char: f"\\{char}" for char in "*?[]\\"})

Call = Callable[[str, Sequence[Any], dict[str, Any] | None], Awaitable[Any]]
"""Asks the server, in the namespace of the prompt."""


class Words(Completer):
    """Completes the word before the cursor. Nothing comes late: who types on is not waited for."""

    def __init__(self, call: Call) -> None:
        self._call = call

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        return ()

    async def get_completions_async(
        self, document: Document, complete_event: CompleteEvent
    ) -> AsyncGenerator[Completion, None]:
        before, word = split(document.text_before_cursor)
        try:
            async with asyncio.timeout(_BUDGET_S):
                found = [each async for each in self._candidates(before, word)]
        except (KvError, TimeoutError):
            return
        for each in found:
            yield Completion(shlex.quote(each) if each else "''", start_position=-len(word), display=each)

    async def _candidates(self, before: list[str], word: str) -> AsyncIterator[str]:
        if not before:
            known = {name.lower() for name in table()} | {*TOOLS, *OWN_WORDS}
            for each in sorted(known):
                if each.startswith(word.lower()) and not (" " in each and each.partition(" ")[0] in known):
                    yield each.partition(" ")[0] if " " in each else each
            return
        if len(before) == 1:
            for name in table():
                first, _, second = name.lower().partition(" ")
                if second and first == before[0].lower() and second.startswith(word.lower()):
                    yield second
        kinds = list(expected(before, word))
        for kind in kinds:
            if isinstance(kind, list):
                for each in kind:
                    if each.lower().startswith(word.lower()):
                        yield each
            elif kind in _ASKED:
                async for each in self._named(kind, word):
                    yield each

    async def _named(self, kind: str, word: str) -> AsyncIterator[str]:
        """What the server has that begins with *word*."""
        if kind == "key":
            async for each in self._keys(word):
                yield each
            return
        said = await self._call(_ASKED[kind], (), None)
        for name in sorted({text(each if kind == "namespace" else each[0]) for each in said}):
            if name.startswith(word):
                yield name

    async def _keys(self, word: str) -> AsyncIterator[str]:
        """Keys that begin with *word*: as many as are found in the time there is."""
        found: list[str] = []
        cursor = 0
        options = {"match": wire(word.translate(_GLOB) + "*"), "count": _PAGE}
        try:
            async with asyncio.timeout(_BUDGET_S * 0.8):
                while len(found) < _MOST:
                    cursor, keys = await self._call("SCAN", (cursor,), options)
                    found += map(text, keys)
                    if not cursor:
                        break
        except TimeoutError:
            pass
        for each in sorted(found)[:_MOST]:
            yield each


_ASKED: Final = {"key": "SCAN", "namespace": "NAMESPACE LIST", "lock_name": "LOCKS"}


def split(line: str) -> tuple[list[str], str]:
    """The words before the one at the end of *line*, and that; an open quote is taken for closed."""
    for closing in ("", "'", '"'):
        try:
            words = shlex.split(line + closing)
        except ValueError:
            continue
        return (words, "") if not words or (line[-1:].isspace() and not closing) else (words[:-1], words[-1])
    return [], ""


def expected(before: list[str], word: str) -> Iterable[Any]:
    """What the next word may be: types of parameters, and lists of words."""
    if before == ["use"]:
        yield "namespace"
    elif before == ["timing"]:
        yield ["on", "off"]
    elif before[0] == "help":
        yield sorted({name.lower().partition(" ")[0] for name in table()} | TOOLS.keys()) if len(before) == 1 else []
    elif (found := find(before)) is not None:
        _, row, rest = found
        named = {dashed(param): param for param in row["params"] if param.get("option")}
        open_option = next((named[last] for last in rest[-1:] if last in named and width(named[last])), None)
        if open_option is not None:
            yield open_option["type"]
        elif word.startswith("--"):
            yield [*named, "--json", "--text"]
        else:
            yield from _place(row, rest, named)


def _place(row: Row, rest: list[str], named: dict[str, Row]) -> Iterable[Any]:
    """The type of the positional parameter that the next word is for."""
    places = 0
    words = iter(rest)
    for word in words:
        if word in named:
            for _, _ in zip(range(width(named[word])), words, strict=False):
                pass
        elif not word.startswith("--"):
            places += 1
    params = [param for param in row["params"] if not param.get("option")]
    for at, param in enumerate(params):
        kind = param["type"]
        if param.get("many"):
            fields = kind["fields"] if isinstance(kind, dict) else [["", kind]]
            yield fields[(places - at) % len(fields)][1]
            return
        if at == places:
            yield kind
            return
