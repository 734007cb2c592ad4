"""CONFIG: the settings of the server by their own names, and those of Redis that clients and tools look for.

Ours may change while the server runs where they say so; the others are set at its start. Of Redis's, some live and take
effect when set. Others have one value here, the one that is true: setting it again is fine, setting another is refused.
Those that only tune Redis's own encodings are kept and change nothing.
"""

from __future__ import annotations

from contextlib import suppress
from difflib import get_close_matches
from typing import Annotated, NamedTuple

from kv_protocol.errors import InvalidArgument
from kv_protocol.names import text
from kv_server.commands.redis_settings import LIVE, TRUE, TUNING
from kv_server.commands.resp_views import AS_OK
from kv_server.engine.node import Node
from kv_server.model.glob import matches
from kv_server.spec.catalog import command
from kv_server.spec.command import ADMIN, NATIVE_DOOR, READ, RESP_DOOR, SLOW
from kv_server.spec.resp_kinds import OK, RespError, Simple
from kv_server.spec.types import OPTIONAL, Client, Name, Octets, Pattern, Secret

__all__ = ["config_get", "config_resetstat", "config_set"]


class SettingValue(NamedTuple):
    """A setting and the value it is to have, as it would be written in a file."""

    name: Name
    value: Annotated[Secret, Client("str", "_name({x})")]


class Refused(ValueError):
    """A setting, and why it is left as it is."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"{name}: {why}")
        self.name = name
        self.why = why


@command(
    READ | ADMIN | SLOW, group="server", since="0.1", cost="O(settings)", name="CONFIG GET", method="config",
    doors=NATIVE_DOOR,
)  # fmt: skip
def config_get_natively(node: Node, /, *patterns: Annotated[Pattern, OPTIONAL]) -> dict[str, str]:
    """Return the settings whose names fit one of *patterns*, or all: the server's own, and what Redis calls them.

    >>> await client.config("max_con*")
    {'max_connections': '10000'}
    """
    return fitting(node, patterns or (b"*",))


@command(
    READ | ADMIN | SLOW, group="server", since="0.1", cost="O(settings)", name="CONFIG SET", method="configure",
    doors=NATIVE_DOOR,
)  # fmt: skip
def config_set_natively(node: Node, /, *items: SettingValue) -> None:
    """Give settings other values while the server runs, all or none of *items*. It does not change the config file.

    >>> await client.configure({"slow_log_threshold": "5ms", "max_connections": "2000"})
    """
    try:
        apply(node, [(text(name), text(value)) for name, value in items])
    except Refused as refusal:
        raise InvalidArgument(str(refusal)) from None


@command(
    READ | ADMIN | SLOW,
    group="server",
    since="0.1",
    cost="O(settings)",
    name="CONFIG GET",
    doors=RESP_DOOR,
    method=None,
)
def config_get(node: Node, /, *patterns: Octets) -> dict[str, str]:
    """Return the settings whose names fit one of *patterns*: those of Redis, and the server's own."""
    return fitting(node, patterns)


@command(READ | ADMIN, group="server", since="0.1", cost="O(settings)", name="CONFIG SET", doors=RESP_DOOR, method=None)
def config_set(node: Node, name: Octets, value: Secret, /, *more: Annotated[Secret, OPTIONAL]) -> Simple:
    """Give settings other values, all or none: `name value [name value ...]`."""
    words = name, value, *more
    if len(words) % 2:
        raise InvalidArgument("syntax error")
    said = [word.decode("utf-8", "replace") for word in words]
    try:
        apply(node, list(zip(said[::2], said[1::2], strict=True)))
    except Refused as refusal:
        raise refused(refusal.name, refusal.why) from None
    return OK


@command(
    READ | ADMIN, group="server", since="0.1", cost="O(1)", name="CONFIG RESETSTAT", method="reset_statistics",
    views=(AS_OK,),
)  # fmt: skip
def config_resetstat(node: Node, /) -> None:
    """Let the server's counters begin anew."""
    node.engine.reset_statistics()
    node.reset_statistics()


def fitting(node: Node, patterns: tuple[bytes, ...]) -> dict[str, str]:
    """The settings whose names fit one of *patterns*."""
    lowered = [pattern.lower() for pattern in patterns]
    own = node.settings()
    known = [*own, *LIVE, *TRUE, *TUNING]
    wanted = [name for name in known if any(matches(each, name.encode()) for each in lowered)]
    found = {}
    for name in wanted:
        with suppress(KeyError):  # without a server around the engine
            found[name] = own[name] if name in own else value_of(node, name)
    return found


def value_of(node: Node, name: str) -> str:
    if name in LIVE:
        return LIVE[name].show(LIVE[name].get(node))
    true = TRUE.get(name)
    if true is None:
        return node.tuning.get(name, TUNING[name])
    return true if isinstance(true, str) else true(node)


def apply(node: Node, items: list[tuple[str, str]]) -> None:
    """Give settings other values, all or none. Raises `Refused`."""
    changes: dict[str, object] = {}
    own = node.settings()
    for name, written in items:
        setting = name.lower()
        if setting in changes:
            raise Refused(setting, "duplicate parameter")
        changes[setting] = checked_own(node, setting, written) if setting in own else checked(node, setting, written)
    for setting, new in changes.items():
        if setting in own:
            node.change(setting, new)
        elif setting in LIVE:
            LIVE[setting].put(node, new)
        elif setting in TUNING:
            node.tuning[setting] = str(new)


def checked_own(node: Node, name: str, text: str) -> object:
    """The value that *text* is for a setting of the server."""
    try:
        return node.read(name, text)
    except ValueError as error:
        raise Refused(name, str(error)) from None


def checked(node: Node, name: str, text: str) -> object:
    """The value that *text* is for a setting of Redis."""
    if name in LIVE:
        try:
            return LIVE[name].read(text)
        except ValueError as error:
            raise Refused(name, str(error)) from None
    if name in TUNING:
        return text
    if name not in TRUE:
        near = get_close_matches(name, [*node.settings(), *LIVE], n=1, cutoff=0.6)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise InvalidArgument(f"Unknown option or number of arguments for CONFIG SET - '{name}'{hint}")
    if text.lower() != value_of(node, name):
        raise Refused(name, "this server has one value for it")
    return text


def refused(name: str, why: str) -> RespError:
    return RespError(f"ERR CONFIG SET failed (possibly related to argument '{name}') - {why}")
