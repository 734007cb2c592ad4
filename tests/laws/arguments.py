"""Arguments for any command, drawn from its own signature, and a store furnished so that they mean something."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from hypothesis import strategies as st

from kv_protocol.errors import KvError
from kv_protocol.messages import NAMESPACE
from kv_protocol.values import encode
from kv_server.spec.command import Command
from kv_server.spec.signature import Block, Choice, Element, Param, Shape
from tests.commands.calls import KEYS, LOCKS, NAMESPACES, floats, ints, octets, texts, values
from tests.engine.rig import Rig, kept_answers, picture

Draw = Callable[[st.SearchStrategy[Any]], Any]


COLLECTIONS: Final[dict[bytes, tuple[str, list[Any]]]] = {
    b"hash": ("HSET", [(b"n", 5), (b"", "text"), (b"\xff", 1.5)]),
    b"list": ("RPUSH", [5, "text", None, 5]),
    b"set": ("SADD", [b"n", b"", b"m"]),
    b"zset": ("ZADD", [(1.5, b"n"), (-2, b""), (1.5, b"m")]),
    b"stream": ("XADD", [(b"n", 1), (b"", "text")]),
    b"places": ("GEOADD", [(13.361389, 38.115556, b"n"), (15.087269, 37.502669, b"\xff")]),
}
"""Collections to be there, and how each comes to be."""


STREAM_IDS: Final = (b"-", b"+", b"0", b"*", b">", b"$", b"1800000000000-0", b"1800000000000", b"(1-1")


class Stage:
    """A strict rig with keys of every class, some past their deadline, and with locks that are held and waited for."""

    def __init__(self) -> None:
        self.rig = Rig()
        self.caller = self.rig.connect("caller")
        self.other = self.rig.connect("other")
        self.versions: list[int] = [0]
        self.tokens: list[int] = [0]
        for space in NAMESPACES[:2]:
            self.furnish({NAMESPACE: space})
        self.stale = [KEYS[2], KEYS[6]]
        for key in self.stale:
            self.caller.call("SET", key, "soon gone", ttl=1)
        self.rig.pass_unnoticed(1)  # its deadline has come, and expiry has not run yet
        self.start = len(self.rig.commits)
        self.rig.harden()

    def furnish(self, meta: dict[int, bytes]) -> None:
        caller, other = self.caller, self.other
        contents = [5, "text", None, [1, {"a": None}], b"\xff\x00", 1.5]
        for key, value in zip(KEYS[:6], contents, strict=True):
            self.versions.append(caller.send("SET", [key, value], {"ttl": 50 if value == 5 else None}, meta))
        for key, (word, elements) in COLLECTIONS.items():
            caller.send(word, [key, *elements], None, meta)
        caller.send("XGROUP CREATE", [b"stream", b"n", "0"], None, meta)
        caller.send("XREADGROUP", [b"n", b"\xff", (b"stream", ">")], None, meta)
        self.tokens.append(caller.send("LOCK", [LOCKS[0]], {"ttl": 100}, meta)[0])
        self.tokens.append(other.send("LOCK", [LOCKS[1]], None, meta)[0])
        other.send("LOCK", [LOCKS[0]], {"wait": 50}, meta)
        other.send("BLPOP", [b"absent"], {"wait": 50}, meta)

    def new_rows(self) -> list[tuple[Any, ...]]:
        return [row for commit in self.rig.commits[self.start :] for row in commit.effects]


def _sampled(*choices: Any) -> Callable[[Stage], st.SearchStrategy[Any]]:
    return lambda stage: st.sampled_from(choices)


def _blob(stage: Stage) -> st.SearchStrategy[Any]:
    return (values | st.sampled_from([5, "text", None])).map(encode)


ROWS: Final[dict[str, Callable[[Stage], st.SearchStrategy[Any]]]] = {
    "key": _sampled(*KEYS, b"absent", *COLLECTIONS),
    "source_key": _sampled(*KEYS, b"absent", *COLLECTIONS),
    "taken_key": _sampled(*KEYS, b"absent", *COLLECTIONS),
    "prefix": _sampled(b"", b"k"),
    "channel_pattern": _sampled(b"*", b"c[x]"),
    "key_pattern": _sampled(b"*", b"nosort", b"k*->f"),
    "secret": _sampled(b">pass", b"on", b"+get", b""),
    "inner_word": _sampled(b"GET", b"k", b""),
    "lock_name": _sampled(*LOCKS, b"absent"),
    "channel": _sampled(b"c", b""),
    "namespace": _sampled(*NAMESPACES, b"absent"),
    "name": _sampled(b"n", b"", b"\xff"),
    "name_text": _sampled(b"n", b"", b"\xff", *STREAM_IDS),
    "pattern": _sampled(b"*", b"a*", b"[ab]", b"\xff?"),
    "value": _blob,
    "number": lambda stage: (ints | floats).map(encode),
    "text": lambda stage: st.sampled_from([b"str", b"int", b"engine", b"GET", b"x" * 300]) | texts.map(str.encode),
    "octets": lambda stage: octets,
    "int": _sampled(0, 1, -1, 3, 2**40, 2**63 - 1, -(2**63)),
    "float": _sampled(0, 1.5, -2.0, float("inf")),
    "bound": _sampled(0, -1, 3, 1.5, b"0", b"(1.5", b"-inf", b"+inf", b"-", b"+", b"[n", b"(", b"n"),
    "bool": _sampled(True, False),
    "duration": _sampled(1, 50, 15_000, 10**9),
    "timeout": _sampled(0, 1, 10**6),
    "time": _sampled(1, 1_800_000_000_050, 1_900_000_000_000),
    "version": lambda stage: st.sampled_from(stage.versions),
    "count": _sampled(1, 2, 2**63 - 1),
    "size": _sampled(0, 2, 2**63 - 1),
    "cursor": _sampled(0, 1 << 48, 2**64 - 1),
    "token": lambda stage: st.sampled_from(stage.tokens),
    "call": lambda stage: st.sampled_from(
        [
            [b"SET", [KEYS[0], encode(1)]],
            [b"INCR", [KEYS[1]], None],
            [b"DEL", [KEYS[0], KEYS[2]], None],
            [b"GETEX", [KEYS[3]], {b"ttl": 5}],
            [b"LOCK", [LOCKS[0]], {b"ttl": 100}],
            [b"GET", [KEYS[2]]],
            [b"GET", []],
        ]
    ),
}


def draw_arguments(draw: Draw, command: Command, stage: Stage) -> tuple[list[Any], dict[bytes, Any] | None]:
    """Arguments that fit the signature of *command*, as they come off the wire."""
    args: list[Any] = []
    for param in command.signature.positional:
        if param.shape is Shape.TAIL:
            count = draw(st.integers(0 if param.empty else 1, 3))
            args += [_element(draw, param.element, stage) for _ in range(count)]
        elif param.required or draw(st.booleans()):
            args.append(_argument(draw, param, stage))
    chosen = [param for param in command.signature.options if param.required or draw(st.booleans())]
    for group in command.declaration.groups:
        rivals = [param for param in chosen if param.name in group]
        if rivals and draw(st.integers(0, 9)):
            kept = draw(st.sampled_from(rivals))
            chosen = [param for param in chosen if param not in rivals or param is kept]
    options = {param.name.encode(): _argument(draw, param, stage) for param in chosen}
    return args, options or None


def _argument(draw: Draw, param: Param, stage: Stage) -> Any:
    if not param.several:
        return _element(draw, param.element, stage)
    return [_element(draw, param.element, stage) for _ in range(draw(st.integers(0 if param.empty else 1, 3)))]


def _element(draw: Draw, element: Element, stage: Stage) -> Any:
    if isinstance(element, Block):
        return [_element(draw, part, stage) for part in element.fields.values()]
    if isinstance(element, Choice):
        return draw(st.sampled_from(element.words)).encode()
    return draw(ROWS[element.name](stage))


junk = st.sampled_from(
    [None, True, -1, 2**70, 1.5, b"", b"\xff" * 70_000, b"\xc1", b"\xa5short", [], [[]], [b"a", 1], {}, {b"a": 1}]
)


def spoil(draw: Draw, args: list[Any], options: dict[bytes, Any] | None) -> tuple[Any, Any]:
    """The same with one thing wrong, or at least odd."""
    way = draw(st.integers(0, 5))
    if way == 0:
        return args[:-1], options
    if way == 1:
        return [*args, draw(junk)], options
    if way == 2 and args:
        at = draw(st.integers(0, len(args) - 1))
        return [*args[:at], draw(junk), *args[at + 1 :]], options
    if way == 3 and options:
        return args, options | {draw(st.sampled_from(sorted(options))): draw(junk)}
    if way == 4:
        return args, {**(options or {}), draw(st.sampled_from([b"nonsense", b"\xff", 5, None])): draw(junk)}
    return draw(junk), options


def execute(stage: Stage, command: Command, args: Any, options: Any, meta: Any = None) -> Any:
    """The raw reply, or the error that was raised."""
    stage.rig.last_id += 1
    stage.caller.outbox.command = command  # what a connection of the text door remembers
    try:
        guarded = stage.rig.guarded(command)
        return stage.rig.engine.execute(stage.caller.session, stage.rig.last_id, guarded, args, options, meta)
    except KvError as error:
        return error


def state(stage: Stage) -> Any:
    sessions = {session.id: set(session.waiting) for session in stage.rig.engine.sessions.values()}
    return picture(stage.rig.store), kept_answers(stage.rig.engine.sessions), sessions, stage.rig.engine.revision
