"""What a command is: its flags, what its author declared, and everything derived from that."""

from collections.abc import Callable, Mapping
from enum import IntFlag
from typing import Any, Final, NamedTuple

from attrs import field, frozen

__all__ = [
    "ADMIN", "BLOCKS", "FAST", "GROWS", "NATIVE_DOOR", "READ", "RESP_DOOR", "SLOW", "STREAMS", "SWEEPS", "TAKES", "WRITE",
    "Declaration", "Door", "Flag", "Grammar", "Invocation", "View", "declaration_of", "declare", "word_of",
]  # fmt: skip


class Flag(IntFlag):
    """What a command does, as gates, ACL categories and clients need to know it."""

    READ = 1
    WRITE = 2
    FAST = 4
    SLOW = 8
    GROWS = 16
    BLOCKS = 32
    TAKES = 64
    ADMIN = 128
    SWEEPS = 256
    STREAMS = 512


READ: Final = Flag.READ
WRITE: Final = Flag.WRITE
FAST: Final = Flag.FAST
SLOW: Final = Flag.SLOW
GROWS: Final = Flag.GROWS  # may need more memory
BLOCKS: Final = Flag.BLOCKS  # may be parked
TAKES: Final = Flag.TAKES  # hands something out: its cancellation must be answered
ADMIN: Final = Flag.ADMIN
SWEEPS: Final = Flag.SWEEPS  # needs all due keys gone first
STREAMS: Final = Flag.STREAMS  # many replies


class Door(IntFlag):
    """The protocols a word exists on."""

    NATIVE = 1
    RESP = 2


NATIVE_DOOR: Final = Door.NATIVE
RESP_DOOR: Final = Door.RESP


@frozen
class View:
    """A form of the reply on the text door: always, or with *token*, or when the parameter *without* was not given."""

    name: str
    project: Callable[[Any], Any]
    token: str | None = None
    without: str | None = None


@frozen
class Grammar:
    """A hand-written form on the command line: *parse* gets a `Words` and returns positional arguments and options."""

    usage: str
    parse: Callable[[Any], tuple[tuple[Any, ...], dict[str, Any]]]


class Invocation(NamedTuple):
    """A call that was checked: trusted from here on. *view* is the form of the reply that a text call asked for."""

    command: Any
    args: tuple[Any, ...]
    options: dict[str, Any]
    view: View | None = None


@frozen(eq=False)
class Declaration:
    """What the author of a command said beyond its signature."""

    flags: Flag
    group: str
    since: str
    cost: str
    name: str
    aliases: tuple[str, ...]
    doors: Door
    views: tuple[View, ...]
    grammar: Grammar | None
    method: str | None
    selects: Mapping[str, str] = field(factory=dict)
    exclusive: tuple[tuple[str, ...], ...] = ()


_ATTRIBUTE: Final = "__kv_declaration__"
_registry: dict[object, Declaration] = {}  # for functions that take no attributes


def word_of(function: Callable[..., Any]) -> str:
    """The command word that *function* has unless its declaration names one."""
    return function.__name__.rstrip("_").upper()


def declare(function: Callable[..., Any], declaration: Declaration) -> None:
    try:
        setattr(function, _ATTRIBUTE, declaration)
    except AttributeError:
        _registry[function] = declaration


def declaration_of(thing: object) -> Declaration | None:
    """What was declared about *thing*; None if it is no command."""
    found = getattr(thing, _ATTRIBUTE, None)
    if found is None:
        try:
            found = _registry.get(thing)
        except TypeError:
            return None
    return found if isinstance(found, Declaration) else None
