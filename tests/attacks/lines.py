"""A line for every command, with the keys in it, and calls of the native door with everything they can name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from kv_protocol.values import encode
from kv_server.commands import CATALOG
from kv_server.spec.command import Command, Door, Flag, Named
from kv_server.spec.signature import Block, Choice, Element, Param
from tests.redis.canonical import LINES

MORE = (
    "GETENTRY k", "FENCED l 1 PING", "RATELIMIT k 5 1", "BRATELIMIT k 5 1", "LOCK l", "UNLOCK l 1",
    "EXTEND 1000 l 1", "BREAK l", "LOCKS", "LEASES", "NAMESPACE LIST", "NAMESPACE STATS 0", "NAMESPACE DROP 9",
    "SORT k BY w_* GET o_* STORE t", "GEORADIUS k 1 2 3 km STORE t", "COPY k t DB 0", "MOVE k 3",
    "XREAD STREAMS k t 0 0",
    "XREADGROUP GROUP g c STREAMS k t > >", "ZUNIONSTORE d 2 k t", "BLMPOP 0.01 2 k t LEFT", "SET k v IFEQ x",
    "SET k v GET", "ZADD k INCR 1 m", "EVAL x 0",
)  # fmt: skip
SAMPLES: dict[str, Any] = {
    "lock_name": b"l", "channel": b"c", "namespace": b"0", "name": b"n", "pattern": b"*", "channel_pattern": b"p*",
    "key_pattern": b"nosort", "value": encode(1), "number": encode(1), "text": b"str", "name_text": b"1-1",
    "octets": b"7", "secret": b"on", "inner_word": b"PING", "int": 1, "float": 1.5, "bound": 0, "bool": True,
    "duration": 50, "timeout": 1, "time": 1_900_000_000_000, "version": 1, "count": 1, "size": 1, "cursor": 0,
    "token": 1, "call": [b"GET", [b"K0"], None],
}  # fmt: skip


class Call(NamedTuple):
    """A native call with what it names."""

    command: Command
    args: list[Any]
    options: dict[bytes, Any]
    names: list[Named]


def lines() -> Iterator[tuple[Command, list[bytes]]]:
    """Lines of all commands of the text door that can be read."""
    canonical = (call for calls in LINES.values() for call in calls if b"<token>" not in call)
    calls = [*map(list, canonical)] + [line.encode().split() for line in MORE]
    seen: set[tuple[bytes, ...]] = set()
    for words in calls:
        first = words[0].upper()
        known = (
            CATALOG.words.get(first + b" " + words[1].upper()) if first in CATALOG.first_words and words[1:] else None
        )
        if (known or CATALOG.words.get(first)) is not None and tuple(words) not in seen:
            seen.add(tuple(words))
            yield CATALOG.find_spoken(words), words


def keyed_lines() -> list[tuple[Command, list[bytes], list[Named]]]:
    """Those that name keys or locks, each with these."""
    found = []
    for command, words in lines():
        invocation = command.bind_text(words)
        names = [named for named in invocation.command.names(invocation) if named.kind in ("key", "lock")]
        if names:
            found.append((command, words, names))
    return found


def native_calls() -> list[Call]:
    """A call of every native command with as many arguments as it can have, its keys all different."""
    found = []
    for command in CATALOG:
        if Door.NATIVE in command.declaration.doors:
            found += [made for option in (None, *command.signature.options) if (made := native_call(command, option))]
    return found


def native_call(command: Command, option: Param | None) -> Call | None:
    """A call with one *option* beside those that must be; None if that does not bind."""
    numbers = iter(range(1000))

    def one(element: Element) -> Any:
        if isinstance(element, Block):
            return [one(part) for part in element.fields.values()]
        if isinstance(element, Choice):
            return element.words[0].encode()
        if element.kind in ("key", "prefix"):
            return b"K%d" % next(numbers)
        return SAMPLES[element.name]

    def given(param: Param) -> Any:
        return [one(param.element)] if param.several else one(param.element)

    args: list[Any] = []
    for param in command.signature.positional:
        if param is command.signature.tail:
            args += [one(param.element), one(param.element)]
        else:
            args.append(given(param))
    chosen = [param for param in command.signature.options if param.required or param is option]
    for group in command.declaration.one_of:
        if not any(param.name in group for param in chosen):
            chosen.append(next(param for param in command.signature.options if param.name in group))
    options = {param.word.encode(): given(param) for param in chosen}
    try:
        invocation = command.bind_typed(args, options)
    except Exception:
        return None
    return Call(command, args, options, command.names(invocation))


def needs(named: Named, access: Flag) -> bool:
    """Whether a user with *access* alone may not use *named* as it is used."""
    return named.access & access != named.access
