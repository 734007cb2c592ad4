"""Properties of all commands: both doors bind the same call, and whatever is sent raises a command error at most."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kv_protocol import limits
from kv_protocol.errors import CommandError
from kv_protocol.values import from_octets, int_blob
from kv_server.commands import CATALOG
from kv_server.spec import Catalog, Command, Door
from kv_server.spec.categories import CATEGORIES
from kv_server.spec.signature import Block, Choice, Element, Many, Param, Shape
from kv_server.spec.types import MAX_TIME_MS, Row

Draw = Callable[[st.SearchStrategy[Any]], Any]
INT64 = st.integers(-(2**63), 2**63 - 1)
NAMES = st.binary(max_size=6)
SPELLED: dict[str, st.SearchStrategy[Any]] = {
    "int": INT64,
    "version": st.integers(0, 2**63 - 1),
    "count": st.integers(1, 2**63 - 1),
    "size": st.integers(0, 2**63 - 1),
    "cursor": st.integers(0, 2**64 - 1),
    "token": st.integers(0, 2**64 - 1),
    "bool": st.booleans(),
    "float": st.floats(allow_nan=False),
    "timeout": st.integers(0, 10**6),
}


def element(draw: Draw, kind: Element, scale: int) -> tuple[list[bytes], Any]:
    """One element as words and as it travels natively."""
    if isinstance(kind, Block):
        parts = [element(draw, part, scale) for part in kind.fields.values()]
        return [word for words, _ in parts for word in words], [wire for _, wire in parts]
    if isinstance(kind, Choice):
        word = draw(st.sampled_from(kind.words)).encode()
        return [draw(st.sampled_from([word, word.lower(), word.swapcase()]))], word
    return row(draw, kind, scale)


def row(draw: Draw, kind: Row, scale: int) -> tuple[list[bytes], Any]:
    if kind.name in ("duration", "time"):
        most = limits.MAX_TTL_MS if kind.name == "duration" else MAX_TIME_MS
        number = draw(st.integers(1, most // scale))
        return [b"%d" % number], number * scale
    if kind.name in SPELLED:
        value = draw(SPELLED[kind.name])
        return [repr(value).lower().encode()], value * scale if kind.name == "timeout" else value
    if kind.name == "number":
        number = draw(INT64)
        return [b"%d" % number], int_blob(number)
    word = draw(st.text(max_size=6)).encode() if kind.name == "text" else draw(NAMES)
    return [word], from_octets(word) if kind.name == "value" else word


def several(draw: Draw, param: Param, scale: int, *, exactly: int | None = None) -> tuple[list[bytes], list[Any]]:
    low = 0 if param.empty and param.many is not Many.AGAIN else 1
    count = draw(st.integers(low, 4)) if exactly is None else exactly
    parts = [element(draw, param.element, scale) for _ in range(count)]
    return [word for words, _ in parts for word in words], [wire for _, wire in parts]


def option(draw: Draw, param: Param, counts: dict[str, int]) -> tuple[list[bytes], Any]:
    """A token with what follows it, and the option as it travels."""
    if param.shape is Shape.CHOICE:
        return element(draw, param.element, 1)
    token = draw(st.sampled_from(param.tokens))
    word = draw(st.sampled_from([token.word, token.word.lower()])).encode()
    if param.shape is Shape.TOKEN:
        return [word], True
    if param.many is Many.ONE:
        words, wire = element(draw, param.element, token.scale)
        return [word, *words], wire
    words, wire = several(draw, param, token.scale, exactly=counts.get(param.same or ""))
    if param.many is Many.AGAIN:
        return [part for each in words for part in (word, each)], wire
    return [word, *([b"%d" % len(wire)] if param.many is Many.COUNTED else []), *words], wire


@st.composite
def calls(draw: Draw, command: Command) -> tuple[list[bytes], list[Any], dict[bytes, Any]]:
    """One call of *command* on both doors."""
    head: list[bytes] = command.name.encode().split()
    args: list[Any] = []
    counts: dict[str, int] = {}
    tail: list[bytes] = []
    more = True
    for param in command.signature.positional:
        if param.shape is Shape.TAIL:
            tail, wire = several(draw, param, param.scale)
            args += wire
        elif param.shape is Shape.COUNTED:
            words, wire = several(draw, param, param.scale)
            head += [b"%d" % len(wire), *words]
            counts[param.name] = len(wire)
            args.append(wire)
        elif more := more and (param.required or draw(st.booleans())):
            words, wire = element(draw, param.element, param.scale)
            head += words
            args.append(wire)
    options: dict[bytes, Any] = {}
    lines: list[list[bytes]] = []
    taken: set[tuple[str, ...]] = set()
    for param in command.signature.options:
        groups = {group for group in command.declaration.groups if param.name in group}
        last = any(param.name == group[-1] for group in command.declaration.one_of)
        if param.native or groups & taken or not (param.required or last or draw(st.booleans())):
            continue
        taken |= groups
        if param.shape is Shape.LAST:
            words, options[param.word.encode()] = element(draw, param.element, param.scale)
            tail += words
        else:
            words, options[param.word.encode()] = option(draw, param, counts)
            lines.append(words)
    shuffled = draw(st.permutations(lines))
    return [*head, *(word for words in shuffled for word in words), *tail], args, options


@given(st.data())
def test_both_doors_bind_the_same_call(hard: Catalog, data: st.DataObject) -> None:
    both = [c for c in (*hard, *CATALOG) if c.declaration.doors == Door.NATIVE | Door.RESP]
    command = data.draw(st.sampled_from([c for c in both if c.declaration.grammar is None]))
    words, args, options = data.draw(calls(command))
    assert command.bind_text(words)[:3] == command.bind_typed(args, options)[:3], (command, words)


TOKENS = st.sampled_from(
    b"EX PX NX XX GT LT CH KEEPTTL GET LIMIT WEIGHTS AGGREGATE SUM FIELDS COUNT WITHSCORES MATCH 0 1 -1 2 inf".split()
)
LEAVES = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.binary(max_size=8)
WIRE = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(LEAVES, inner, max_size=2))


@given(st.data(), st.lists(TOKENS | NAMES, max_size=10))
def test_random_words_raise_nothing_but_command_errors(hard: Catalog, data: st.DataObject, words: list[bytes]) -> None:
    command = data.draw(st.sampled_from([*hard, *CATALOG]))
    try:
        bound = command.bind_text([*command.name.encode().split(), *words])
    except CommandError:
        return
    for key, _ in command.keys(bound):
        assert type(key) is bytes


@given(st.data(), st.lists(WIRE, max_size=5), WIRE | st.dictionaries(st.binary(max_size=4), WIRE, max_size=3))
def test_random_arguments_raise_nothing_but_command_errors(
    hard: Catalog, data: st.DataObject, args: list[Any], options: Any
) -> None:
    command = data.draw(st.sampled_from([*hard, *CATALOG]))
    names = [param.word.encode() for param in command.signature.options]
    named: bool = data.draw(st.booleans())
    if names and named:
        options = data.draw(st.dictionaries(st.sampled_from(names), WIRE, max_size=3))
    offered: list[Any] = [args, args[0] if args else None]
    try:
        bound = command.bind_typed(data.draw(st.sampled_from(offered)), options)
    except CommandError:
        return
    for key, _ in command.keys(bound):
        assert type(key) is bytes


@pytest.mark.parametrize("command", CATALOG, ids=lambda command: command.name)
def test_every_command_says_what_it_is(command: Command) -> None:
    assert command.doc, "a command's docstring is its documentation"
    assert command.usage.startswith(command.name)
    assert set(command.acl) <= set(CATEGORIES)
    assert command.schema["arguments"]["type"] == "object"
