"""One key's value as octets that another server can take in: what it is, all of it, and a checksum.

    "kv"  version (1)  kind  body  CRC-32 of all before, 4 octets

The body of a scalar is its blob, that of a collection the msgpack of its container's dump; Octets come from strangers:
a right checksum proves nothing, so every part is checked before a container is made of it.
"""

from __future__ import annotations

from binascii import crc32
from collections.abc import Callable
from io import BytesIO
from math import isfinite, isnan
from typing import Any, Final

from msgpack import Packer, Unpacker, UnpackException, unpackb

from kv_protocol.errors import InvalidArgument
from kv_protocol.values import check_all
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
    body: bytes | memoryview = entry.value
    if entry.kind != SCALAR:
        packer = Packer(autoreset=False)
        packer.pack(entry.value.dump())
        body = packer.getbuffer()
    head = MAGIC + bytes((VERSION, entry.kind))
    return b"".join((head, body, crc32(body, crc32(head)).to_bytes(4, "big")))


def undumped(octets: bytes) -> tuple[int, Any]:
    """The kind that was dumped, and the blob of a scalar or what the kind's container loads."""
    if len(octets) < _LEAST or octets[:3] != MAGIC + bytes((VERSION,)):
        raise Foreign("no dump of this version")
    if crc32(memoryview(octets)[:-4]).to_bytes(4, "big") != octets[-4:]:
        raise Foreign("the checksum does not fit")
    kind = octets[3]
    try:
        if kind == SCALAR:
            body = octets[_HEAD:-4]
            _blobs([body])
            return kind, body
        return kind, _CHECKS[kind](_read(octets))
    except Damaged:
        raise
    except (KeyError, TypeError, ValueError, IndexError, OverflowError, UnpackException) as error:
        raise Damaged("a value that is none") from error


def checked(kind: int, found: Any) -> Any:
    """*found*, which is what a collection of *kind* dumps. Raises `Damaged` if it is not."""
    return _CHECKS[kind](found)


def _read(octets: bytes) -> Any:
    """What the msgpack of a body holds. It is walked over first: nothing is made longer than the body fills."""
    stream = BytesIO(octets)
    stream.seek(_HEAD)
    unpacker = Unpacker(stream, max_buffer_size=len(octets))
    unpacker.skip()
    if unpacker.tell() != len(octets) - _LEAST:
        raise Damaged("octets after the value, or none of it")
    return unpackb(memoryview(octets)[_HEAD:-4], raw=True, max_map_len=0)


# ---- what each container loads
def _require(holds: bool) -> None:
    if not holds:
        raise Damaged("parts that do not fit each other")


def _all(kind: type, found: Any) -> None:
    """A list of things of one kind."""
    _require(type(found) is list and set(map(type, found)) <= {kind})


def _blobs(found: list[Any]) -> None:
    """Octets that are values in canonical form."""
    try:
        check_all(found)
    except InvalidArgument as error:
        raise Damaged("a value that is none") from error


def _names(found: list[Any]) -> None:
    """At least one; that there is none twice is seen where they are loaded."""
    _all(bytes, found)
    _require(len(found) > 0)


def _different(found: list[Any]) -> None:
    _names(found)
    _require(len(found) == len(set(found)))


def _whole(number: Any, least: int = 0) -> None:
    _require(type(number) is int and number in _INT64 and number >= least)


def _ascending(ids: list[bytes]) -> None:
    _all(bytes, ids)
    _require(set(map(len, ids)) <= {len(FIRST)} and ids == sorted(ids) and FIRST not in ids[:1])


def _id(found: Any) -> None:
    _require(type(found) is bytes and len(found) == len(FIRST))


def _hash(found: list[Any]) -> Any:
    _all(bytes, found)
    _require(len(found) > 0 and len(found) % 2 == 0)
    _blobs(found[1::2])
    return found


def _list(found: list[Any]) -> Any:
    _names(found)
    _blobs(found)
    return found


def _set(found: list[Any]) -> Any:
    _names(found)
    return found


def _zset(found: list[Any]) -> Any:
    members, scores = found
    _names(members)
    _all(float, scores)
    _require(len(scores) == len(members) and (isfinite(sum(scores)) or not any(map(isnan, scores))))
    return found


def _stream(found: list[Any]) -> Any:
    last_id, added, max_deleted, ids, sizes, parts, groups = found
    _id(last_id)
    _id(max_deleted)
    _whole(added, len(ids))
    _ascending(ids)
    _require(not ids or ids[-1] <= last_id)
    _all(int, sizes)
    _require(len(sizes) == len(ids) and all(size > 0 and size % 2 == 0 for size in set(sizes)))
    _all(bytes, parts)
    _require(len(parts) == sum(sizes))
    _blobs(parts[1::2])
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
    ids = [id for id, _, _, _ in pending]
    _ascending(ids)
    _require(len(ids) == len(set(ids)))
    for _, consumer, delivered_ms, count in pending:
        _require(consumer in names)
        _whole(delivered_ms)
        _whole(count)


_CHECKS: Final[dict[int, Callable[[Any], Any]]] = {HASH: _hash, LIST: _list, SET: _set, ZSET: _zset, STREAM: _stream}
