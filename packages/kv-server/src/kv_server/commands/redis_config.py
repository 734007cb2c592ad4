"""CONFIG: the few settings of Redis that are ours, and the answers that its clients and tools look for.

Some settings live and take effect when set. The others have one value here, the one that is true: setting it again is
fine, setting another is refused. Those that only tune Redis's own encodings are kept and change nothing.
"""

from __future__ import annotations

from typing import Annotated

from kv_protocol.errors import InvalidArgument
from kv_server.commands.redis_settings import LIVE, TRUE, TUNING
from kv_server.engine.node import Node
from kv_server.model.glob import matches
from kv_server.spec.catalog import command
from kv_server.spec.command import ADMIN, READ, RESP_DOOR, SLOW
from kv_server.spec.resp_kinds import OK, RespError, Simple
from kv_server.spec.types import OPTIONAL, Octets

__all__ = ["config_get", "config_resetstat", "config_set"]


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
    """Return the settings whose names fit one of *patterns*."""
    lowered = [pattern.lower() for pattern in patterns]
    known = [*LIVE, *TRUE, *TUNING]
    return {name: value_of(node, name) for name in known if any(matches(each, name.encode()) for each in lowered)}


@command(READ | ADMIN, group="server", since="0.1", cost="O(settings)", name="CONFIG SET", doors=RESP_DOOR, method=None)
def config_set(node: Node, name: Octets, value: Octets, /, *more: Annotated[Octets, OPTIONAL]) -> Simple:
    """Give settings other values, all or none: `name value [name value ...]`."""
    words = name, value, *more
    if len(words) % 2:
        raise InvalidArgument("syntax error")
    changes: dict[str, object] = {}
    for name, value in zip(words[::2], words[1::2], strict=True):
        setting, text = name.decode("utf-8", "replace").lower(), value.decode("utf-8", "replace")
        if setting in changes:
            raise refused(setting, "duplicate parameter")
        changes[setting] = checked(node, setting, text)
    for setting, new in changes.items():
        if setting in LIVE:
            LIVE[setting].put(node, new)
        elif setting in TUNING:
            node.tuning[setting] = str(new)
    return OK


@command(READ | ADMIN, group="server", since="0.1", cost="O(1)", name="CONFIG RESETSTAT", doors=RESP_DOOR, method=None)
def config_resetstat(node: Node, /) -> Simple:
    """Let the server's counters begin anew."""
    node.engine.reset_statistics()
    node.reset_statistics()
    return OK


def value_of(node: Node, name: str) -> str:
    if name in LIVE:
        return LIVE[name].show(LIVE[name].get(node))
    true = TRUE.get(name)
    if true is None:
        return node.tuning.get(name, TUNING[name])
    return true if isinstance(true, str) else true(node)


def checked(node: Node, name: str, text: str) -> object:
    """The value that *text* is for the setting. Raises what Redis says where it is none."""
    if name in LIVE:
        try:
            return LIVE[name].read(text)
        except ValueError as error:
            raise refused(name, str(error)) from None
    if name in TUNING:
        return text
    if name not in TRUE:
        raise InvalidArgument(f"Unknown option or number of arguments for CONFIG SET - '{name}'")
    if text.lower() != value_of(node, name):
        raise refused(name, "this server has one value for it")
    return text


def refused(name: str, why: str) -> RespError:
    return RespError(f"ERR CONFIG SET failed (possibly related to argument '{name}') - {why}")
