"""A user: what it is known by, and what it may do, as the rules say it. Values: a change makes another one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from attrs import frozen

from kv_server.spec.command import Flag

__all__ = ["ALL", "BOTH", "DEFAULT", "Selector", "Token", "User"]

BOTH: Final = Flag.READ | Flag.WRITE
ALL: Final = b"*"
_MARKS: Final = {BOTH: b"~", Flag.READ: b"%R~", Flag.WRITE: b"%W~"}


@frozen
class Selector:
    """Commands with the names that they may be used on. *commands* are rules, of which the later ones win."""

    commands: tuple[str, ...] = ("-@all",)
    keys: tuple[tuple[bytes, Flag], ...] = ()
    channels: tuple[bytes, ...] = ()
    namespaces: tuple[bytes, ...] = (ALL,)

    @property
    def all_keys(self) -> bool:
        return (ALL, BOTH) in self.keys

    @property
    def key_rules(self) -> list[bytes]:
        return [_MARKS[access] + pattern for pattern, access in self.keys]

    @property
    def channel_rules(self) -> list[bytes]:
        return [b"&" + pattern for pattern in self.channels]

    @property
    def namespace_rules(self) -> list[bytes]:
        return [b"ns=" + pattern for pattern in self.namespaces]

    @property
    def command_rules(self) -> list[bytes]:
        return [rule.encode() for rule in self.commands]

    def rules(self) -> Iterator[bytes]:
        """The rules that make it, from nothing."""
        yield from self.key_rules
        if ALL not in self.channels:
            yield b"resetchannels"
        yield from self.channel_rules
        if self.namespaces != (ALL,):
            yield b"resetnamespaces"
            yield from self.namespace_rules
        yield from self.command_rules


@frozen
class User:
    """*passwords* are kept as hashes; *nopass*: any will do, or none."""

    name: str
    on: bool = False
    nopass: bool = False
    passwords: tuple[str, ...] = ()
    root: Selector = Selector()
    selectors: tuple[Selector, ...] = ()

    @property
    def open(self) -> bool:
        """Everybody is this user who says so."""
        return self.on and self.nopass

    @property
    def flags(self) -> list[str]:
        return ["on" if self.on else "off"] + ["nopass"] * self.nopass

    def rules(self) -> Iterator[bytes]:
        """The rules that make this user, from nothing."""
        yield from (flag.encode() for flag in self.flags)
        yield from (b"#" + kept.encode() for kept in self.passwords)
        yield from self.root.rules()
        for selector in self.selectors:
            yield b"(" + b" ".join(selector.rules()) + b")"


DEFAULT: Final = User("default", True, True, (), Selector(("+@all",), ((ALL, BOTH),), (ALL,)))
"""Who everybody is, until somebody says otherwise."""


@frozen
class Token:
    """What logs in as *user*, in its *namespaces* alone, if it has any; until *expires_ms*, if that is not 0."""

    id: str
    user: str
    digest: str
    namespaces: tuple[bytes, ...] = ()
    expires_ms: int = 0
    label: str = ""
