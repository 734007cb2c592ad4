"""Categories of commands, by which rights are given: derived from the group, the flags and the names in a signature."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kv_server.spec.signature import Param, Signature

if TYPE_CHECKING:
    from kv_server.spec.command import Flag

__all__ = ["CATEGORIES", "categories_of", "told_flags"]

_GROUPS: Final = {
    "keys": ("keyspace",), "dump": ("keyspace",), "namespace": ("keyspace", "namespace"),
    "sorting": ("set", "sortedset", "list", "dangerous"), "counter": ("string",), "zset": ("sortedset",), "server": (),
}  # fmt: skip
_ABOUT_DATA: Final = ("keys", "namespace", "lock")
"""Groups whose commands read and write also where they name nothing."""
_FLAGS: Final = {"WRITE": "write", "READ": "read", "ADMIN": "admin", "BLOCKS": "blocking", "FAST": "fast"}

CATEGORIES: Final = (
    "keyspace", "read", "write", "set", "sortedset", "list", "hash", "string", "bitmap", "hyperloglog", "geo", "stream",
    "pubsub", "admin", "fast", "slow", "blocking", "dangerous", "connection", "transaction", "scripting", "lock",
    "namespace", "rate", "watch",
)  # fmt: skip
"""Those of Redis, then ours. There is no command yet that is of `scripting`."""


def told_flags(group: str, flags: Flag, signature: Signature) -> Flag:
    """The flags in the sense of Redis: only data is read and written, and to write it no operator is needed."""
    if not (group in _ABOUT_DATA or any(map(_names_data, signature.params))):
        flags &= ~(flags.READ | flags.WRITE)
    return flags & ~flags.ADMIN if flags & flags.WRITE else flags


def categories_of(group: str, flags: Flag, signature: Signature) -> tuple[str, ...]:
    """The categories of a command, in the order in which Redis tells them."""
    told = told_flags(group, flags, signature)
    words = [word for name, word in _FLAGS.items() if flags.__class__[name] & told]
    words += _GROUPS.get(group, (group,))
    words += ["slow"] * (flags.FAST not in told)
    words += ["dangerous"] * bool(flags & (flags.ADMIN | flags.SPANS))
    return tuple(dict.fromkeys(words))


def _names_data(param: Param) -> bool:
    return not param.native and not param.kinds.isdisjoint(("key", "lock"))
