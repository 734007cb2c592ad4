"""Calls by chance: any command of the catalog with arguments that fit its signature, few names so that calls meet."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, Final

from kv_protocol.values import encode
from kv_server.commands import CATALOG
from kv_server.engine.rows import LOCK_DROP, LOCK_EXTEND, LOCK_GRANT
from kv_server.spec.command import Command, Door, Flag
from kv_server.spec.signature import Block, Choice, Element, Param, Shape

PLAIN: Final = (b"a", b"{t}a", b"", b"b", b"c", b"\xff")
KEYS: Final = (*PLAIN * 7, b"hash", b"list", b"set", b"zset", b"stream")
NAMESPACES: Final = (b"0", b"0", b"0", b"1", b"other")
VALUES: Final = tuple(map(encode, (5, "text", None, [1, {"a": None}], b"\xff\x00", 1.5, "7", -3, "x" * 700)))
NAMES: Final = (b"n", b"", b"\xff", b"m")
IDS: Final = (b"-", b"+", b"0", b"*", b">", b"$", b"1800000000000-0", b"1800000000000", b"(1-1")

Pick = Callable[[Random], Any]


def one_of(*choices: Any) -> Pick:
    return lambda dice: dice.choice(choices)


ROWS: Final[dict[str, Pick]] = {
    "key": one_of(*KEYS),
    "source_key": one_of(*KEYS),
    "taken_key": one_of(*KEYS),
    "prefix": one_of(b"", b"k"),
    "channel_pattern": one_of(b"*"),
    "key_pattern": one_of(b"*", b"nosort"),
    "secret": one_of(b"on", b"+get"),
    "inner_word": one_of(b"GET"),
    "lock_name": one_of(b"l", b"k"),
    "channel": one_of(b"c"),
    "namespace": one_of(*NAMESPACES),
    "name": one_of(*NAMES),
    "name_text": one_of(*NAMES, *IDS),
    "pattern": one_of(b"*", b"a*"),
    "value": one_of(*VALUES),
    "number": one_of(*map(encode, (1, -2, 1.5))),
    "text": one_of(b"text", b"", b"x" * 300),
    "octets": one_of(b"", b"7", b"\xff", b"y" * 40),
    "int": one_of(0, 1, -1, 3, 2**40),
    "float": one_of(0, 1.5, -2.0, float("inf")),
    "bound": one_of(0, -1, 3, 1.5, b"0", b"(1.5", b"-inf", b"+inf", b"-", b"+", b"[n", b"("),
    "bool": one_of(True, False),
    "duration": one_of(1, 50, 3_000, 10**9),
    "timeout": one_of(1, 500, 10**6),
    "time": one_of(1, 1_800_000_000_050, 1_900_000_000_000),
    "version": one_of(0, 1),
    "count": one_of(1, 2, 2**63 - 1),
    "size": one_of(0, 2, 2**63 - 1),
    "cursor": one_of(0),
    "token": one_of(0),
}

HOMES: Final = {"hash": b"hash", "list": b"list", "set": b"set", "zset": b"zset", "stream": b"stream"}
"""Which key the commands of a group mostly meet at."""

LIKELY: Final = (
    "SET", "SET", "INCR", "APPEND", "HSET", "HDEL", "RPUSH", "LPUSH", "LPOP", "SADD", "SREM", "SPOP", "ZADD", "ZREM",
    "ZUNIONSTORE", "XADD", "XADD", "XGROUP CREATE", "XREADGROUP", "XREADGROUP", "XACK", "XDEL", "XTRIM", "XCLAIM",
    "DEL",
    "RENAME", "COPY", "MOVE", "EXPIRE", "LOCK", "LOCK", "UNLOCK", "EXTEND", "SORTSTORE", "LMOVE",
)  # fmt: skip
"""What is called more often than the rest."""

_OTHERS: Final = [
    command
    for command in CATALOG
    if command.flags & Flag.WRITE and command.place == "tx" and Door.NATIVE in command.declaration.doors
]
_MOST: Final = 3

LINES: Final = (
    "SET a 1", "INCR b", "SWAPDB 0 1", "SELECT 1", "SELECT 0", "MOVE a 1", "COPY list list2 DB 1 REPLACE", "FLUSHALL",
    "MULTI", "MULTI", "EXEC", "EXEC", "DISCARD", "RPUSH list x y", "SORT list ALPHA STORE b", "HSET hash f 1",
    "BLPOP list 1", "EXPIRE a 3", "ZADD zset 1 n", "PUBLISH c text", "LOCK l", "DEL a b", "XADD stream * f v",
)  # fmt: skip
"""What the connection of the text door says."""


class Chance:
    """Draws calls. *token* tells the last token that a lock was granted with, *ids* are ids of streams met."""

    def __init__(self, dice: Random) -> None:
        self.dice = dice
        self.tokens = [1]
        self.ids = [b"1-1"]
        self._home = b""

    def command(self) -> Command:
        """A command that writes."""
        if self.dice.random() < 0.7:
            return CATALOG[self.dice.choice(LIKELY)]
        return self.dice.choice(_OTHERS)

    def call(self) -> tuple[Command, list[Any], dict[bytes, Any] | None]:
        """A command with its arguments; sometimes a block of some."""
        if self.dice.random() < 0.1:
            inner = [self._inner() for _ in range(self.dice.randrange(1, 4))]
            return CATALOG["ATOMIC"], inner, None
        command = self.command()
        return command, *self.arguments(command)

    def _inner(self) -> list[Any]:
        command = self.command()
        args, options = self.arguments(command)
        return [command.name.encode(), args, options]

    def arguments(self, command: Command) -> tuple[list[Any], dict[bytes, Any] | None]:
        """Arguments that fit the signature of *command*, as they come off the wire."""
        dice = self.dice
        self._home = HOMES.get(command.declaration.group, b"")
        args: list[Any] = []
        for param in command.signature.positional:
            if param.shape is Shape.TAIL:
                args += [self._element(param.element) for _ in range(dice.randint(0 if param.empty else 1, _MOST))]
            elif param.required or dice.random() < 0.5:
                args.append(self._argument(param))
        chosen = [param for param in command.signature.options if param.required or dice.random() < 0.15]
        for group in command.declaration.groups:
            rivals = [param for param in chosen if param.name in group]
            chosen = [param for param in chosen if param not in rivals[1:]]
        return args, {param.name.encode(): self._argument(param) for param in chosen} or None

    def _argument(self, param: Param) -> Any:
        if not param.several:
            return self._element(param.element)
        return [self._element(param.element) for _ in range(self.dice.randint(0 if param.empty else 1, _MOST))]

    def _element(self, element: Element) -> Any:
        if isinstance(element, Block):
            return [self._element(part) for part in element.fields.values()]
        if isinstance(element, Choice):
            return self.dice.choice(element.words).encode()
        if element.name in ("key", "source_key") and self._home and self.dice.random() < 0.85:
            return self._home
        if element.name == "name_text" and self._home == b"stream":
            return self.dice.choice((b"n", b"n", *self.ids, self.dice.choice(IDS)))
        if element.name == "token":
            return self.dice.choice(self.tokens)
        return ROWS[element.name](self.dice)


def about_locks(rows: list[tuple[Any, ...]]) -> bool:
    """Whether *rows* grant, extend or release a lock."""
    return any(row[0] in (LOCK_GRANT, LOCK_EXTEND, LOCK_DROP) for row in rows)
