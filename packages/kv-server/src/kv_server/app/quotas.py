"""The setting `namespaces`: limits and policies by name, as text (`shop: policy=allkeys-lru, bytes=1GiB`) or tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from attrs import fields_dict

from kv_protocol.names import text
from kv_server.app.kinds import Kind, choice, size, whole
from kv_server.model.terms import POLICIES, Terms

__all__ = ["NAMESPACES"]

Listed = tuple[tuple[bytes, Terms], ...]

_COUNT: Final = whole(0, 10**12)
_KINDS: Final = {
    "policy": choice(*POLICIES),
    "bytes": size(0, 1 << 50),
    "keys": _COUNT,
    "connections": _COUNT,
    "ops": whole(0, 10**9),
}
_SHAPE: Final = "must be like 'shop: policy=allkeys-lru, bytes=1GiB, keys=1000000, connections=100, ops=5000'"
assert list(_KINDS) == list(fields_dict(Terms))


def _read(given: object) -> Listed:
    """From text, several rules of which end in semicolons; a list of such texts; or a table of tables."""
    if isinstance(given, dict):
        rules = given.items()
    else:
        texts = given.split(";") if isinstance(given, str) else given
        if not isinstance(texts, list) or not all(isinstance(each, str) for each in texts):
            raise ValueError(_SHAPE)
        rules = dict(_parted(each) for each in texts if each.strip()).items()
    return tuple((_name(name), _terms(terms)) for name, terms in rules)


def _parted(rule: str) -> tuple[str, dict[str, str]]:
    name, colon, rest = rule.rpartition(":")
    terms = {}
    for term in filter(None, map(str.strip, rest.split(","))):
        word, equals, value = term.partition("=")
        if not equals:
            raise ValueError(f"{_SHAPE}; {term!r} has no value")
        terms[word.strip()] = value.strip()
    if not colon:
        raise ValueError(_SHAPE)
    return name.strip(), terms


def _name(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _terms(given: Any) -> Terms:
    if not isinstance(given, dict):
        raise ValueError(_SHAPE)
    read = {}
    for word, value in given.items():
        if word not in _KINDS:
            raise ValueError(f"knows no {word!r}, only {', '.join(_KINDS)}")
        try:
            read[word] = _KINDS[word].read(value)
        except ValueError as error:
            raise ValueError(f"{word} {error}") from None
    return Terms(**read)


def _show(listed: Iterable[tuple[bytes, Terms]]) -> str:
    return "; ".join(f"{text(name)}: {_shown(terms)}" for name, terms in listed)


def _shown(terms: Terms) -> str:
    said = {word: (kind, getattr(terms, word)) for word, kind in _KINDS.items()}
    return ", ".join(
        f"{word}={kind.show(value)}" for word, (kind, value) in said.items() if value and value != "noeviction"
    )


NAMESPACES: Final = Kind(_read, _show, "RULE")
