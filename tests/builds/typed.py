"""Calls for the native door, drawn by dice from the signatures of all its commands."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from random import Random
from typing import Any, Final

from msgpack import packb

from kv_protocol.values import encode
from kv_server.commands import CATALOG
from kv_server.spec.command import Command
from kv_server.spec.signature import Block, Choice, Element, Param, Shape
from tests.engine.rig import NOW_MS, Rig

KEYS: Final = (b"a", b"a", b"a", b"b", b"b", b"c", b"{a}1", b"", b"\xff\x00k", "é".encode(), b"x{t}y", b"absent")
NAMES: Final = (b"m", b"n", b"o", b"1", b"", b"\xff\xfe", b"z" * 70, b"y" * 300)
IDS: Final = (b"-", b"+", b"0", b"*", b">", b"$", b"1-1", b"1800000000000-0", b"1800000000000", b"(1-1")
NAMESPACES: Final = (b"0", b"0", b"0", b"1", b"other", b"\xff{n}")
LOCKS: Final = (b"l", b"a")
REVISION: Final = (NOW_MS // 1000 - 1_735_689_600 << 22) + 1
"""Of the first commit, or one of the first: commits count on from there."""

VALUES: Final[list[Any]] = [
    None, True, False, 0, 1, -1, 5, 127, 128, 255, 256, -32, -33, -128, -129, 2**16, 2**31, 2**32, 2**63 - 1, -(2**63),
    2**63 - 2, 2**63, 2**64 - 1, 2**64, -(2**70), 0.0, -0.0, 1.5, -2.5, 1e300, float("inf"), float("nan"),
    Decimal("1.10"), Decimal("-0"), Decimal("1E-30"), Decimal("Infinity"), "", "5", "-12", "05", "+5", "-0", " 5",
    "9223372036854775807", "9223372036854775806", "9223372036854775808", "-9223372036854775808", "1.5", "plain", "é",
    "x" * 31, "x" * 32, "x" * 255, "x" * 256, "x" * 4_090, "x" * 4_096, "x" * 70_000, b"", b"7", b"-7", b"\xff\x00",
    b"raw", b"y" * 255, b"y" * 256, [], {}, [1, "1", b"1", [None]], {"a": {"b": 1.5}},
    datetime(2031, 5, 6, 7, 8, 9, 120, tzinfo=UTC),
]  # fmt: skip
NUMBERS: Final[list[Any]] = [0, 1, -1, 5, 2**62, 2**63 - 1, 2**63, 1.5, -0.1, Decimal("1.10"), 1e300]
BLOBS: Final = (
    b"",
    b"\xc1",
    b"\xa5short",
    b"\xd9\x01x",
    b"\xcc\x05",
    b"\x05\x05",
    b"\xc5\x00\x01x",
    b"\xcb\x00",
    b"\xda\x00\x01x",
)
"""What is no value, or not in its one form."""


@cache
def dumped() -> list[bytes]:
    """What DUMP makes of a key of every kind, and what is nothing of the sort."""
    client = Rig().connect()
    made = []
    for word, arguments in (
        ("SET", (5,)), ("HSET", ((b"n", 5), (b"", "text"))), ("RPUSH", (5, "text", None)), ("SADD", (b"n", b"7")),
        ("ZADD", ((1.5, b"n"), (-2, b""))), ("XADD", ((b"n", 1),)),
    ):  # fmt: skip
        client.call(word, b"key", *arguments)
        made.append(client.call("DUMP", b"key"))
        client.call("DEL", b"key")
    return [*made, b"", made[1][:-3], made[2] + b"x"]


def _any(*choices: Any) -> Callable[[Random], Any]:
    return lambda dice: dice.choice(choices)


def value(dice: Random) -> bytes:
    """A value, rarely something that is none."""
    if dice.random() < 0.02:
        return dice.choice(BLOBS)
    made: Any = dice.choice(VALUES) if dice.random() < 0.7 else dice.randrange(-300, 300)
    return encode(made)


ROWS: Final[dict[str, Callable[[Random], Any]]] = {
    "key": _any(*KEYS),
    "source_key": _any(*KEYS),
    "taken_key": _any(*KEYS),
    "prefix": _any(b"", b"a"),
    "channel_pattern": _any(b"*", b"c[x]", b"c*"),
    "key_pattern": _any(b"*", b"nosort", b"k*->f", b"#"),
    "secret": _any(b">pass", b"on", b"+get", b"~*", b""),
    "inner_word": _any(b"GET", b"k", b""),
    "lock_name": _any(*LOCKS),
    "channel": _any(b"c", b"", b"cx"),
    "namespace": _any(*NAMESPACES),
    "name": _any(*NAMES),
    "name_text": _any(*NAMES, *IDS, *IDS),
    "pattern": _any(b"*", b"a*", b"[ab]", b"\xff?", b"?"),
    "value": value,
    "number": lambda dice: encode(dice.choice(NUMBERS)),
    "text": lambda dice: dice.choice([b"str", b"int", b"engine", b"GET", b"u8", b"text", b"x" * 300, *dumped()]),
    "octets": lambda dice: dice.choice([b"", b"x", *dumped()]),
    "int": _any(0, 1, 2, -1, -2, 3, 7, 100, 2**40, 2**63 - 1, -(2**63)),
    "float": _any(0, 1, 2, 1.5, -2.0, 13.361389, 38.115556, float("inf"), float("-inf")),
    "bound": _any(0, -1, 3, 1.5, b"0", b"(1.5", b"-inf", b"+inf", b"-", b"+", b"[n", b"(", b"n"),
    "bool": _any(True, False),
    "duration": _any(1, 5, 50, 15_000, 10**9),
    "timeout": _any(0, 1, 50, 10**6),
    "time": _any(1, NOW_MS + 5, NOW_MS + 50, 1_900_000_000_000),
    "version": lambda dice: dice.choice([0, REVISION + dice.randrange(60)]),
    "count": _any(1, 2, 3, 10, 2**63 - 1),
    "size": _any(0, 1, 2, 7, 2**63 - 1),
    "cursor": lambda dice: dice.choice([0, 0, 1 << 48, dice.randrange(1 << 51), dice.getrandbits(64)]),
    "token": lambda dice: dice.choice([0, REVISION + dice.randrange(60)]),
    "call": lambda dice: list(drawn(dice, dice.choice(INNER))),
}

COMMANDS: Final = sorted(CATALOG.commands.values(), key=lambda command: command.name)
INNER: Final[list[Command]] = [
    each
    for each in COMMANDS
    if each.place == "tx"
    and each.name not in ("ATOMIC", "KEYS", "RANDOMKEY", "INFO", "MEMORY USAGE", "NAMESPACE STATS")
]


def drawn(dice: Random, command: Command) -> tuple[bytes, list[Any], dict[bytes, Any] | None]:
    """A call of *command* with arguments that fit its signature, or nearly."""
    arguments: list[Any] = []
    for param in command.signature.positional:
        if param.shape is Shape.TAIL:
            arguments += [_element(dice, param.element) for _ in range(dice.randint(0 if param.empty else 1, 3))]
        elif param.required or dice.random() < 0.5:
            arguments.append(_argument(dice, param))
    share = dice.choice([0, 0, 0.2, 0.5])
    chosen = [param for param in command.signature.options if param.required or dice.random() < share]
    for group in command.declaration.groups:
        rivals = [param for param in chosen if param.name in group]
        if rivals and dice.random() < 0.9:
            kept = dice.choice(rivals)
            chosen = [param for param in chosen if param not in rivals or param is kept]
    options = {param.name.encode(): _argument(dice, param) for param in chosen}
    if dice.random() < 0.03:
        junk: Any = dice.choice([None, True, -1, 2**64 - 1, 1.5, b"", b"\xff" * 300, [], [[]], {}, {b"a": 1}])
        arguments.insert(dice.randint(0, len(arguments)), junk)
    return command.name.encode(), arguments, options or None


def _argument(dice: Random, param: Param) -> Any:
    if not param.several:
        return _element(dice, param.element)
    return [_element(dice, param.element) for _ in range(dice.randint(0 if param.empty else 1, 3))]


def _element(dice: Random, element: Element) -> Any:
    if isinstance(element, Block):
        return [_element(dice, part) for part in element.fields.values()]
    if isinstance(element, Choice):
        return dice.choice(element.words).encode()
    return ROWS[element.name](dice)


def frame(dice: Random, request_id: int, name: bytes, arguments: Any, options: Any = None, meta: Any = None) -> bytes:
    """A request; names are texts where they can be, unless the dice say otherwise."""
    parts = [request_id, name, arguments, options, meta]
    while len(parts) > 3 and parts[-1] is None and dice.random() < 0.9:
        parts.pop()
    if dice.random() < 0.5:
        parts = [request_id, name.decode(), _as_texts(arguments), _as_texts(options), meta][: len(parts)]
    body: bytes = packb(parts)
    return len(body).to_bytes(4, "big") + body


def _as_texts(thing: Any) -> Any:
    """The same with the short names in it as texts; a value stays what it is."""
    if isinstance(thing, bytes) and len(thing) < 40 and thing.isalnum():
        return thing.decode()
    if isinstance(thing, list):
        return [_as_texts(each) for each in thing]
    return {_as_texts(key): each for key, each in thing.items()} if isinstance(thing, dict) else thing
