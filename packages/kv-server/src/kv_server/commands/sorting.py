"""Sorting what lists, sets and sorted sets hold: by itself, or by what keys named after it hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import repeat
from typing import Annotated, Any, Final, Literal, NamedTuple, TypeAlias, cast

from kv_protocol.errors import InvalidArgument
from kv_protocol.values import all_octets, from_octets, octets
from kv_server.engine.ground import wrong_type
from kv_server.engine.rows import DELETED
from kv_server.engine.tx import Tx
from kv_server.model.entry import LIST, SET, ZSET
from kv_server.model.steps import Steps, finished, parts, sorting
from kv_server.spec.catalog import command
from kv_server.spec.command import GROWS, NATIVE_DOOR, READ, RESP_DOOR, SLOW, WRITE
from kv_server.spec.reply import Stretch
from kv_server.spec.resp_kinds import LONG, in_parts
from kv_server.spec.spelled import resp_value
from kv_server.spec.types import Int, Key, KeyPattern, SourceKey, Token, Value

_NUMBER: Final = re.compile(
    rb"\s*[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?|0x(?:[0-9a-f]+\.?[0-9a-f]*|\.[0-9a-f]+)(?:p[+-]?[0-9]+)?"
    rb"|inf(?:inity)?)|",
    re.IGNORECASE,
)


_UNUSUAL: Final = re.compile(rb"[_nN\s]")  # what Python reads as a number and C does not, or not so
_HEADS: Final = bytes(range(0xA1, 0xB0))  # of strs of 1 to 15 octets
_HEADS_AS_BLANKS: Final = bytes.maketrans(_HEADS, b" " * len(_HEADS))
_OF_SHORT_INTS: Final = _HEADS + b"-0123456789"


class Limit(NamedTuple):
    """A part of what was sorted: how many to leave out, and how many to take at most; below 0: all."""

    offset: Int
    most: Int


By: TypeAlias = Annotated[KeyPattern | None, Token("BY")]
Part: TypeAlias = Annotated[Limit | None, Token("LIMIT")]
Get: TypeAlias = Annotated[tuple[KeyPattern, ...], Token("GET")]
Order: TypeAlias = Literal["ASC", "DESC"]
Alpha: TypeAlias = Annotated[bool, Token("ALPHA")]


class Asked(NamedTuple):
    """How to sort, and what to return of it."""

    by: bytes | None
    limit: Limit | None
    get: tuple[bytes, ...]
    order: Order
    alpha: bool


@command(READ | SLOW, group="sorting", since="0.1", cost="O(elements * log(elements))", name="SORT_RO", method="sort")
def sort_ro(
    tx: Tx,
    key: SourceKey,
    /,
    *,
    by: By = None,
    limit: Part = None,
    get: Get = (),
    order: Order = "ASC",
    alpha: Alpha = False,
) -> list[Value | None]:
    """Return what the list, set or sorted set at *key* holds, sorted as numbers, or with *alpha* as octets.

    *by* is the name of the keys, or `name->field` of the fields, to sort by instead, with a `*` for the element;
    without a `*` nothing is sorted. *get* are patterns of the same form, and `#` for the element: what they find stands
    for each element in its place. *limit* leaves out and takes so many.

    >>> await client.rpush("scores", 10, 9, 100)
    3
    >>> await client.sort("scores", order="DESC", limit=(0, 2))
    [100, 10]
    """
    return sorted_values(tx, key, Asked(by, limit, get, order, alpha), stored=False)


@command(
    WRITE | GROWS | SLOW,
    group="sorting",
    since="0.1",
    cost="O(elements * log(elements))",
    doors=NATIVE_DOOR,
    method="sort_store",
    event="sortstore",
)
def sortstore(
    tx: Tx,
    target: Key,
    key: SourceKey,
    /,
    *,
    by: By = None,
    limit: Part = None,
    get: Get = (),
    order: Order = "ASC",
    alpha: Alpha = False,
) -> int:
    """Store what `SORT_RO` would return as a list at *target*, in the place of whatever is there; how many those are.

    What a pattern of *get* does not find becomes empty text. An empty list is none: *target* is deleted.

    >>> await client.rpush("names", "cid", "ann", "bob")
    3
    >>> await client.sort_store("sorted", "names", alpha=True)
    3
    >>> await client.lrange("sorted", 0, -1)
    ['ann', 'bob', 'cid']
    """
    return store(tx, target, sorted_values(tx, key, Asked(by, limit, get, order, alpha), stored=True))


@command(
    WRITE | GROWS | SLOW,
    group="sorting",
    since="0.1",
    cost="O(elements * log(elements))",
    doors=RESP_DOOR,
    method=None,
    event="sortstore",
)
def sort(
    tx: Tx,
    key: SourceKey,
    /,
    *,
    by: By = None,
    limit: Part = None,
    get: Get = (),
    order: Order = "ASC",
    alpha: Alpha = False,
    target: Annotated[Key | None, Token("STORE")] = None,
) -> Any:
    """Sort what the list, set or sorted set at *key* holds: return it, or store it at *target* and return how many."""
    asked = Asked(by, limit, get, order, alpha)
    found = sorted_values(tx, key, asked, stored=target is not None)
    if target is not None:
        return store(tx, target, found)
    return shown(found)


@in_parts
def shown(blobs: list[bytes | None]) -> list[bytes | None]:
    return [None if blob is None else resp_value(blob) for blob in blobs]


def store(tx: Tx, target: bytes, found: list[bytes | None]) -> int:
    blobs = [from_octets(b"") if blob is None else blob for blob in found]
    if blobs:
        tx.key_load(target, LIST, blobs, 0)
    elif tx.exists(target):
        tx.key_drop(target, DELETED)
    return len(blobs)


def sorted_values(tx: Tx, key: bytes, asked: Asked, *, stored: bool) -> list[bytes | None]:
    """What is asked for of the elements at *key*, in order."""
    by, alpha = asked.by, asked.alpha
    if by is None and not asked.get:  # the elements say all: nothing else is looked up
        if stored:
            return finished(arranging(*elements(tx, key)[:2], asked))
        return tx.slowly(lambda: arranging(*elements(tx, key)[:2], asked))
    found, as_blobs, is_set = elements(tx, key)
    blobs = as_blobs(found)
    unsorted = by is not None and b"*" not in by
    if unsorted and is_set and stored:  # a set has no order that a copy elsewhere would share
        unsorted, by, alpha = False, None, True
    if unsorted:
        ranked: Sequence[bytes] = blobs[::-1] if asked.order == "DESC" else blobs
    else:
        weights = own(blobs, alpha) if by is None else looked_up(tx, blobs, by, alpha)
        ranked = finished(arranged(blobs, weights, alpha, asked.order))
    chosen = chosen_of(ranked, asked.limit)
    if not asked.get:
        return cast(list[bytes | None], chosen)
    readers = [reader(tx, pattern) for pattern in asked.get]
    return [read(blob) for blob in chosen for read in readers]


def elements(tx: Tx, key: bytes) -> tuple[list[Any], Callable[[Any], list[bytes]], bool]:
    """The elements at *key* as they are kept, what makes blobs of them, and whether they are those of a set."""
    entry = tx.find(key)
    if entry is None:
        return [], list, False
    if entry.kind == LIST:
        return tx.list_part(key, 0, tx.list_len(key)), list, False
    if entry.kind == SET:
        return tx.set_members(key), lambda members: list(map(from_octets, members)), True
    if entry.kind == ZSET:
        pairs = tx.zset_slice(key, 0, tx.zset_len(key))
        return pairs, lambda pairs: [from_octets(member) for _, member in pairs], False
    raise wrong_type(LIST, entry.kind)


def arranging(found: list[Any], as_blobs: Callable[[Any], list[bytes]], asked: Asked) -> Steps[list[bytes | None]]:
    """The elements that were *found*, by what they are themselves."""
    blobs: list[bytes] = []
    weights: list[Any] = []
    for part in parts(found):
        some = as_blobs(part)
        blobs += some
        weights += own(some, asked.alpha)
        yield
    ranked = yield from arranged(blobs, weights, asked.alpha, asked.order)
    return cast(list[bytes | None], chosen_of(ranked, asked.limit))


def arranged(blobs: list[bytes], weights: Sequence[Any], alpha: bool, order: Order) -> Steps[Sequence[bytes]]:
    """*blobs* by their *weights*: octets, or numbers, of which the elements part equal ones."""
    by_weight: dict[Any, bytes] = {}
    for some, part in zip(parts(weights), parts(blobs), strict=True):
        by_weight.update(zip(some, part, strict=True))
        yield
    backward = order == "DESC"
    if len(by_weight) == len(blobs):
        ordered = yield from sorting(weights)
        return Stretch(ordered[::-1] if backward else ordered, by_weight.__getitem__)
    places: Iterator[int] = iter(range(0, -len(blobs), -1) if backward else range(len(blobs)))
    keys: list[tuple[Any, bytes, int]] = []
    for some, part in zip(parts(weights), parts(blobs), strict=True):
        keys += zip(some, repeat(b"") if alpha else all_octets(part), places, strict=False)
        yield
    ordered = yield from sorting(keys)
    return Stretch(ordered[::-1] if backward else ordered, lambda key: blobs[abs(key[2])])


def own(blobs: list[bytes], alpha: bool) -> Sequence[Any]:
    """The weights of *blobs* themselves."""
    return all_octets(blobs) if alpha else short_ints(blobs) or numbers(all_octets(blobs))


def looked_up(tx: Tx, blobs: list[bytes], by: bytes, alpha: bool) -> Sequence[Any]:
    """The weights that are found by the pattern *by*. Of octets, missing ones come first."""
    found = [None if blob is None else octets(blob) for blob in map(reader(tx, by), blobs)]
    return [(text is not None, text or b"") for text in found] if alpha else numbers(found)


def short_ints(blobs: list[bytes]) -> list[int]:
    """The ints that all of *blobs* spell, if they are strs of up to 15 digits; else nothing."""
    together = b"".join(blobs)
    blanked = together.translate(_HEADS_AS_BLANKS)
    if together.translate(None, _OF_SHORT_INTS) or blanked.count(b" ") != len(blobs):
        return []
    try:
        return list(map(int, blanked.split()))
    except ValueError:
        return []


def numbers(texts: Sequence[bytes | None]) -> Sequence[float]:
    """The weights that *texts* spell, 0 where there is none."""
    plain = [text or b"0" for text in texts]
    if not _UNUSUAL.search(b",".join(plain)):
        try:
            return list(map(float, plain))
        except ValueError:
            pass
    return list(map(number, plain))


def number(text: bytes) -> float:
    """The weight that *text* spells, as C reads numbers; nothing spells zero."""
    if not _NUMBER.fullmatch(text):
        raise InvalidArgument("One or more scores can't be converted into double")
    plain = text.strip().lower()
    if not plain:
        return 0.0
    return float.fromhex(plain.decode()) if b"0x" in plain else float(plain)


def chosen_of(blobs: Sequence[bytes], limit: Limit | None) -> Sequence[bytes]:
    """The part that *limit* tells; a short one as a list."""
    if limit is not None:
        start = max(limit.offset, 0)
        blobs = blobs[start:] if limit.most < 0 else blobs[start : start + limit.most]
    return blobs if len(blobs) > LONG else list(blobs)


def reader(tx: Tx, pattern: bytes) -> Callable[[bytes], bytes | None]:
    """What finds the value that *pattern* names for an element."""
    if pattern == b"#":
        return lambda blob: blob
    before, star, after = pattern.partition(b"*")
    if not star:
        return lambda blob: None
    arrow = after.find(b"->")
    field = after[arrow + 2 :] if arrow >= 0 and arrow + 2 < len(after) else None
    rest = after if field is None else after[:arrow]
    return lambda blob: tx.looked_up(before + octets(blob) + rest, field)
