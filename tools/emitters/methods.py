"""What the client's methods are made of: from a command to the parameters, the call and the reply of its method."""

from attrs import frozen
from tools.emitters.examples import examples, prose
from tools.emitters.shapes import answer, argument, client_reply, decoded, default_note, option_lines, parameter

from kv_server.spec import Flag
from kv_server.spec.command import Command
from kv_server.spec.reply import Form, FormKind
from kv_server.spec.signature import Param, Shape
from kv_server.spec.types import Row

__all__ = ["Argument", "Head", "Method", "method_of", "signature_lines"]

LOCALS = {"self", "given", "reply", "default", "fence"}
FENCE = "fence: Fencing | None = None"


@frozen
class Argument:
    """A parameter of a method: its name and its source; *star* is `*` for a tail, `=` for an option."""

    name: str
    source: str
    star: str = ""

    @property
    def passed_on(self) -> str:
        """How another method is given it."""
        return f"{self.name}={self.name}" if self.star == "=" else f"{self.star}{self.name}"


@frozen
class Head:
    """One way to write a method: its parameters without self, and what it then returns."""

    params: tuple[str, ...]
    annotation: str


@frozen
class Method:
    """The client's method for one command, as far as all faces share it."""

    name: str
    command: Command
    arguments: tuple[Argument, ...]
    given: tuple[str, ...]
    call: tuple[str, ...]
    reply: Form
    one: str | None
    """The parameter without which the reply, a list, is its first element or nothing."""
    text: str
    examples: str

    @property
    def fenced(self) -> bool:
        return Flag.WRITE in self.command.flags

    @property
    def counts(self) -> str | None:
        """The number that the reply is of the class of; without it that is int."""
        number = self.reply.row is not None and self.reply.row.name == "number"
        return next((param.name for param in self.command.signature.params if number and _is_step(param)), None)

    @property
    def single(self) -> Form:
        """What there may be one of: the reply without *one*, or the part of an optional reply."""
        return self.reply.part

    @property
    def defaults(self) -> bool:
        """A value or nothing: the caller may say what nothing is to be."""
        maybe = self.one is not None or self.reply.kind is FormKind.OPTIONAL
        return maybe and self.single.row is not None and self.single.row.name == "value"

    @property
    def annotation(self) -> str:
        """What the method returns: in general, or of the ways to call it where there is one alone."""
        if self.defaults:
            return "Value | D"
        return f"{answer(self.single)} | None" if self.one is not None else answer(self.reply)

    @property
    def decode(self) -> str:
        """The expression that makes the result of `reply`."""
        if self.one is None and self.defaults:
            return "default if reply is None else _decode(reply)"
        return decoded(self.reply)

    @property
    def decode_one(self) -> str:
        """The same for a reply of which the first element is wanted."""
        return f"{decoded(self.single, 'reply[0]')} if reply else {'default' if self.defaults else 'None'}"

    def head(self, arguments: tuple[Argument, ...], annotation: str, default: str = "D = NOTHING") -> Head:
        """A way to write the method with *arguments*; nothing of `default` if that is empty."""
        params = [argument.source for argument in arguments if argument.star != "="]
        options = [argument.source for argument in arguments if argument.star == "="]
        options += [f"default: {default}"] if self.defaults and default else []
        if not any(argument.star == "*" for argument in arguments) and (options or self.fenced):
            params.append("*")
        return Head((*params, *options, *([FENCE] if self.fenced else [])), annotation)

    def heads(self, arguments: tuple[Argument, ...]) -> list[Head]:
        """All ways to write the method, the implementation last if there are several."""
        unsure = self.command.declaration.nothing_with
        if self.one is not None:
            alone = tuple(each for each in arguments if each.name != self.one)
            return [
                self.head(alone, self.annotation),
                self.head(_with(arguments, self.one, "int"), answer(self.reply), ""),
                self.head(arguments, "Any", "Any = None"),
            ]
        if self.counts is not None:
            plain = tuple(each for each in arguments if each.name != self.counts)
            return [
                self.head(plain, "int"),
                self.head(_with(arguments, self.counts, "N"), "N"),
                self.head(_with(arguments, self.counts, "Any = None"), "Any"),
            ]
        if unsure:
            sure = tuple(each for each in arguments if each.name not in unsure)
            general = self.head(arguments, self.annotation)
            return [self.head(sure, answer(self.single)), general, general]
        return [self.head(arguments, self.annotation)]


def method_of(command: Command) -> Method:
    """The method for one command."""
    signature, declared = command.signature, command.declaration
    taken = LOCALS & {param.name for param in signature.params}
    if taken:
        raise ValueError(f"{command.name}: a generated method uses {taken} itself")
    one = next((view.without for view in declared.views if view.without is not None), None)
    if one is not None and command.reply.kind is not FormKind.LIST:
        one = None
    options = sorted(signature.options, key=lambda param: not param.required)
    args = [_sent(param, one) for param in signature.positional]
    notes = " ".join(filter(None, (default_note(param) for param in signature.params if param.name != one)))
    notes = f"Without *{one}* it returns that one alone, or nothing." if one is not None else notes
    text = prose(command.doc)
    return Method(
        name=declared.method or "",
        command=command,
        arguments=tuple(_argument(param, one) for param in (*signature.positional, *options)),
        given=tuple(line for param in options for line in option_lines(param)),
        call=(
            f'"{command.name}"', f"({', '.join(args)}{',' * (len(args) == 1)})", "given or None" if options else "None",
            _kind(command.flags),
        ),
        reply=client_reply(command),
        one=one,
        text=f"{text}\n\n{notes}" if notes else text,
        examples=examples(command.doc),
    )  # fmt: skip


def signature_lines(name: str, heads: list[Head]) -> list[str]:
    """The ways to write a method as documentation shows them: without the parameters that many have."""
    lines = []
    for head in heads[:-1] or heads:
        params = [param for param in head.params if param != FENCE and not param.startswith("default:")]
        params = params[:-1] if params[-1:] == ["*"] else params
        lines.append(f"{name}({', '.join(params)}) -> {head.annotation.replace('| D', '| None')}")
    return [line.replace("OMITTED", "...").replace("builtins.", "") for line in lines]


def _with(arguments: tuple[Argument, ...], name: str, annotation: str) -> tuple[Argument, ...]:
    """*arguments*, one of them annotated otherwise."""
    other = f"{name}: {annotation}"
    return tuple(Argument(name, other, each.star) if each.name == name else each for each in arguments)


def _is_step(param: Param) -> bool:
    return isinstance(param.element, Row) and param.element.name == "number" and param.default is not None


def _argument(param: Param, one: str | None) -> Argument:
    star = "*" if param.shape is Shape.TAIL else "" if param.positional else "="
    return Argument(param.name, f"{param.name}: int | None = None" if param.name == one else parameter(param), star)


def _sent(param: Param, one: str | None) -> str:
    """The expression of a positional argument as it travels."""
    if param.name == one and param.default is not None:
        return f"{param.default!r} if {param.name} is None else {param.name}"
    return argument(param)


def _kind(flags: Flag) -> str:
    """What the connection must know of the call."""
    kind = "TAKES" if Flag.TAKES in flags else "WRITE" if Flag.WRITE in flags else "READ"
    return f"{kind} | WAITS" if Flag.BLOCKS in flags else kind
