"""The table of all commands: `@command` declares one, a `Catalog` is an explicit list of them, in order, frozen."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, TypeVar

from kv_protocol.errors import UnknownCommand
from kv_server.spec.binders import bind, ident_of, new_namespace
from kv_server.spec.command import Command, Declaration, Door, Flag, Grammar, View, declaration_of, declare, word_of
from kv_server.spec.reply import form_of
from kv_server.spec.signature import Signature, signature_of
from kv_server.spec.source import Plan
from kv_server.spec.usage import native_usage, text_usage

__all__ = ["Catalog", "command"]

F = TypeVar("F", bound=Callable[..., Any])
_BY_FUNCTION: Final[Any] = object()


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
    method: str | None = _BY_FUNCTION,
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
        called = function.__name__.rstrip("_") if method is _BY_FUNCTION else method
        chosen = dict(selects or {})
        declaration = Declaration(
            flags, group, since, cost, word, aliases, doors, views, grammar, called, chosen, exclusive
        )
        declare(function, declaration)
        return function

    return mark


class Catalog:
    """All commands in the order of their declaration; it does not change once made."""

    def __init__(self, functions: Iterable[Callable[..., Any]]) -> None:
        by_name: dict[str, Command] = {}
        space = new_namespace(by_name)
        for function in functions:
            made = _build(function, len(by_name), space)
            if made.name in by_name:
                raise ValueError(f"{made.name} is declared twice")
            by_name[made.name] = made
            space[f"{ident_of(made.name)}_command"] = made
        self._all: Final = tuple(by_name.values())
        self.commands: Final[Mapping[bytes, Command]] = _words(self._all, Door.NATIVE)
        """Native words."""
        self.words: Final[Mapping[bytes, Command]] = _words(self._all, Door.RESP)
        """Words and aliases of the text door."""
        _check_methods(self._all)
        _check_selects(by_name)

    @classmethod
    def of(cls, *modules: object) -> "Catalog":
        """The commands that *modules* define, in the order of the modules and of the lines in them."""
        found: dict[int, Callable[..., Any]] = {}
        for module in modules:
            for thing in vars(module).values():
                own = getattr(thing, "__module__", None) == getattr(module, "__name__", None)
                if own and callable(thing) and declaration_of(thing) is not None:
                    found[id(thing)] = thing
        return cls(found.values())

    def __iter__(self) -> Iterator[Command]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def __contains__(self, command: object) -> bool:
        return command in self._all

    def __getitem__(self, name: str) -> Command:
        return self.commands.get(name.encode()) or self.words[name.encode()]

    def find(self, name: bytes) -> Command:
        """The command of a native word in any case."""
        found = self.commands.get(name) or self.commands.get(name.upper())
        if found is None:
            raise UnknownCommand(f"unknown command {_readable(name)}")
        return found

    def find_text(self, words: list[bytes]) -> Command:
        """The command that a line of words calls: one word, or two that go together."""
        name = words[0].upper()
        found = self.words.get(name)
        if len(words) > 1:
            found = self.words.get(name + b" " + words[1].upper(), found)
        if found is None:
            raise UnknownCommand(f"unknown command '{_readable(words[0])}'")
        return found

    def source(self) -> str:
        """Everything that was generated, as one text."""
        return "\n\n".join(command.source for command in self._all)

    def __str__(self) -> str:
        width = max((len(command.group) for command in self._all), default=0)
        return "\n".join(f"{command.group:<{width}}  {command.usage}" for command in self._all)


def _build(function: Callable[..., Any], bit: int, space: dict[str, Any]) -> Command:
    declaration = declaration_of(function)
    if declaration is None:
        raise TypeError(f"{function!r} is no command")
    signature = signature_of(function)
    _check(declaration, signature)
    word = declaration.name
    form = form_of(signature.reply)
    usage, native = text_usage(word, declaration, signature), native_usage(word, signature)
    binders = bind(Plan(ident_of(word), word, declaration, signature, native), function, form, space)
    return Command(
        name=word, bit=bit, function=function, declaration=declaration, signature=signature, reply=form, usage=usage,
        native=native, **binders._asdict(),
    )  # fmt: skip


def _check(declaration: Declaration, signature: Signature) -> None:
    """Refuse a declaration that contradicts its signature or itself."""
    word = declaration.name
    known = {param.name for param in signature.params}
    for group in declaration.exclusive:
        if not known.issuperset(group):
            raise TypeError(f"{word}: {set(group) - known} are no parameters")
    for view in declaration.views:
        if view.without is not None and view.without not in known:
            raise TypeError(f"{word}: {view.without} is no parameter")
    if any(alias.count(" ") != word.count(" ") for alias in declaration.aliases):
        raise TypeError(f"{word}: an alias has as many words as the name")
    seen: set[str] = set()
    tokens = [token.word for param in signature.options for token in param.tokens]
    for token in (*tokens, *declaration.selects, *{token for view in declaration.views for token in view.tokens}):
        if token in seen:
            raise TypeError(f"{word}: two meanings for {token}")
        seen.add(token)


def _words(commands: Iterable[Command], door: Door) -> Mapping[bytes, Command]:
    words: dict[bytes, Command] = {}
    for command in commands:
        if door in command.declaration.doors:
            aliases = command.declaration.aliases if door is Door.RESP else ()
            for word in (command.name, *aliases):
                if word != word.upper() or word.encode() in words:
                    raise ValueError(f"{word} is declared twice, or not in upper case")
                words[word.encode()] = command
    return words


def _check_methods(commands: Iterable[Command]) -> None:
    seen: dict[str, str] = {}
    for command in commands:
        method = command.declaration.method
        if (
            method is not None
            and Door.NATIVE in command.declaration.doors
            and seen.setdefault(method, command.name) != command.name
        ):
            raise ValueError(f"{command.name} and {seen[method]} would be the client's method {method} both")


def _check_selects(by_name: Mapping[str, Command]) -> None:
    for command in by_name.values():
        for target in command.declaration.selects.values():
            if target not in by_name:
                raise ValueError(f"{command.name} selects {target}, which is no command")
            theirs = [param.name for param in by_name[target].signature.params]
            if theirs != [param.name for param in command.signature.params]:
                raise ValueError(f"{command.name} selects {target}, which has other parameters")


def _readable(name: bytes) -> str:
    """A word that somebody sent, short and printable."""
    text = name[:64].decode("utf-8", "replace")
    return text if text.isprintable() else "".join(char if char.isprintable() else "?" for char in text)
