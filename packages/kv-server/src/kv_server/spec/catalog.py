"""The table of all commands: an explicit list of modules, in order, frozen."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from kv_server.spec.command import Declaration, Door, Flag, Grammar, View, declare, word_of

__all__ = ["command"]

F = TypeVar("F", bound=Callable[..., Any])
_DEFAULT: Any = object()


def command(
    flags: Flag,
    *,
    group: str,
    since: str,
    cost: str,
    name: str | None = None,
    aliases: tuple[str, ...] = (),
    doors: Door = Door.NATIVE | Door.RESP,
    views: tuple[View, ...] = (),
    grammar: Grammar | None = None,
    method: str | None = _DEFAULT,
    selects: Mapping[str, str] | None = None,
    exclusive: tuple[tuple[str, ...], ...] = (),
) -> Callable[[F], F]:
    """Declare a command: the function comes back unchanged, a catalog finds it by its module.

    *aliases* exist on the text door only. *selects* maps a token of the text door to the word of another command with
    the same parameters. *exclusive* lists groups of options of which a call may have one. *method* names the client's
    method; None generates none.
    """

    def mark(function: F) -> F:
        word = name or word_of(function)
        called = function.__name__.rstrip("_") if method is _DEFAULT else method
        declare(
            function,
            Declaration(
                flags, group, since, cost, word, aliases, doors, views, grammar, called, dict(selects or {}), exclusive
            ),
        )
        return function

    return mark
