"""JSON schemas of a command's arguments and of its reply, for doors that speak JSON and for documentation."""

from collections.abc import Mapping
from typing import Any

from kv_server.spec.reply import Form, FormKind
from kv_server.spec.signature import Block, Choice, Element, Param, Shape, Signature

__all__ = ["schema_of"]


def schema_of(signature: Signature, reply: Form) -> dict[str, Any]:
    """Both schemas; arguments are an object by parameter name, in which a tail is an array."""
    required = [param.word for param in signature.params if param.required]
    arguments: dict[str, Any] = {
        "type": "object",
        "properties": {param.word: _param(param) for param in signature.params},
        "additionalProperties": False,
    }
    if required:
        arguments["required"] = required
    return {"arguments": arguments, "reply": _form(reply)}


def _param(param: Param) -> dict[str, Any]:
    one = _element(param.element)
    if param.several:
        return {"type": "array", "items": one} | ({} if param.empty else {"minItems": 1})
    return one | {"default": False} if param.shape is Shape.TOKEN else one


def _element(element: Element) -> dict[str, Any]:
    if isinstance(element, Choice):
        return {"enum": list(element.words)}
    if isinstance(element, Block):
        return _array(
            [_element(part) for part in element.fields.values()], [name.rstrip("_") for name in element.fields]
        )
    return dict(element.schema)


def _array(parts: list[dict[str, Any]], titles: list[str]) -> dict[str, Any]:
    """An array of fixed length whose items have names."""
    items = [{"title": title} | part if title else part for title, part in zip(titles, parts, strict=True)]
    return {"type": "array", "prefixItems": items, "items": False, "minItems": len(items)}


def _form(form: Form) -> dict[str, Any]:
    match form.kind:
        case FormKind.NONE:
            return {"type": "null"}
        case FormKind.ANY:
            return {}
        case FormKind.WORD:
            return {"enum": list(form.words)}
        case FormKind.OPTIONAL:
            return {"anyOf": [_form(form.part), {"type": "null"}]}
        case FormKind.LIST | FormKind.SET | FormKind.PAIRS:
            return {"type": "array", "items": _form(form.part)}
        case FormKind.MAP | FormKind.TABLE:
            return {"type": "object", "additionalProperties": _form(form.part)}
        case FormKind.TUPLE:
            return _array([_form(part) for part in form.parts], [""] * len(form.parts))
        case FormKind.RECORD:
            fields: Mapping[str, Form] = form.fields()
            return _array([_form(part) for part in fields.values()], list(fields))
        case FormKind.ROW:
            assert form.row is not None
            return dict(form.row.schema)
