"""From a function to its parameters: what each one is, and the shape in which a command line writes it."""

import inspect
import types
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Annotated, Any, Final, Literal, TypeAlias, TypeVar, Union, get_args, get_origin, get_type_hints

from attrs import frozen

from kv_server.spec.types import COUNTED, NATIVE, OPTIONAL, TELLS, Client, Label, Row, Same, Token, Unit, row_of_plain

__all__ = [
    "Block",
    "Choice",
    "Element",
    "Many",
    "Param",
    "Shape",
    "Signature",
    "returned",
    "row_in",
    "signature_of",
    "split_annotated",
]

M = TypeVar("M")
PLACES: Final = ("tx", "session", "node")


class Shape(Enum):
    """How a parameter is written on a command line."""

    FIXED = "a word in its place"
    TAIL = "all words that are left"
    COUNTED = "a number and as many words"
    TOKEN = "[CH]"
    CHOICE = "[NX | XX]"
    OPTION = "[LIMIT offset count]"
    LAST = "a word after everything else"


class Many(Enum):
    """How a command line says how many elements a parameter has."""

    ONE = "it has one"
    TAIL = "all words that are left"
    COUNTED = "a number stands before them"
    SAME = "as many as another parameter has"
    AGAIN = "the token is written again for each"


@frozen(eq=False)
class Choice:
    """One of a few words."""

    words: tuple[str, ...]


@frozen(eq=False)
class Block:
    """A record written as its fields, one after the other; one array on the wire.

    Of several, commands get each as a plain tuple.
    """

    record: type[Any]
    fields: Mapping[str, "Row | Choice"]


Element: TypeAlias = Row | Choice | Block
POSITIONAL: Final = frozenset({Shape.FIXED, Shape.TAIL, Shape.COUNTED})


@frozen(eq=False)
class Param:
    """One parameter. *required*: a call must give it; *empty*: it may hold no element at all."""

    name: str
    shape: Shape
    element: Element
    required: bool
    many: Many
    default: Any = None
    tokens: tuple[Token, ...] = ()
    native: bool = False
    empty: bool = False
    scale: int = 1
    label: str | None = None
    same: str | None = None
    client: str | None = None
    encode: str | None = None
    tells: bool = False

    @property
    def word(self) -> str:
        """The name as it travels: a trailing underscore only keeps Python's words apart."""
        return self.name.rstrip("_")

    @property
    def positional(self) -> bool:
        return self.shape in POSITIONAL

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of names that it holds."""
        element = self.element
        parts = element.fields.values() if isinstance(element, Block) else (element,)
        return frozenset(part.kind for part in parts if isinstance(part, Row) and part.kind)

    @property
    def several(self) -> bool:
        """The function gets a tuple of elements (or, of a tail, all of them)."""
        return self.many is not Many.ONE


@frozen(eq=False)
class Signature:
    """A command's parameters in the order of its function, and the annotation of its reply."""

    place: str
    params: tuple[Param, ...]
    reply: Any

    @property
    def positional(self) -> tuple[Param, ...]:
        return tuple(param for param in self.params if param.positional)

    @property
    def options(self) -> tuple[Param, ...]:
        return tuple(param for param in self.params if not param.positional)

    @property
    def tail(self) -> Param | None:
        return next((param for param in self.params if param.shape is Shape.TAIL), None)


def signature_of(function: Callable[..., Any]) -> Signature:
    """Read the grammar of a command off its function."""
    raw = inspect.signature(function).parameters
    names = list(raw)
    try:
        if not names or names[0] not in PLACES:
            raise TypeError("the first parameter must be tx, session or node")
        hints = _hints(function, names[0])
        params = tuple(_param(raw[name], hints[name]) for name in names[1:])
        _check_order(params)
        return Signature(names[0], params, hints["return"])
    except KeyError as error:
        raise TypeError(f"{function.__qualname__}: {error.args[0]} has no annotation") from error
    except TypeError as error:
        raise TypeError(f"{function.__qualname__}: {error}") from error


def _hints(function: Callable[..., Any], place: str) -> dict[str, Any]:
    """Annotations as objects; the place is left out, so that its type needs no import."""
    written = {name: hint for name, hint in function.__annotations__.items() if name != place}
    holder = types.SimpleNamespace(__annotations__=written)
    return get_type_hints(holder, getattr(function, "__globals__", {}), include_extras=True)


def returned(function: Callable[..., Any]) -> Any:
    """The annotation of what *function* returns."""
    written = {name: hint for name, hint in getattr(function, "__annotations__", {}).items() if name == "return"}
    if not written:
        raise TypeError(f"{function!r} does not say what it returns")
    holder = types.SimpleNamespace(__annotations__=written)
    return get_type_hints(holder, getattr(inspect.unwrap(function), "__globals__", {}), include_extras=True)["return"]


def _param(raw: inspect.Parameter, hint: Any) -> Param:
    inner, marks = split_annotated(hint)
    several = get_origin(inner) is tuple
    element = _element(get_args(inner)[0], ()) if several else _element(inner, marks)
    many = _many(raw, marks, several)
    tokens = tuple(mark for mark in marks if isinstance(mark, Token))
    shape = _shape(raw, element, many, bool(tokens))
    if not tokens and shape in (Shape.OPTION, Shape.TOKEN):
        tokens = (Token(raw.name.upper().replace("_", "")),)
    tail = shape is Shape.TAIL
    required = OPTIONAL not in marks if tail else raw.default is raw.empty
    unit, label, same, client = _one(marks, Unit), _one(marks, Label), _one(marks, Same), _one(marks, Client)
    return Param(
        name=raw.name,
        shape=shape,
        element=element,
        required=required,
        many=many,
        default=None if required or tail else raw.default,
        tokens=tokens,
        native=NATIVE in marks,
        empty=OPTIONAL in marks or many is Many.AGAIN,
        scale=unit.scale if unit else 1,
        label=label.word if label else None,
        same=same.name if same else None,
        client=client.annotation if client else None,
        encode=client.encode if client else None,
        tells=TELLS in marks,
    )


def split_annotated(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """The plain type in *hint*, without `| None`, and all marks on the way to it."""
    marks: tuple[Any, ...] = ()
    while True:
        if get_origin(hint) is Annotated:
            hint, *more = get_args(hint)
            marks += tuple(more)
        elif get_origin(hint) in (Union, types.UnionType) and type(None) in get_args(hint):
            rest = [part for part in get_args(hint) if part is not type(None)]
            if len(rest) != 1:
                raise TypeError(f"{hint} is none of the kit's types")
            hint = rest[0]
        else:
            return hint, marks


def row_in(plain: Any, marks: tuple[Any, ...]) -> Row | None:
    """The row that an annotation names, or the one its builtin type stands for."""
    return _one(marks, Row) or row_of_plain(plain)


def _one(marks: tuple[Any, ...], kind: type[M]) -> M | None:
    return next((mark for mark in marks if isinstance(mark, kind)), None)


def _element(hint: Any, marks: tuple[Any, ...]) -> Element:
    plain, more = split_annotated(hint)
    if get_origin(plain) is Literal:
        return Choice(get_args(plain))
    if isinstance(plain, type) and issubclass(plain, tuple) and hasattr(plain, "_fields"):
        fields: dict[str, Row | Choice] = {}
        for name, annotation in get_type_hints(plain, include_extras=True).items():
            part = _element(annotation, ())
            if isinstance(part, Block):
                raise TypeError(f"{plain.__name__}.{name} is a record within a record")
            fields[name] = part
        return Block(plain, fields)
    row = row_in(plain, marks + more)
    if row is None:
        raise TypeError(f"{hint} is none of the kit's types")
    return row


def _many(raw: inspect.Parameter, marks: tuple[Any, ...], several: bool) -> Many:
    if raw.kind is raw.VAR_POSITIONAL:
        return Many.TAIL
    if not several:
        return Many.ONE
    if COUNTED in marks:
        return Many.COUNTED
    return Many.SAME if _one(marks, Same) else Many.AGAIN


def _shape(raw: inspect.Parameter, element: Element, many: Many, token: bool) -> Shape:
    if many is Many.TAIL:
        return Shape.TAIL
    if raw.kind is not raw.KEYWORD_ONLY:
        return Shape.COUNTED if many is Many.COUNTED else Shape.FIXED
    if raw.default is raw.empty:
        return Shape.OPTION if token else Shape.LAST
    if isinstance(element, Row) and element.name == "bool" and raw.default is False:
        return Shape.TOKEN
    return Shape.CHOICE if isinstance(element, Choice) and not token and many is Many.ONE else Shape.OPTION


def _check_order(params: tuple[Param, ...]) -> None:
    """Refuse what no command line could be read back from."""
    optional = tail = False
    for param in params:
        if param.positional:
            if tail or (optional and (param.required or param.shape is not Shape.FIXED)):
                raise TypeError(f"{param.name} stands after an optional parameter or a tail")
            if param.many in (Many.SAME, Many.AGAIN):
                raise TypeError(f"{param.name}: only an option may be a plain tuple")
            optional, tail = not param.required and param.shape is Shape.FIXED, param.shape is Shape.TAIL
        if param.native and (param.required or param.positional):
            raise TypeError(f"{param.name} has no form on a command line: it must be an option with a default")
        if param.shape is Shape.OPTION and param.many is Many.COUNTED and len(param.tokens) != 1:
            raise TypeError(f"{param.name}: a counted option has one token")
        if param.shape is Shape.LAST and param.several:
            raise TypeError(f"{param.name} needs a token: nothing says how many words it has")
        if param.same and not any(other.name == param.same and other.shape is Shape.COUNTED for other in params):
            raise TypeError(f"{param.name}: {param.same} is no counted parameter")
