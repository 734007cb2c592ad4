"""From the annotation of a reply, or of a view, to the source of what makes it one of `resp_kinds`."""

from typing import Final

from kv_server.spec.reply import Form, FormKind

__all__ = ["resp_expression"]

_MADE_BY: Final = {FormKind.SET: "Members", FormKind.PAIRS: "Pairs", FormKind.TABLE: "PairTable"}
_ARRAYS: Final = frozenset(
    {FormKind.LIST, FormKind.TUPLE, FormKind.RECORD, FormKind.MAP, FormKind.SET, FormKind.PAIRS, FormKind.TABLE}
)


def resp_expression(form: Form, x: str = "reply", depth: int = 0, *, part: str | None = None) -> str | None:
    """Source of what makes a reply describe itself; None where it does already. *part* is a function that makes the
    same of a part of a long one.
    """
    name = f"x{depth}"
    if form.kind is FormKind.ROW:
        assert form.row is not None
        return form.row.resp.format(x=x) if form.row.resp else None
    if form.kind is FormKind.OPTIONAL:
        inner = resp_expression(form.part, x, depth, part=part)
        nothing = "NIL_ARRAY" if form.part.kind in _ARRAYS else None
        return f"({nothing} if {x} is None else {inner or x})" if inner or nothing else None
    if form.kind in (FormKind.LIST, FormKind.SET, FormKind.PAIRS):
        inner = resp_expression(form.part, name, depth + 1)
        items = f"[{inner} for {name} in {x}]" if inner else x
        return _made(form, items if inner else None, x, part)
    if form.kind in (FormKind.MAP, FormKind.TABLE):
        inner = resp_expression(form.part, name, depth + 1)
        items = f"{{k{depth}: {inner} for k{depth}, {name} in {x}.items()}}" if inner else x
        return _made(form, items if inner else None, x, part)
    if form.kind in (FormKind.TUPLE, FormKind.RECORD):
        parts = [resp_expression(part, f"{x}[{index}]", depth) for index, part in enumerate(form.parts)]
        if any(parts):
            return f"({', '.join(part or f'{x}[{index}]' for index, part in enumerate(parts))},)"
    return None


def _made(form: Form, items: str | None, x: str, part: str | None) -> str | None:
    """Source of the class that *form* asks for, of *items* if they are not as they were; of a long reply, later."""
    made = _MADE_BY.get(form.kind)
    source = f"{made}({items or x})" if made else items
    return f"({source} if len({x}) <= LONG else longer({x}, {part}))" if source and part else source
