"""The table of all commands: `@command` declares one, a `Catalog` is an explicit list of them, in order, frozen."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, partial
from typing import Any, Final, TypeVar

from attrs import evolve

from kv_protocol.errors import UnknownCommand
from kv_server.spec.binders import bind, ident_of, new_namespace
from kv_server.spec.checks import words_missing
from kv_server.spec.command import Command, Declaration, Door, Flag, Grammar, View, declaration_of, declare, word_of
from kv_server.spec.lengths import arity_of
from kv_server.spec.reply import RESP_ONLY, Form, form_of, present_expression
from kv_server.spec.signature import Signature, signature_of
from kv_server.spec.source import Plan
from kv_server.spec.usage import native_usage, text_usage

__all__ = ["Catalog", "command"]

F = TypeVar("F", bound=Callable[..., Any])
_BY_FUNCTION: Final[Any] = object()
_LONGEST_SHOWN: Final = 128  # of what a client sent, in an error about it
_LONGEST_READABLE: Final = 64


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
    handle: str | Mapping[str, str] | None = None,
    nothing_with: tuple[str, ...] = (),
    one_of: tuple[tuple[str, ...], ...] = (),
    event: str | None = None,
) -> Callable[[F], F]:
    """Declare a command: the function comes back unchanged, a catalog finds it by its module.

    *aliases* exist on the text door only. *selects* maps a token of the text door to the word of another command with
    the same parameters. *exclusive* lists groups of options of which a call may have one, *one_of* those of which it
    must have one. *method* names the client's method; None generates none. *handle* names the method of the client's
    handles of one key, those of the group or those of the groups it maps to names. The reply is nothing only if an
    option of *nothing_with* is given. *event* is what keyspace notifications call its changes, unless by their rows.
    """

    def mark(function: F) -> F:
        word = name or word_of(function)
        called = function.__name__.rstrip("_") if method is _BY_FUNCTION else method
        chosen = dict(selects or {})
        handles = {} if handle is None else {group: handle} if isinstance(handle, str) else dict(handle)
        declaration = Declaration(
            flags, group, since, cost, word, aliases, doors, views, grammar, called, chosen, exclusive, handles,
            nothing_with, one_of, event,
        )  # fmt: skip
        declare(function, declaration)
        return function

    return mark


class Catalog:
    """All commands in the order of their declaration; it does not change once made."""

    def __init__(self, functions: Iterable[Callable[..., Any]]) -> None:
        by_name: dict[str, Command] = {}
        space = new_namespace(by_name)
        made: dict[str, Command] = {}
        for function in functions:
            ident, built = _build(function, len(made), space)
            if built.name != built.name.upper():
                raise ValueError(f"{built.name} is not in upper case")
            if ident in made:
                raise ValueError(f"{built.name} is declared twice")
            made[ident] = space[f"{ident}_command"] = built
            if Door.RESP in built.declaration.doors:
                by_name[built.name] = built
        self._all: Final = tuple(made.values())
        self.commands: Final[Mapping[bytes, Command]] = _words(self._all, Door.NATIVE)
        """Native words."""
        self.words: Final[Mapping[bytes, Command]] = _words(self._all, Door.RESP)
        """Words and aliases of the text door."""
        self.first_words: Final = frozenset(word.partition(b" ")[0] for word in self.words if b" " in word)
        """The words that need a second one."""
        self.spoken: Final[Mapping[bytes, Command]] = _spoken(self.words)
        """The same, as that door calls them: `call(place, words, None)`, with a reply as RESP has it."""
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
        return self._find(self.words, words)

    def find_spoken(self, words: list[bytes]) -> Command:
        """The same, as the text door calls it."""
        return self._find(self.spoken, words)

    def is_whole(self, word: bytes) -> bool:
        """Whether *word* alone says which command is meant."""
        return b" " not in word and word not in self.first_words

    def _find(self, table: Mapping[bytes, Command], words: list[bytes]) -> Command:
        name = words[0].upper()
        if name not in self.first_words:
            found = table.get(name)
            if found is None:
                raise _unknown(words)
            return found
        if len(words) > 1:
            found = table.get(name + b" " + words[1].upper())
            if found is None:
                shown = _quoted(words[1], _LONGEST_SHOWN)
                raise UnknownCommand(f"unknown subcommand '{shown}'. Try {name.decode()} HELP.")
        else:
            found = table.get(name)
            if found is None:
                raise words_missing(name.decode().lower())
        return found

    def bits(self, flag: Flag) -> int:
        """The gate bits of all commands with *flag*."""
        return sum(1 << command.bit for command in self._all if command.flags & flag)

    def source(self) -> str:
        """Everything that was generated, as one text."""
        return "\n\n".join(command.source for command in self._all)

    def __str__(self) -> str:
        width = max((len(command.group) for command in self._all), default=0)
        return "\n".join(f"{command.group:<{width}}  {command.usage}" for command in self._all)


def _build(function: Callable[..., Any], bit: int, space: dict[str, Any]) -> tuple[str, Command]:
    """The command with the name its binders go by; a word may be a command of its own on each door."""
    declaration = declaration_of(function)
    if declaration is None:
        raise TypeError(f"{function!r} is no command")
    signature = signature_of(function)
    _check(declaration, signature)
    word = declaration.name
    form = form_of(signature.reply)
    _check_native(word, form)
    usage, native = text_usage(word, declaration, signature), native_usage(word, signature)
    ident = ident_of(word) + ("_on_resp" if declaration.doors is Door.RESP else "")
    plan = Plan(ident, word, declaration, signature, native)
    made = Command(
        name=word, bit=bit, function=function, declaration=declaration, signature=signature, reply=form, usage=usage,
        native=native, arity=arity_of(plan), generate=cache(partial(bind, plan, function, form, space)),
        presents=present_expression(form) is not None,
    )  # fmt: skip
    return ident, made


def _check(declaration: Declaration, signature: Signature) -> None:
    """Refuse a declaration that contradicts its signature or itself."""
    word = declaration.name
    known = {param.name for param in signature.params}
    for group in (*declaration.groups, declaration.nothing_with):
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


def _check_native(word: str, form: Form) -> None:
    """Refuse a reply that only RESP has a form for; a view may make one."""
    if form.kind in RESP_ONLY:
        raise TypeError(f"{word}: {form.kind.value} is for a view to make, not for a command")
    for part in form.parts:
        _check_native(word, part)


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


def _spoken(words: Mapping[bytes, Command]) -> Mapping[bytes, Command]:
    made = {command: evolve(command, spoken=True) for command in dict.fromkeys(words.values())}
    return {word: made[command] for word, command in words.items()}


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


def _unknown(words: list[bytes]) -> UnknownCommand:
    """The error for a line that calls no command, with as much of it as may be shown."""
    args = ""
    for word in words[1:]:
        room = _LONGEST_SHOWN - len(args)
        if room <= 0:
            break
        args += f"'{_quoted(word, room)}' "
    return UnknownCommand(f"unknown command '{_quoted(words[0], _LONGEST_SHOWN)}', with args beginning with: {args}")


def _quoted(word: bytes, most: int) -> str:
    """A word that somebody sent, as far as text goes, to be said to who sent it alone."""
    return word[:most].partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _readable(name: bytes) -> str:
    """A word that somebody sent, short and printable."""
    text = name[:_LONGEST_READABLE].decode("utf-8", "replace")
    return text if text.isprintable() else "".join(char if char.isprintable() else "?" for char in text)
