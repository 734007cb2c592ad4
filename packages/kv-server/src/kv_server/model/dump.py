"""One key's value as octets that another server can take in: what it is, all of it, and a checksum.

    "kv"  version (1)  kind  body  CRC-32 of all before, 4 octets

The body of a scalar is its blob, that of a collection the msgpack of its container's dump. Octets come from strangers:
a right checksum proves nothing, so every part is checked before a container is made of it.
"""

from __future__ import annotations

from binascii import crc32
from collections.abc import Callable
from itertools import chain
from typing import Any, Final

from msgpack import Unpacker, UnpackException, packb, unpackb

from kv_protocol.errors import InvalidArgument
from kv_protocol.values import check
from kv_server.model.entry import HASH, LIST, SCALAR, SET, STREAM, ZSET, Entry
from kv_server.model.stream_id import FIRST

__all__ = ["Damaged", "Foreign", "checked", "dumped", "undumped"]

MAGIC: Final = b"kv"
VERSION: Final = 1

_HEAD: Final = len(MAGIC) + 2
_LEAST: Final = _HEAD + 4
_INT64: Final = range(-(2**63), 2**63)


class Foreign(ValueError):
    """Octets that no version known here has written, or that were changed on the way."""


class Damaged(ValueError):
    """Octets that say what no value can be."""


def dumped(entry: Entry) -> bytes:
    """All that *entry* holds; not when it expires."""
    body: bytes = entry.value if entry.kind == SCALAR else packb(entry.value.dump())
    octets = MAGIC + bytes((VERSION, entry.kind)) + body
    return octets + crc32(octets).to_bytes(4, "big")


def undumped(octets: bytes) -> tuple[int, Any]:
    """The kind that was dumped, and the blob of a scalar or what the kind's container loads."""
    if len(octets) < _LEAST or octets[:3] != MAGIC + bytes((VERSION,)):
        raise Foreign("no dump of this version")
    if crc32(octets[:-4]).to_bytes(4, "big") != octets[-4:]:
        raise Foreign("the checksum does not fit")
    kind, body = octets[3], octets[_HEAD:-4]
    try:
        if kind == SCALAR:
            _blobs([body])
            return kind, body
        return kind, _CHECKS[kind](_read(body))
    except Damaged:
        raise
    except (KeyError, TypeError, ValueError, IndexError, OverflowError, UnpackException) as error:
        raise Damaged("a value that is none") from error


def checked(kind: int, found: Any) -> Any:
    """*found*, which is what a collection of *kind* dumps. Raises `Damaged` if it is not."""
    return _CHECKS[kind](found)


def _read(body: bytes) -> Any:
    """What the msgpack in *body* holds. It is walked over first: nothing is made longer than *body* fills."""
    unpacker = Unpacker(max_buffer_size=len(body) or 1)
    unpacker.feed(body)
    unpacker.skip()
    if unpacker.tell() != len(body):
        raise Damaged("octets after the value")
    return unpackb(body, raw=True, max_map_len=0)


# ---- what each container loads
def _require(holds: bool) -> None:
    if not holds:
        raise Damaged("parts that do not fit each other")


def _octets(*found: Any) -> None:
    _require(set(map(type, found)) <= {bytes})


def _blobs(found: list[Any]) -> None:
    """Values in canonical form."""
    _octets(*found)
    try:
        for blob in found:
            check(blob)
    except InvalidArgument as error:
        raise Damaged("a value that is none") from error


def _different(found: list[Any]) -> None:
    """Names, at least one, none of them twice."""
    _octets(*found)
    _require(0 < len(found) == len(set(found)))


def _whole(number: Any, least: int = 0) -> None:
    _require(type(number) is int and number in _INT64 and number >= least)


def _id(*found: Any) -> None:
    _require(all(type(each) is bytes and len(each) == len(FIRST) for each in found))


def _ascending(ids: list[bytes]) -> None:
    _id(*ids)
    _require(all(one < other for one, other in zip([FIRST, *ids], ids, strict=False)))


def _hash(found: list[Any]) -> Any:
    _require(len(found) % 2 == 0)
    _different(found[::2])
    _blobs(found[1::2])
    return found


def _list(found: list[Any]) -> Any:
    _require(type(found) is list and len(found) > 0)
    _blobs(found)
    return found


def _set(found: list[Any]) -> Any:
    _require(type(found) is list)
    _different(found)
    return found


def _zset(found: list[Any]) -> Any:
    members, scores = found
    _different(members)
    _require(type(scores) is list and len(scores) == len(members))
    _require(all(type(score) is float and score == score for score in scores))
    return found


def _stream(found: list[Any]) -> Any:
    last_id, added, max_deleted, entries, groups = found
    _id(last_id, max_deleted)
    _whole(added, len(entries))
    ids = [id for id, _ in entries]
    _ascending(ids)
    _require(not ids or ids[-1] <= last_id)
    every = [fields for _, fields in entries]
    _require(set(map(type, every)) <= {list})
    _require(all(fields and len(fields) % 2 == 0 for fields in every))
    _octets(*chain.from_iterable(fields[::2] for fields in every))
    _blobs(list(chain.from_iterable(fields[1::2] for fields in every)))
    if groups:
        _different([name for name, _ in groups])
    for _, group in groups:
        _group(*group)
    return found


def _group(last_id: Any, read: Any, consumers: list[Any], pending: list[Any]) -> None:
    _id(last_id)
    _whole(read, -1)
    names = [name for name, _, _ in consumers]
    if names:
        _different(names)
    for _, seen_ms, active_ms in consumers:
        _whole(seen_ms)
        _whole(active_ms, -1)
    _ascending([id for id, _, _, _ in pending])
    for _, consumer, delivered_ms, count in pending:
        _require(consumer in names)
        _whole(delivered_ms)
        _whole(count)


_CHECKS: Final[dict[int, Callable[[Any], Any]]] = {HASH: _hash, LIST: _list, SET: _set, ZSET: _zset, STREAM: _stream}
