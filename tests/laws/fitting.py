"""Whether a reply fits the JSON schema that its command shows: the little of JSON Schema that schemas here use."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from kv_server.spec.reply import Form, FormKind
from tests.engine.rig import Present

KNOWN = {
    "type", "anyOf", "enum", "items", "prefixItems", "minItems", "maxLength", "minimum", "maximum",
    "additionalProperties", "description", "title", "contentEncoding", "default",
}  # fmt: skip
KINDS: dict[str, tuple[type, ...]] = {
    "null": (type(None),),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float, Decimal),
    "string": (str, bytes),
    "array": (list, tuple),
    "object": (dict,),
}


def fits(schema: dict[str, Any], reply: Any) -> bool:
    """Whether *reply*, in Python values, is what *schema* describes."""
    assert set(schema) <= KNOWN, f"this checker does not know {set(schema) - KNOWN}"
    if isinstance(reply, Present):
        reply = reply.value
    if "anyOf" in schema and not any(fits(choice, reply) for choice in schema["anyOf"]):
        return False
    if "enum" in schema and reply not in schema["enum"]:
        return False
    kind = schema.get("type")
    if kind is None:
        return True
    if not isinstance(reply, KINDS[kind]) or (isinstance(reply, bool) and kind != "boolean"):
        return False
    if kind in ("integer", "number"):
        return bool(schema.get("minimum", reply) <= reply <= schema.get("maximum", reply))
    if kind == "string":
        return len(reply) <= schema.get("maxLength", len(reply))
    if kind == "array":
        return _fits_array(schema, reply)
    return kind != "object" or all(fits(schema["additionalProperties"], part) for part in reply.values())


def _fits_array(schema: dict[str, Any], reply: Any) -> bool:
    first = schema.get("prefixItems", [])
    rest = schema.get("items", {})
    if len(reply) < schema.get("minItems", 0) or (rest is False and len(reply) > len(first)):
        return False
    if not all(fits(part, item) for part, item in zip(first, reply, strict=False)):
        return False
    return all(fits(rest, item) for item in reply[len(first) :])


def unpacked(form: Form, wire: Any) -> Any:
    """What a client makes of the arrays it received: records as tuples, names as bytes."""
    match form.kind:
        case FormKind.OPTIONAL:
            return None if wire is None else unpacked(form.part, wire)
        case FormKind.LIST:
            return [unpacked(form.part, each) for each in wire]
        case FormKind.RECORD | FormKind.TUPLE:
            return tuple(unpacked(part, each) for part, each in zip(form.parts, wire, strict=True))
        case FormKind.MAP:
            return {octets(key): unpacked(form.part, each) for key, each in wire.items()}
        case _:
            return wire


def octets(name: str | bytes) -> bytes:
    return name if isinstance(name, bytes) else name.encode("utf-8", "surrogateescape")


def as_octets(reply: Any) -> Any:
    """The same reply with every text as its bytes, as msgpack with raw=True gives it."""
    if isinstance(reply, str):
        return octets(reply)
    if isinstance(reply, tuple):
        return tuple(map(as_octets, reply))
    if isinstance(reply, list):
        return [as_octets(each) for each in reply]
    if isinstance(reply, dict):
        return {as_octets(key): as_octets(each) for key, each in reply.items()}
    return reply
