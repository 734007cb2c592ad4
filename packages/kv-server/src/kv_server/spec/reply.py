"""The shape of a reply, read off the return annotation, and how a reply of that shape becomes ready for the wire."""

import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from typing import Annotated, Any, Final, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from attrs import frozen

from kv_server.spec.resp_kinds import KINDS
from kv_server.spec.signature import row_in
from kv_server.spec.types import PAIRS, TABLE, Row

__all__ = ["RESP_ONLY", "Form", "FormKind", "Stretch", "form_of", "present_expression"]

T = TypeVar("T")


class Stretch(Sequence[T]):
    """A long list: each of *items* becomes what it is to be, by *make*, when somebody looks at it."""

    def __init__(self, items: Sequence[Any], make: Callable[[Any], T]) -> None:
        self.items = items
        self.make = make

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[T]:
        return map(self.make, self.items)

    def __getitem__(self, at: Any) -> Any:
        return Stretch(self.items[at], self.make) if type(at) is slice else self.make(self.items[at])


class FormKind(Enum):
    NONE = "nothing"
    ANY = "whatever it is"
    ROW = "one value of a row"
    WORD = "one of a few words"
    OPTIONAL = "the part, or nothing"
    LIST = "a list of the part"
    TUPLE = "the parts, one after the other"
    MAP = "the part, by name"
    RECORD = "a named tuple of the parts"
    SET = "a set of the part"
    PAIRS = "a list of pairs, flat on RESP2"
    TABLE = "the part, by name; a list of pairs on RESP2"


RESP_ONLY: Final = frozenset({FormKind.SET, FormKind.PAIRS, FormKind.TABLE})
"""What only a view may make."""


@frozen(eq=False)
class Form:
    """A reply's shape, or that of a part of it."""

    kind: FormKind
    parts: tuple["Form", ...] = ()
    row: Row | None = None
    words: tuple[str, ...] = ()
    record: type[Any] | None = None

    @property
    def part(self) -> "Form":
        return self.parts[0]

    def fields(self) -> Mapping[str, "Form"]:
        """The parts of a record by name."""
        assert self.record is not None
        return dict(zip(self.record._fields, self.parts, strict=True))


NONE = Form(FormKind.NONE)
ANY = Form(FormKind.ANY)


def form_of(hint: Any, variables: Mapping[Any, Any] | None = None) -> Form:
    """The form that an annotation describes."""
    marks: tuple[Any, ...] = ()
    while get_origin(hint) is Annotated:
        hint, *more = get_args(hint)
        marks += tuple(more)
    if isinstance(hint, TypeVar):
        return form_of((variables or {})[hint], variables)
    if hint is None or hint is type(None):
        return NONE
    if hint is Any or hint is object or hint in KINDS:
        return ANY
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _union(args, variables)
    if origin is Literal:
        return Form(FormKind.WORD, words=args)
    if origin in (list, tuple, dict, set):
        return _container(origin, args, variables, marks)
    record = origin or hint
    if isinstance(record, type) and issubclass(record, tuple) and hasattr(record, "_fields"):
        bound = dict(zip(getattr(record, "__parameters__", ()), args, strict=False))
        hints = get_type_hints(record, include_extras=True)
        return Form(FormKind.RECORD, tuple(form_of(hints[name], bound) for name in record._fields), record=record)
    row = row_in(hint, marks)
    if row is None:
        raise TypeError(f"{hint} is no reply of the kit")
    return Form(FormKind.ROW, row=row)


def _union(args: tuple[Any, ...], variables: Mapping[Any, Any] | None) -> Form:
    rest = [arg for arg in args if arg is not type(None)]
    if len(rest) == len(args) or len(rest) != 1:
        raise TypeError(f"a reply of {len(rest)} kinds: a command has one, or nothing")
    return Form(FormKind.OPTIONAL, (form_of(rest[0], variables),))


def _container(
    origin: type, args: tuple[Any, ...], variables: Mapping[Any, Any] | None, marks: tuple[Any, ...]
) -> Form:
    if origin in (list, set):
        kind = FormKind.SET if origin is set else FormKind.PAIRS if PAIRS in marks else FormKind.LIST
        return Form(kind, (form_of(args[0], variables),))
    if origin is tuple:
        if len(args) == 2 and args[1] is Ellipsis:
            return Form(FormKind.LIST, (form_of(args[0], variables),))
        return Form(FormKind.TUPLE, tuple(form_of(arg, variables) for arg in args))
    key = form_of(args[0], variables)
    if key.row is None or key.row.client != "str":
        raise TypeError("the keys of a map are names")
    return Form(FormKind.TABLE if TABLE in marks else FormKind.MAP, (form_of(args[1], variables), key))


def present_expression(form: Form, x: str = "reply", depth: int = 0) -> str | None:
    """Source of what makes a reply ready for the wire; None where the packer takes it as it is.

    Named tuples pack as arrays by themselves; only names need care, as they are str where UTF-8 and bytes where not.
    """
    name = f"x{depth}"
    if form.kind is FormKind.ROW:
        assert form.row is not None
        return form.row.present.format(x=x) if form.row.present else None
    if form.kind is FormKind.OPTIONAL:
        inner = present_expression(form.part, x, depth)
        return inner and f"(None if {x} is None else {inner})"
    if form.kind is FormKind.LIST:
        inner = present_expression(form.part, name, depth + 1)
        return inner and f"[{inner} for {name} in {x}]"
    if form.kind is FormKind.MAP:
        inner = present_expression(form.part, name, depth + 1) or name
        key = present_expression(form.parts[1], f"k{depth}", depth + 1) or f"k{depth}"
        return f"{{{key}: {inner} for k{depth}, {name} in {x}.items()}}"
    if form.kind in (FormKind.TUPLE, FormKind.RECORD):
        parts = [present_expression(part, f"{x}[{index}]", depth) for index, part in enumerate(form.parts)]
        if any(parts):
            items = [part or f"{x}[{index}]" for index, part in enumerate(parts)]
            return f"({', '.join(items)},)"
    return None
