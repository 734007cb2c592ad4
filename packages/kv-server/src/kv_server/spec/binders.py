"""Makes the binders of a command: emits their source, compiles it into the catalog's namespace, hands them out by the
names that `Command` has for them.

The namespace is shared by a whole catalog and every name in it starts with its command's, so the binders of several
commands fit in one module: the native build compiles such modules ahead, by groups of commands (`app.ahead`). They
are used where their text is the one that is emitted now.
"""

import linecache
import re
from collections.abc import Callable
from hashlib import blake2b
from importlib import import_module
from typing import Any

from kv_protocol.errors import CommandError
from kv_server.spec import checks
from kv_server.spec.command import Flag, Invocation, Named
from kv_server.spec.reply import Form, FormKind, present_expression
from kv_server.spec.resp_kinds import LONG, NIL_ARRAY, Members, Pairs, PairTable, longer
from kv_server.spec.resp_reply import resp_expression
from kv_server.spec.signature import Block, Choice, Param
from kv_server.spec.source import Plan, Source
from kv_server.spec.text import text_source
from kv_server.spec.typed import typed_source
from kv_server.spec.types import Row
from kv_server.spec.words import Words

__all__ = ["bind", "digest", "ident_of", "new_namespace"]

try:
    _compiled: Any = import_module("kv_server.bound")
except ModuleNotFoundError:
    _compiled = None


def new_namespace(commands: dict[str, Any]) -> dict[str, Any]:
    """What generated code may name; *commands* are the targets of selecting tokens, by word."""
    space: dict[str, Any] = {name: getattr(checks, name) for name in checks.__all__}
    return space | {
        "Invocation": Invocation,
        "Words": Words,
        "commands": commands,
        "READ": int(Flag.READ),
        "WRITE": int(Flag.WRITE),
        "BOTH": int(Flag.READ | Flag.WRITE),
        "Named": Named,
        "CommandError": CommandError,
        "LONG": LONG,
        "NIL_ARRAY": NIL_ARRAY,
        "longer": longer,
        "Members": Members,
        "Pairs": Pairs,
        "PairTable": PairTable,
    }


def ident_of(word: str) -> str:
    return re.sub(r"\W", "_", word.lower())


def bind(plan: Plan, function: Callable[..., Any], form: Form, space: dict[str, Any]) -> dict[str, Any]:
    """Emit and compile the binders of one command into *space*."""
    own: dict[str, Any] = {plan.function: function, f"{plan.ident}_view": plan.plain_view}
    for param in plan.signature.params:
        _own(plan, param, own)
    if plan.declaration.grammar is not None:
        own[f"{plan.ident}_grammar"] = plan.declaration.grammar.parse
    own[f"{plan.ident}_without"] = {view.without: view for view in plan.declaration.views if view.without}
    own[f"{plan.ident}_asked"] = {
        sum(1 << plan.tokens.index(token) for token in view.tokens): view
        for view in plan.declaration.views
        if view.tokens
    }
    space.update(own)
    forms = {None: form} | {view: view.reply for view in plan.declaration.views}
    shapes = {view: _shape(f"{plan.ident}_{at}", made) for at, (view, made) in enumerate(forms.items())}
    text = "\n\n".join(
        [
            typed_source(plan),
            text_source(plan, {view: made for view, (_, made, _) in shapes.items()}),
            _names_source(plan),
            _conversion(f"{plan.ident}_present", present_expression(form)),
            *(_conversion(name, expression) for name, expression, _ in shapes.values()),
            *(_conversion(f"{name}_part", part) for name, _, part in shapes.values()),
        ]
    )
    made = _compile(plan, text, space)
    always = ("call", "bind_typed", "call_text", "bind_text", "names")
    return {name: made[f"{plan.ident}_{name}"] for name in always} | {
        "present": made.get(f"{plan.ident}_present"),
        "shapes": {view: made.get(name) for view, (name, _, _) in shapes.items()},
        "source": text,
    }


def _shape(ident: str, form: Form) -> tuple[str, str | None, str | None]:
    """The name of what makes a reply of *form* as RESP has it, its source, and the source of what does it in parts."""
    name = f"{ident}_resp"
    row = form.part if form.kind is FormKind.OPTIONAL else form
    return name, resp_expression(form, part=f"{name}_part"), resp_expression(row)


def _own(plan: Plan, param: Param, own: dict[str, Any]) -> None:
    """The objects that the source of one parameter refers to."""
    default = plan.default(param)
    if default.isidentifier():
        own[default] = param.default
    parts: dict[str, Any] = {param.name: param.element}
    if isinstance(param.element, Block):
        own[plan.record(param.name)] = param.element.record
        parts |= {f"{param.name}_{name}": element for name, element in param.element.fields.items()}
    for key, element in parts.items():
        if isinstance(element, Choice):
            own[plan.choices(key)] = {word.encode(): word for word in element.words}


def _compile(plan: Plan, text: str, space: dict[str, Any]) -> dict[str, Any]:
    """The namespace in which *text* has run: that of the module in which it was compiled ahead, if there is one."""
    ahead = _ahead(plan.declaration.group)
    if digest(text) in ahead.get("DIGESTS", ()) and ahead.setdefault("SPACE", space) is space:
        ahead.update(space)
        return ahead
    name = f"<binders of {plan.word}>"
    linecache.cache[name] = (len(text), None, text.splitlines(True), name)
    exec(compile(text, name, "exec"), space)
    return space


def _ahead(group: str) -> dict[str, Any]:
    module = getattr(_compiled, group, None)
    return {} if module is None else vars(module)


def digest(text: str) -> str:
    """What tells one text of binders from another."""
    return blake2b(text.encode(), digest_size=16).hexdigest()


def _names_source(plan: Plan) -> str:
    """What a call names, and what it may do with that."""
    source = Source()
    with source.block(f"def {plan.ident}_names(invocation):"):
        source.add("found = []")
        writes = Flag.WRITE in plan.declaration.flags
        source.add(f"written = {'WRITE' if writes else 'READ'}")
        telling = [param.name for param in plan.signature.options if param.tells]
        if telling:
            with source.block(f"if {' or '.join(f'{name!r} in invocation.options' for name in telling)}:"):
                source.add("written = BOTH")
        for index, param in enumerate(plan.signature.positional):
            at = f"invocation.args[{index}:]" if param is plan.signature.tail else f"invocation.args[{index}]"
            _names_of(param, source, at, writes)
        for param in plan.signature.options:
            _names_of(param, source, f"invocation.options.get({param.name!r})", writes)
        source.add("return found")
    return source.text()


def _names_of(param: Param, source: Source, where: str, writes: bool) -> None:
    x = "x" if param.several else where
    if isinstance(param.element, Block):
        parts = [(f"{x}[{at}]", part) for at, part in enumerate(param.element.fields.values())]
    else:
        parts = [(x, param.element)]
    access = {"read": "READ", "both": "BOTH" if writes else "READ", "write": "written", None: "written"}
    lines = [
        f"found.append(new(Named, ({part.kind!r}, {name}, {access[part.access]})))"
        for name, part in parts
        if isinstance(part, Row) and part.kind
    ]
    if not lines:
        return
    if param.several:
        with source.block(f"for x in {where}:" if param.required or param.positional else f"for x in {where} or ():"):
            source.add(*lines)
    elif param.required:
        source.add(*lines)
    else:
        with source.block(f"if {where} is not None:"):
            source.add(*lines)


def _conversion(name: str, expression: str | None) -> str:
    return f"def {name}(reply):\n    return {expression}\n" if expression else ""
