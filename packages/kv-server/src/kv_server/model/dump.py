"""One key's value as octets that another server can take in: what it is, all of it, and a checksum.

    "kv"  version (1)  kind  body  CRC-32 of all before, 4 octets

The body of a scalar is its blob, that of a collection the msgpack of its container's dump; Octets come from strangers:
a right checksum proves nothing, so every part is checked before a container is made of it.
"""

from __future__ import annotations

from binascii import crc32
from collections.abc import Callable, Iterator
from io import BytesIO
from itertools import islice
from math import isfinite, isnan
from operator import ge
from struct import Struct
from typing import Any, Final

from msgpack import Packer, Unpacker, UnpackException, unpackb

from kv_protocol.errors import InvalidArgument
from kv_protocol.values import check_all
from kv_server.model.entry import HASH, LIST, SCALAR, SET, STREAM, ZSET, Entry
from kv_server.model.steps import STEP, Steps, finished, parts
from kv_server.model.stream_id import FIRST

__all__ = ["Damaged", "Foreign", "checked", "dumped", "dumping", "undumped", "undumping"]

MAGIC: Final = b"kv"
VERSION: Final = 1

_HEAD: Final = len(MAGIC) + 2
_LEAST: Final = _HEAD + 4
_INT64: Final = range(-(2**63), 2**63)
_AT_ONCE: Final = 256 * 1024  # octets that are summed up in one step
_ROOM: Final = 64 * 1024  # octets that are packed into, or read, at once
_FLAT: Final = frozenset((bytes, int, float))
_FEW: Final = 15  # an array of so many is looked into, a longer one is flat
_DEEP: Final = 5  # so far down, as deep as streams go: groups, one of them, its parts
_head16 = Struct(">BH").pack
_head32 = Struct(">BI").pack
_ARRAYS: Final = frozenset((*range(0x90, 0xA0), 0xDC, 0xDD))


class Foreign(ValueError):
    """Octets that no version known here has written, or that were changed on the way."""


class Damaged(ValueError):
    """Octets that say what no value can be."""


def dumped(entry: Entry) -> bytes:
    """All that *entry* holds; not when it expires."""
    return finished(dumping(entry))


def dumping(entry: Entry) -> Steps[bytes]:
    """The same in steps; of what *entry* holds now."""
    value = entry.value
    held = value if entry.kind == SCALAR else value.frozen() if entry.kind == STREAM else value.dump()
    return _dumping(entry.kind, held)


def _dumping(kind: int, held: Any) -> Steps[bytes]:
    made = [MAGIC + bytes((VERSION, kind))]
    if kind == SCALAR:
        made.append(held)
    else:
        yield from _packing(held, Packer(buf_size=_ROOM).pack, made)
    checksum = 0
    for part in parts(made):
        for octets in part:
            checksum = crc32(octets, checksum)
        yield
    made.append(checksum.to_bytes(4, "big"))
    return b"".join(made)


def _packing(held: Any, pack: Callable[[Any], bytes], made: list[bytes]) -> Steps[None]:
    """Add the msgpack of *held* to *made*. An iterator stands for a list, of which nobody knows how long it is."""
    if type(held) is list and len(held) <= _FEW and not _FLAT.issuperset(map(type, held)):
        made.append(_head_of(len(held)))
        for each in held:
            yield from _packing(each, pack, made)
    elif isinstance(held, Iterator) or (type(held) is list and len(held) > STEP):
        at, size, rest = len(made), 0, iter(held)
        made.append(b"")
        while part := list(islice(rest, STEP)):
            size += len(part)
            made.append(pack(part)[len(_head_of(len(part))) :])
            yield
        made[at] = _head_of(size)
    else:
        made.append(pack(held))


def _head_of(size: int) -> bytes:
    """The msgpack head of an array."""
    return bytes((0x90 + size,)) if size < 16 else _head16(0xDC, size) if size < 1 << 16 else _head32(0xDD, size)


def undumped(octets: bytes) -> tuple[int, Any]:
    """The kind that was dumped, and the blob of a scalar or what the kind's container loads."""
    return finished(undumping(octets))


def undumping(octets: bytes) -> Steps[tuple[int, Any]]:
    """The same in steps."""
    if len(octets) < _LEAST or octets[:3] != MAGIC + bytes((VERSION,)):
        raise Foreign("no dump of this version")
    checksum, view = 0, memoryview(octets)[:-4]
    for at in range(0, len(view), _AT_ONCE):
        checksum = crc32(view[at : at + _AT_ONCE], checksum)
        yield
    if checksum.to_bytes(4, "big") != octets[-4:]:
        raise Foreign("the checksum does not fit")
    kind = octets[3]
    try:
        if kind == SCALAR:
            body = octets[_HEAD:-4]
            check_all([body])
            return kind, body
        found = yield from _reading(octets)
        yield from _CHECKS[kind](found)
        return kind, found
    except Damaged:
        raise
    except (InvalidArgument, KeyError, TypeError, ValueError, IndexError, OverflowError, UnpackException) as error:
        raise Damaged("a value that is none") from error


def checked(kind: int, found: Any) -> Any:
    """*found*, which is what a collection of *kind* dumps. Raises `Damaged` if it is not."""
    finished(_CHECKS[kind](found))
    return found


def _reading(octets: bytes) -> Steps[Any]:
    """What the msgpack of a body holds. It is walked over first: nothing is made longer than the body fills."""
    walker = _unpacker(octets)
    walker.skip()
    if walker.tell() != len(octets) - _LEAST:
        raise Damaged("octets after the value, or none of it")
    if len(octets) <= _ROOM:
        return unpackb(memoryview(octets)[_HEAD:-4], raw=True, max_map_len=0)
    yield
    return (yield from _unpacking(octets, _unpacker(octets), 0))


def _unpacker(octets: bytes) -> Unpacker:
    stream = BytesIO(octets)
    stream.seek(_HEAD)
    return Unpacker(stream, raw=True, max_map_len=0, max_buffer_size=len(octets))


def _unpacking(octets: bytes, unpacker: Unpacker, depth: int) -> Steps[Any]:
    if depth == _DEEP or octets[_HEAD + unpacker.tell()] not in _ARRAYS:
        return unpacker.unpack()
    size = unpacker.read_array_header()
    found: list[Any] = []
    while len(found) < size:
        if size <= _FEW:
            found.append((yield from _unpacking(octets, unpacker, depth + 1)))
        else:
            found += islice(unpacker, min(STEP, size - len(found)))
            yield
    return found


# ---- what each container loads
def _require(holds: bool) -> None:
    if not holds:
        raise Damaged("parts that do not fit each other")


def _all(kind: type, found: Any) -> Steps[None]:
    """A list of things of one kind."""
    _require(type(found) is list)
    for part in parts(found):
        _require(set(map(type, part)) <= {kind})
        yield


def _blobs(found: list[Any]) -> Steps[None]:
    """Octets that are values in canonical form."""
    for part in parts(found):
        check_all(part)
        yield


def _names(found: list[Any]) -> Steps[None]:
    """At least one; that there is none twice is seen where they are loaded."""
    yield from _all(bytes, found)
    _require(len(found) > 0)


def _different(found: list[Any]) -> Steps[None]:
    yield from _names(found)
    _require(len(found) == len(set(found)))


def _whole(number: Any, least: int = 0) -> None:
    _require(type(number) is int and number in _INT64 and number >= least)


def _ascending(ids: list[bytes]) -> Steps[None]:
    yield from _all(bytes, ids)
    last = FIRST
    for part in parts(ids):
        _require(set(map(len, part)) <= {len(FIRST)} and last < part[0] and not any(map(ge, part, part[1:])))
        last = part[-1]
        yield


def _id(found: Any) -> None:
    _require(type(found) is bytes and len(found) == len(FIRST))


def _hash(found: Any) -> Steps[None]:
    yield from _names(found)
    _require(len(found) % 2 == 0)
    yield from _blobs(found[1::2])


def _list(found: Any) -> Steps[None]:
    yield from _names(found)
    yield from _blobs(found)


def _zset(found: Any) -> Steps[None]:
    members, scores = found
    yield from _names(members)
    yield from _all(float, scores)
    _require(len(scores) == len(members))
    for part in parts(scores):
        _require(isfinite(sum(part)) or not any(map(isnan, part)))
        yield


def _stream(found: Any) -> Steps[None]:
    last_id, added, max_deleted, ids, sizes, told, groups = found
    _id(last_id)
    _id(max_deleted)
    _whole(added, len(ids))
    yield from _ascending(ids)
    _require(not ids or ids[-1] <= last_id)
    yield from _all(int, sizes)
    _require(len(sizes) == len(ids) and all(size > 0 and size % 2 == 0 for size in set(sizes)))
    yield from _all(bytes, told)
    _require(len(told) == sum(sizes))
    yield from _blobs(told[1::2])
    if groups:
        yield from _different([name for name, _ in groups])
    for _, group in groups:
        yield from _group(*group)


def _group(last_id: Any, read: Any, consumers: list[Any], pending: list[Any]) -> Steps[None]:
    _id(last_id)
    _whole(read, -1)
    names = [name for name, _, _ in consumers]
    if names:
        yield from _different(names)
    for _, seen_ms, active_ms in consumers:
        _whole(seen_ms)
        _whole(active_ms, -1)
    yield from _ascending([id for id, _, _, _ in pending])
    for part in parts(pending):
        for _, consumer, delivered_ms, count in part:
            _require(consumer in names)
            _whole(delivered_ms)
            _whole(count)
        yield


_CHECKS: Final[dict[int, Callable[[Any], Steps[None]]]] = {
    HASH: _hash, LIST: _list, SET: _names, ZSET: _zset, STREAM: _stream,
}  # fmt: skip
