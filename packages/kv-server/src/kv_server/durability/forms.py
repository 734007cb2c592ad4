"""Values, names, collections and effects as JSON and back: to be read by people, and without loss.

What JSON has is written as it is; what it has not is a map of one key that says what it is: `{"base64": ...}` bytes,
`{"decimal": "1.50"}`, `{"datetime": ...}`, `{"int": ...}` beyond 53 bits, `{"float": "nan"}`. A map that looks like one
of these is written as `{"map": ...}`. Names are text where they are UTF-8, else base64.
"""

from __future__ import annotations

import inspect
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import chain
from math import isfinite
from typing import Any, Final, TypeAlias

from kv_protocol.errors import InvalidArgument
from kv_protocol.values import decode, encode
from kv_server.engine import rows
from kv_server.engine.tx import EFFECTS
from kv_server.model.entry import HASH, LIST, SET, STREAM, ZSET
from kv_server.model.stream import parted
from kv_server.model.stream_id import id_text, make_id

__all__ = [
    "Form", "Malformed", "collection", "collection_form", "effect", "effect_form", "name", "name_form", "plain",
    "plain_form", "value", "value_form",
]  # fmt: skip

Form: TypeAlias = Any
"""What `json` reads and writes."""

_SAFE: Final = 1 << 53  # ints beyond are no ints to many readers of JSON


class Malformed(ValueError):
    """JSON that stands for nothing here; the text says what is wrong."""


# ---- values
def value_form(blob: bytes) -> Form:
    """The form of a value."""
    return plain_form(decode(blob))


def value(form: Form) -> bytes:
    """The blob of the value that *form* stands for."""
    try:
        return encode(plain(form))
    except InvalidArgument as error:
        raise Malformed(str(error)) from None


def plain_form(found: Any) -> Form:
    """The form of what a value is in Python, or a reply that was kept."""
    kind = type(found)
    if kind is str or found is None or kind is bool:
        return found
    if kind is int:
        return found if -_SAFE < found < _SAFE else {"int": str(found)}
    if kind is float:
        return found if isfinite(found) else {"float": str(found)}
    if kind is bytes:
        return {"base64": b64encode(found).decode()}
    if kind is Decimal:
        return {"decimal": str(found)}
    if kind is datetime:
        return {"datetime": found.isoformat()}
    if isinstance(found, dict):
        return _map_form(found)
    return [plain_form(each) for each in found]


def _map_form(found: dict[Any, Any]) -> Form:
    if not all(type(key) is str for key in found):
        return {"pairs": [[plain_form(key), plain_form(each)] for key, each in found.items()]}
    form = {key: plain_form(each) for key, each in found.items()}
    return {"map": form} if len(form) == 1 and not form.keys().isdisjoint(_TAGS) else form


def plain(form: Form) -> Any:
    """What `plain_form` made *form* of; tuples are lists."""
    kind = type(form)
    if kind is list:
        return [plain(each) for each in form]
    if kind is not dict:
        return form
    if len(form) == 1:
        ((tag, inner),) = form.items()
        made = _TAGS.get(tag)
        if made is not None:
            try:
                return made(inner)
            except (TypeError, ValueError, ArithmeticError, AttributeError) as error:
                raise Malformed(f"{{{tag!r}: ...}} that holds none") from error
    return {key: plain(each) for key, each in form.items()}


def _octets(form: str) -> bytes:
    return b64decode(form, validate=True)


_TAGS: Final[dict[str, Callable[[Any], Any]]] = {
    "base64": _octets,
    "int": int,
    "float": float,
    "decimal": Decimal,
    "datetime": datetime.fromisoformat,
    "map": lambda inner: {key: plain(each) for key, each in inner.items()},
    "pairs": lambda inner: {plain(key): plain(each) for key, each in inner},
}


# ---- names and ids
def name_form(octets: bytes) -> Form:
    """The form of a name."""
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return {"base64": b64encode(octets).decode()}


def name(form: Form) -> bytes:
    """The name that *form* stands for."""
    if type(form) is str:
        try:
            return form.encode()
        except UnicodeEncodeError:
            raise Malformed("a name with half a character") from None
    found = plain(form)
    if type(found) is not bytes:
        raise Malformed(f"a name must be text or base64, not {form!r:.60}")
    return found


def _id(form: Form) -> bytes:
    try:
        ms, sequence = map(int, form.split("-"))
        return make_id(ms, sequence)
    except Exception:
        raise Malformed(f"{form!r:.60} is no id of a stream") from None


# ---- collections
def collection_form(kind: int, dumped: Any) -> Form:
    """The form of what a container of *kind* dumped."""
    if kind == HASH:
        return _pairs_form(dumped)
    if kind == LIST:
        return list(map(value_form, dumped))
    if kind == SET:
        return list(map(name_form, dumped))
    if kind == ZSET:
        members, scores = dumped
        return [[name_form(member), plain_form(score)] for member, score in zip(members, scores, strict=True)]
    last_id, added, max_deleted, ids, sizes, parts, groups = dumped
    entries = zip(ids, parted(parts, sizes), strict=True)
    return {
        "last_id": id_text(last_id),
        "added": added,
        "max_deleted": id_text(max_deleted),
        "entries": [[id_text(id), _pairs_form(fields)] for id, fields in entries],
        "groups": [[name_form(called), _group_form(*group)] for called, group in groups],
    }


def collection(kind: int, form: Form) -> Any:
    """What a container of *kind* loads. Raises `Malformed`, or whatever comes of a form that is none."""
    if kind == HASH:
        return _pairs(form)
    if kind == LIST:
        return list(map(value, form))
    if kind == SET:
        return list(map(name, form))
    if kind == ZSET:
        return [[name(member) for member, _ in form], [float(plain(score)) for _, score in form]]
    assert kind == STREAM
    every = [_pairs(fields) for _, fields in form["entries"]]
    return [
        _id(form["last_id"]),
        form["added"],
        _id(form["max_deleted"]),
        [_id(id) for id, _ in form["entries"]],
        list(map(len, every)),
        list(chain.from_iterable(every)),
        [[name(called), _group(group)] for called, group in form["groups"]],
    ]


def _group_form(last_id: bytes, read: int, consumers: list[Any], pending: list[Any]) -> Form:
    return {
        "last_id": id_text(last_id),
        "read": read,
        "consumers": [[name_form(who), seen_ms, active_ms] for who, seen_ms, active_ms in consumers],
        "pending": [[id_text(id), name_form(who), at_ms, count] for id, who, at_ms, count in pending],
    }


def _group(form: Form) -> list[Any]:
    consumers = [[name(who), seen_ms, active_ms] for who, seen_ms, active_ms in form["consumers"]]
    pending = [[_id(id), name(who), at_ms, count] for id, who, at_ms, count in form["pending"]]
    return [_id(form["last_id"]), form["read"], consumers, pending]


def _pairs_form(found: Sequence[bytes]) -> Form:
    """Names and values in turn."""
    return [[name_form(called), value_form(blob)] for called, blob in zip(found[::2], found[1::2], strict=True)]


def _pairs(form: Form) -> list[bytes]:
    return [part for called, each in form for part in (name(called), value(each))]


# ---- effects
_Both: TypeAlias = tuple[Callable[[Any], Form], Callable[[Form], Any]]

_NAME: Final[_Both] = name_form, name
_VALUE: Final[_Both] = value_form, value
_ID: Final[_Both] = id_text, _id
_PLAIN: Final[_Both] = plain_form, plain


def _each(both: _Both) -> _Both:
    to_form, of_form = both
    return lambda found: [to_form(each) for each in found], lambda form: [of_form(each) for each in form]


_FORMS: Final[dict[str, _Both]] = {
    **dict.fromkeys(("key", "field", "name", "target", "namespace", "other", "group", "consumer", "channel"), _NAME),
    **dict.fromkeys(("value", "blob", "blobs"), _VALUE),
    **dict.fromkeys(("id", "last_id", "max_deleted"), _ID),
    "ids": _each(_ID),
    "members": _each(_NAME),
    "pairs": _each(
        (lambda pair: [plain_form(pair[0]), name_form(pair[1])], lambda form: [plain(form[0]), name(form[1])])
    ),
    "fields": (_pairs_form, _pairs),
}
"""How the arguments of effects are written, by their names; those of other names are plain."""

_WORDS: Final = {opcode: word for word, opcode in vars(rows).items() if type(opcode) is int and opcode in EFFECTS}
_OPCODES: Final = {word: opcode for opcode, word in _WORDS.items()}
_PARAMS: Final = {opcode: list(inspect.signature(method).parameters.values())[1:] for opcode, method in EFFECTS.items()}


def effect_form(row: list[Any]) -> Form:
    """An effect: its name, then its arguments."""
    opcode, *arguments = row
    return [_WORDS[opcode], *_arguments(opcode, arguments, 0)]


def effect(form: Form) -> list[Any]:
    """The row of an effect."""
    if type(form) is not list or not form or form[0] not in _OPCODES:
        raise Malformed(f"{form!r:.60} is no effect")
    opcode = _OPCODES[form[0]]
    return [opcode, *_arguments(opcode, form[1:], 1)]


def _arguments(opcode: int, given: list[Any], way: int) -> list[Any]:
    if opcode == rows.KEY_LOAD:
        key, kind, dumped, expires_ms = given
        return [_NAME[way](key), kind, (collection_form, collection)[way](kind, dumped), expires_ms]
    params = _PARAMS[opcode]
    if params[-1].kind is inspect.Parameter.VAR_POSITIONAL:
        params = params + [params[-1]] * (len(given) - len(params))
    if len(given) > len(params):
        raise Malformed(f"{_WORDS[opcode]} has {len(params)} arguments, not {len(given)}")
    return [_FORMS.get(param.name, _PLAIN)[way](each) for param, each in zip(params, given, strict=False)]
