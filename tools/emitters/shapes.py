"""What a command looks like to a Python client: annotations, and the expressions that encode and decode."""

import re
from typing import TypeVar, get_type_hints

from tools.emitters.layout import bracketed

from kv_protocol.types import Entry
from kv_protocol.values import decode
from kv_server.spec.command import Command
from kv_server.spec.reply import Form, FormKind
from kv_server.spec.signature import Block, Choice, Element, Many, Param, Shape
from kv_server.spec.types import Row

__all__ = [
    "answer",
    "argument",
    "client_reply",
    "decoded",
    "default_note",
    "element_annotation",
    "encoded",
    "name_place",
    "option_lines",
    "parameter",
    "record_source",
    "records_in",
]

SHARED = Entry.__module__
NAMES = frozenset({"key", "taken_key", "source_key", "name", "channel", "lock_name"})


def parameter(param: Param) -> str:
    """A parameter of the client's method."""
    one = param.client or element_annotation(param.element)
    if param.shape is Shape.TAIL:
        return f"*{param.name}: {one}{_mapping(param.element)}"
    annotation = f"Iterable[{one}]" if param.several else one
    if param.required:
        return f"{param.name}: {annotation}"
    default = _default(param)
    if default == "OMITTED":
        return f"{param.name}: {annotation} = OMITTED"
    return f"{param.name}: {annotation}{' | None' * (default == 'None')} = {default}"


def argument(param: Param) -> str:
    """The expression of a positional argument as it travels; of a tail, with its star."""
    if param.several:
        item = encoded(param.element, "x")
        place = name_place(param.element)
        named = param.name if place is None else f"{'_by_name_last' if place else '_by_name'}({param.name})"
        mapped = _mapped(item, named)
        return f"*{mapped}" if param.shape is Shape.TAIL else mapped if mapped.startswith("[") else f"[*{mapped}]"
    value = encoded(param.element, param.name)
    if param.required or value == param.name:
        return value
    if _default(param) == "OMITTED":
        return f"None if {param.name} is OMITTED else {value}"
    return f"None if {param.name} is None else {value}"


def option_lines(param: Param) -> list[str]:
    """The lines that put an option into `given` if it was chosen."""
    default = _default(param)
    target = f'given["{param.word}"]'
    if param.several:
        value = f"[*{_mapped(encoded(param.element, 'x'), param.name)}]"
    else:
        value = param.encode.format(x=param.name) if param.encode else encoded(param.element, param.name)
    if param.required:
        return [f"{target} = {value}"]
    if default == "False":
        return [f"if {param.name}:", f"    {target} = True"]
    if default == "()":
        return [f"if {param.name}:", f"    {target} = {value}"]
    test = f"is not {default}" if default in ("None", "True", "OMITTED") else f"!= {default}"
    return [f"if {param.name} {test}:", f"    {target} = {value}"]


def encoded(element: Element, x: str) -> str:
    """The expression that makes what travels of *x*."""
    if isinstance(element, Row):
        return element.encode.format(x=x)
    if isinstance(element, Choice):
        return x
    parts = [encoded(part, f"{x}[{index}]") for index, part in enumerate(element.fields.values())]
    return x if all(part == f"{x}[{index}]" for index, part in enumerate(parts)) else f"({', '.join(parts)})"


def name_place(element: Element) -> int | None:
    """Where a record has its one name, if that is its first or last field: such records may be given as a mapping."""
    if not isinstance(element, Block):
        return None
    rows = list(element.fields.values())
    places = [at for at, row in enumerate(rows) if isinstance(row, Row) and row.name in NAMES]
    return places[0] if len(places) == 1 and places[0] in (0, len(rows) - 1) else None


def client_reply(command: Command) -> Form:
    """The form of a reply as clients have it: a list whose text view is a set is one."""
    view, form = command.plain_view, command.reply
    is_set = view is not None and view.reply.kind is FormKind.SET and form.kind is FormKind.LIST
    return Form(FormKind.SET, form.parts) if is_set else form


def default_note(param: Param) -> str | None:
    """A sentence about a default that the signature does not show."""
    if (
        param.required
        or param.default is None
        or param.shape is Shape.TAIL
        or _default(param) not in ("None", "OMITTED")
    ):
        return None
    if isinstance(param.element, Row) and param.element.encode == "_duration_ms({x})":
        return f"Without *{param.name}* it is {param.default / 1000:g} s."
    if isinstance(param.element, Row) and param.element.encode == "_encode({x})":
        return f"Without *{param.name}* it is {decode(param.default)!r}."
    return f"Without *{param.name}* it is {param.default!r}."


def answer(form: Form) -> str:
    """The annotation of a reply."""
    match form.kind:
        case FormKind.NONE:
            return "None"
        case FormKind.ANY:
            return "Any"
        case FormKind.WORD:
            return _literal(form.words)
        case FormKind.OPTIONAL if form.part.kind is FormKind.MAP:  # nothing is a map of nothing
            return answer(form.part)
        case FormKind.OPTIONAL:
            return f"{answer(form.part)} | None"
        case FormKind.LIST | FormKind.PAIRS:
            return f"list[{answer(form.part)}]"
        case FormKind.SET:
            return f"builtins.set[{answer(form.part)}]"
        case FormKind.MAP | FormKind.TABLE:
            return f"dict[str, {answer(form.part)}]"
        case FormKind.TUPLE:
            return f"tuple[{', '.join(map(answer, form.parts))}]"
        case FormKind.RECORD:
            return _record_annotation(form)
        case FormKind.ROW:
            assert form.row is not None
            return form.row.answer or form.row.client


def decoded(form: Form, x: str = "reply", depth: int = 0) -> str:
    """The expression that makes of *x*, as it came, what the caller gets; *x* itself if it is that."""
    inner = f"x{depth}"
    match form.kind:
        case FormKind.ROW:
            assert form.row is not None
            return form.row.decode.format(x=x)
        case FormKind.OPTIONAL if form.part.kind is FormKind.MAP:
            return decoded(form.part, f"({x} or {{}})", depth)
        case FormKind.OPTIONAL:
            if form.part.record is Entry:
                return f"_entry({x})"
            part = decoded(form.part, x, depth)
            return x if part == x else f"None if {x} is None else {part}"
        case FormKind.LIST:
            part = decoded(form.part, inner, depth + 1)
            return x if part == inner else f"[{part} for {inner} in {x}]"
        case FormKind.SET:
            return f"{{{decoded(form.part, inner, depth + 1)} for {inner} in {x}}}"
        case FormKind.MAP:
            part = decoded(form.part, inner, depth + 1)
            return f"{{_text(k{depth}): {part} for k{depth}, {inner} in {x}.items()}}"
        case FormKind.TUPLE:
            return f"({', '.join(_parts(form, x, depth))})"
        case FormKind.RECORD:
            assert form.record is not None
            return f"{record_function(form)}({x})" if _converts(form) else f"{form.record.__name__}(*{x})"
        case _:
            return x


def records_in(form: Form) -> list[Form]:
    """Every record in a reply, the innermost first."""
    return [record for part in form.parts for record in records_in(part)] + ([form] if form.record else [])


def record_function(form: Form) -> str:
    """The name of the generated function that makes a record of what came."""
    assert form.record is not None
    return re.sub(r"(?=[A-Z])", "_", form.record.__name__).lower()


def record_source(form: Form) -> list[str]:
    """That function; nothing for a record that takes its fields as they came."""
    assert form.record is not None
    if form.record is Entry or not _converts(form):
        return []
    name = form.record.__name__
    made = bracketed(f"return {name}(", _parts(form, "reply", 0), ")", 4)
    return [f"def {record_function(form)}(reply: Any) -> {name}:", *made, "", ""]


def _parts(form: Form, x: str, depth: int) -> list[str]:
    return [decoded(part, f"{x}[{index}]", depth) for index, part in enumerate(form.parts)]


def _converts(form: Form) -> bool:
    return _parts(form, "x", 0) != [f"x[{index}]" for index in range(len(form.parts))]


def _mapped(item: str, name: str) -> str:
    """An iterable of all elements of *name* as they travel."""
    if item == "x":
        return name
    called = item.removesuffix("(x)")
    return f"map({called}, {name})" if called.isidentifier() else f"[{item} for x in {name}]"


def element_annotation(element: Element) -> str:
    """The annotation of one element of a parameter."""
    if isinstance(element, Choice):
        return _literal(element.words)
    if isinstance(element, Block):
        return f"tuple[{', '.join(map(element_annotation, element.fields.values()))}]"
    return element.client


def _mapping(element: Element) -> str:
    """What else a tail of records may hold: what stands for several of them."""
    place = name_place(element)
    if place is None:
        return ""
    assert isinstance(element, Block)
    others = [element_annotation(part) for at, part in enumerate(element.fields.values()) if at != place]
    one = others[0] if len(others) == 1 else f"tuple[{', '.join(others)}]"
    return f" | Mapping[str, {one}]"


def _literal(words: tuple[str, ...]) -> str:
    quoted = ", ".join(f'"{word}"' for word in words)
    return f"Literal[{quoted}]"


def _default(param: Param) -> str:
    """Source of the default: the server's own where it reads the same at the client, else what says "left out".

    None cannot say that of a value: it is one.
    """
    if param.many is Many.AGAIN:
        return "()"
    if isinstance(param.element, Row) and param.element.name == "value" and not param.several:
        return "OMITTED"
    plain = isinstance(param.element, Choice) or (isinstance(param.element, Row) and param.element.encode == "{x}")
    if not plain or param.several:
        return "None"
    return f'"{param.default}"' if isinstance(param.default, str) else repr(param.default)


def _record_annotation(form: Form) -> str:
    record = form.record
    assert record is not None
    variables = getattr(record, "__parameters__", ())
    if not variables:
        return record.__name__
    hints = get_type_hints(record)
    bound: dict[object, str] = {}
    for name, part in form.fields().items():
        if isinstance(hints[name], TypeVar):
            bound[hints[name]] = answer(part)
    return f"{record.__name__}[{', '.join(bound.get(variable, 'Any') for variable in variables)}]"
