"""What a command is: its flags, what its author declared, and everything derived from that."""

import inspect
from collections.abc import Callable, Mapping
from enum import IntFlag
from typing import Any, Final, NamedTuple, Self

from attrs import field, frozen

from kv_protocol.errors import CommandError
from kv_server.spec.categories import categories_of
from kv_server.spec.gate import Hot
from kv_server.spec.reply import Form, form_of
from kv_server.spec.schema import schema_of
from kv_server.spec.signature import Signature, returned

__all__ = [
    "ADMIN", "ALONE", "BLOCKS", "FAST", "GREETS", "GROWS", "LISTENS", "NATIVE_DOOR", "READ", "RESP_DOOR", "SLOW",
    "SPANS", "STEERS", "STREAMS", "SWEEPS", "TAKES", "WRITE", "Command", "Declaration", "Door", "Flag", "Grammar",
    "Invocation", "Named", "View", "declaration_of", "declare", "word_of",
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
    STEERS = 1024
    LISTENS = 2048
    ALONE = 4096
    GREETS = 8192
    SPANS = 16384


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
STEERS: Final = Flag.STEERS  # runs at once also where calls are queued
LISTENS: Final = Flag.LISTENS  # open to a connection of RESP2 that listens to channels
ALONE: Final = Flag.ALONE  # cannot be queued
GREETS: Final = Flag.GREETS  # open also where nobody has logged in
SPANS: Final = Flag.SPANS  # is about all namespaces


class Door(IntFlag):
    """The protocols a word exists on."""

    NATIVE = 1
    RESP = 2


NATIVE_DOOR: Final = Door.NATIVE
RESP_DOOR: Final = Door.RESP


@frozen(eq=False)
class View:
    """A form of the reply on the text door: what *project* makes of it, in the form that its own annotation says.

    It is taken always, or when all of *tokens* are given, or when the parameter *without* is not. Tokens that make a
    view are no parameters: they change nothing but the reply's shape. Where RESP has a reply for what is an error
    natively, *rescue* turns that error into it (in the same form), and raises every other again.
    """

    name: str
    project: Callable[[Any], Any] = field(repr=False)
    tokens: tuple[str, ...] = ()
    without: str | None = None
    rescue: Callable[[CommandError], Any] | None = field(default=None, repr=False)
    reply: Form = field(init=False, repr=False)

    @reply.default
    def _reply(self) -> Form:
        return form_of(returned(self.project))


@frozen
class Grammar:
    """A hand-written form on the command line: *parse* gets a `Words` and returns positional arguments and options.

    *least* is the fewest words that may follow the command's own.
    """

    usage: str
    parse: Callable[[Any], tuple[tuple[Any, ...], dict[str, Any]]]
    least: int


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
    handles: Mapping[str, str] = field(factory=dict)
    nothing_with: tuple[str, ...] = ()
    one_of: tuple[tuple[str, ...], ...] = ()
    event: str | None = None

    @property
    def groups(self) -> tuple[tuple[str, ...], ...]:
        """Options of which a call has one at most."""
        return self.exclusive + self.one_of


class Named(NamedTuple):
    """A name that a call names, of what kind, and what the call does with it: it reads, writes, or both."""

    kind: str
    name: bytes
    access: int
    """Bits of `Flag`, but plain ones, which are quicker to compare."""


@frozen(eq=False, repr=False)
class Command:
    """A declared command with all that is derived from it. Its functions are generated, see `binders`, when the first
    of them is asked for: most processes call few commands, and all of them wait for the start.
    """

    name: str
    bit: int
    function: Callable[..., Any]
    declaration: Declaration
    signature: Signature
    reply: Form
    usage: str
    """One line, as on a command line."""
    native: str
    """One line, as on the native wire."""
    arity: int
    """Words of a command line, its name's included; negative: so many or more."""
    generate: Callable[[], Mapping[str, Any]]
    """Makes the functions below, by their names."""
    presents: bool = False
    """Replies are made ready for the wire by `present`."""
    spoken: bool = False
    """As the text door calls it: *call* is *call_text*."""
    present: Callable[[Any], Any] | None = field(init=False)
    """What makes a reply ready for the wire; None where it is."""
    shapes: Mapping[View | None, Callable[[Any], Any] | None] = field(init=False)
    """By view, what makes its reply as RESP has it; None where it is. Known once the functions are made."""
    flags: Flag = field(init=False)
    group: str = field(init=False)
    place: str = field(init=False)
    hot: Hot = field(init=False)
    acl: tuple[str, ...] = field(init=False)
    """Its categories."""
    plain_view: View | None = field(init=False)

    @flags.default
    def _flags(self) -> Flag:
        return self.declaration.flags

    @group.default
    def _group(self) -> str:
        return self.declaration.group

    @place.default
    def _place(self) -> str:
        return self.signature.place

    @hot.default
    def _hot(self) -> Hot:
        common = self.place == "tx" and not self.flags & (Flag.SWEEPS | Flag.BLOCKS | Flag.STREAMS)
        return Hot(self.bit, common, lambda place, args, options: self._ready().call(place, args, options))

    @acl.default
    def _acl(self) -> tuple[str, ...]:
        return categories_of(self.group, self.flags, self.signature)

    @plain_view.default
    def _plain_view(self) -> View | None:
        return next((view for view in self.declaration.views if not view.tokens and not view.without), None)

    @present.default
    def _first_present(self) -> Callable[[Any], Any] | None:
        return (lambda reply: self.generate()["present"](reply)) if self.presents else None

    @shapes.default
    def _no_shapes(self) -> Mapping[View | None, Callable[[Any], Any] | None]:
        return {}

    def _ready(self) -> Self:
        """The same with its functions made."""
        made = self.generate()
        self.hot.call = made["call_text" if self.spoken else "call"]
        object.__setattr__(self, "present", made["present"])
        object.__setattr__(self, "shapes", made["shapes"])
        return self

    def shape_of(self, view: View | None) -> Callable[[Any], Any] | None:
        """What makes the reply in that *view* what RESP has; None where it is."""
        return (self.shapes or self._ready().shapes)[view]

    @property
    def call(self) -> Callable[..., Any]:
        return self.hot.call

    @property
    def bind_typed(self) -> Callable[[Any, Any], Invocation]:
        made: Callable[[Any, Any], Invocation] = self.generate()["bind_typed"]
        return made

    @property
    def call_text(self) -> Callable[..., Any]:
        """`call_text(place, words)`: `call` for a command line; the reply is as RESP has it, see `resp_kinds`."""
        made: Callable[..., Any] = self.generate()["call_text"]
        return made

    @property
    def bind_text(self) -> Callable[[list[bytes]], Invocation]:
        made: Callable[[list[bytes]], Invocation] = self.generate()["bind_text"]
        return made

    @property
    def names(self) -> Callable[[Invocation], list[Named]]:
        """All that a call names: keys, locks, channels, namespaces, and patterns of these."""
        made: Callable[[Invocation], list[Named]] = self.generate()["names"]
        return made

    @property
    def source(self) -> str:
        made: str = self.generate()["source"]
        return made

    def __repr__(self) -> str:
        return f"<command {self.name}>"

    @property
    def since(self) -> str:
        """The version that had it first."""
        return self.declaration.since

    @property
    def cost(self) -> str:
        """What a call costs, in the large."""
        return self.declaration.cost

    @property
    def doc(self) -> str:
        """The documentation of the command, as users read it."""
        return inspect.getdoc(self.function) or ""

    @property
    def schema(self) -> dict[str, Any]:
        return schema_of(self.signature, self.reply)

    def keys(self, invocation: Invocation) -> list[tuple[bytes, Flag]]:
        """The keys that a call names, each with `READ` or `WRITE`: the most it may do to them."""
        keys = (named for named in invocation.command.names(invocation) if named.kind == "key")
        return [(name, Flag.WRITE if access & Flag.WRITE else Flag.READ) for _, name, access in keys]

    def run(self, place: Any, invocation: Invocation) -> Any:
        """Run a call that was bound before; the reply as the native door has it."""
        return self.function(place, *invocation.args, **invocation.options)

    def answer(self, place: Any, invocation: Invocation) -> Any:
        """Run a call that was bound before; the reply as RESP has it, in the form that its words asked for."""
        view = invocation.view
        try:
            reply = self.function(place, *invocation.args, **invocation.options)
            if view is not None:
                reply = view.project(reply)
        except CommandError as error:
            if view is None or view.rescue is None:
                raise
            reply = view.rescue(error)
        shape = self.shape_of(view)
        return reply if shape is None else shape(reply)

    def late(self, reply: Any) -> Any:
        """*reply*, which came when the time to wait was over, as RESP has it."""
        view = self.plain_view
        shape = self.shape_of(view)
        reply = reply if view is None else view.project(reply)
        return reply if shape is None else shape(reply)


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
