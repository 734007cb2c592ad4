"""The one form in which everything lies on disk: frames with a checksum, one after the other.

A file is a HEAD and then GROUPs of commits (a log) or BLOCKs of keys (a snapshot); a snapshot, and a log that was
closed, ends with an END. What is longer than `MOST` is cut into several frames, all but the last with MORE; they count
only together. The checksum covers the place of a frame in its file, so that nothing that lies elsewhere passes for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import Final, NamedTuple
from zlib import crc32

from kv_protocol.limits import MIB
from kv_server.durability.disk import Disk

__all__ = [
    "BLOCK", "END", "GROUP", "HEAD", "HEAD_BYTES", "MAGIC", "MOST", "Damage", "Frame", "Stamp", "frames_beyond",
    "pack", "read_frames",
]  # fmt: skip

MAGIC: Final = b"kv\xf0\x0a"
MOST: Final = 1 * MIB

HEAD: Final = 1
GROUP: Final = 2
BLOCK: Final = 3
END: Final = 4
_KINDS: Final = (HEAD, GROUP, BLOCK, END)
_MORE: Final = 1

_head = Struct(">4sIIBBHQQQQ")
_covered = Struct(">IBBHQQQQ")
HEAD_BYTES: Final = _head.size
_CRC_AT: Final = 8  # the checksum covers what comes after it
_CHUNK: Final = 4 * MIB


class Stamp(NamedTuple):
    """What every frame says of its time: its last revision, the one known to be on the medium, and both clocks."""

    revision: int
    synced: int
    now_ms: int
    elapsed_ms: int


class Frame(NamedTuple):
    """A whole: one frame, or several that belong together. It ends at *end* in its file."""

    kind: int
    stamp: Stamp
    payload: bytes
    at: int
    end: int


class Damage(Exception):
    """A file cannot be read further than *at*. *torn*: it looks as a file does whose writer was interrupted there."""

    def __init__(self, name: str, at: int, why: str, *, torn: bool) -> None:
        super().__init__(f"{name}: {why} at byte {at:,}")
        self.name = name
        self.at = at
        self.why = why
        self.torn = torn


def pack(kind: int, stamp: Stamp, payload: bytes, at: int) -> bytes:
    """The frames that hold *payload*, to be written at *at*."""
    if len(payload) <= MOST:
        return _pack_one(kind, 0, stamp, payload, at)
    parts: list[bytes] = []
    for start in range(0, len(payload), MOST):
        more = _MORE if start + MOST < len(payload) else 0
        parts.append(_pack_one(kind, more, stamp, payload[start : start + MOST], at))
        at += len(parts[-1])
    return b"".join(parts)


def _pack_one(kind: int, more: int, stamp: Stamp, payload: bytes, at: int) -> bytes:
    covered = _covered.pack(len(payload), kind, more, 0, *stamp)
    crc = crc32(payload, crc32(covered, at & 0xFFFFFFFF))
    return b"".join((MAGIC, crc.to_bytes(4, "big"), covered, payload))


def read_frames(disk: Disk, name: str, after: int = 0) -> Iterator[Frame]:
    """The frames of the file *name*, which begins after the revision *after*. Zeros after the last are no damage.

    Raises `Damage` where it was not so written.
    """
    size = disk.size(name)
    window = _Window(disk, name)
    begun: list[bytes] = []
    at = begun_at = 0
    last = after - 1  # what was synced up to *after* shows that the head was, too
    first = (0, Stamp(0, 0, 0, 0))
    while at < size:
        head = window.get(at, HEAD_BYTES)
        if len(head) < HEAD_BYTES or not head.startswith(MAGIC):
            if not begun and _only_zeros(disk, name, at, size):
                return
            raise _damage(disk, name, begun_at if begun else at, last, "no frame begins")
        _, crc, length, kind, more, rest, *stamps = _head.unpack(head)
        stamp = Stamp(*stamps)
        if length > MOST or kind not in _KINDS or more > _MORE or rest:
            raise _damage(disk, name, begun_at if begun else at, last, "a frame has an impossible head")
        payload = window.get(at + HEAD_BYTES, length)
        if len(payload) < length:
            raise _damage(disk, name, begun_at if begun else at, last, "a frame is cut off")
        if crc32(payload, crc32(head[_CRC_AT:], at & 0xFFFFFFFF)) != crc:
            raise _damage(disk, name, begun_at if begun else at, last, "a checksum is wrong")
        if begun and (kind, stamp) != first:
            raise _damage(disk, name, begun_at, last, "the parts of a frame do not belong together")
        if not begun:
            begun_at, first = at, (kind, stamp)
        at += HEAD_BYTES + length
        if more:
            begun.append(payload)
            continue
        if begun:
            payload = b"".join((*begun, payload))
            begun = []
        last = stamp.revision
        yield Frame(kind, stamp, payload, begun_at, at)
    if begun:
        raise _damage(disk, name, begun_at, last, "the last parts of a frame are missing")


def _damage(disk: Disk, name: str, at: int, last: int, why: str) -> Damage:
    """The damage at *at*, behind frames up to the revision *last*. It is torn unless what follows shows that the frame
    there had reached the medium.
    """
    return Damage(name, at, why, torn=not _synced_beyond(disk, name, at + 1, last))


def _synced_beyond(disk: Disk, name: str, at: int, last: int) -> bool:
    """Whether a frame of the file from *at* on is whole and says that more than *last* was on the medium before it."""
    return any(True for _ in frames_beyond(disk, name, at, last))


def frames_beyond(disk: Disk, name: str, at: int, synced: int = -1) -> Iterator[Frame]:
    """What is whole by itself in the file from *at* on, and says that more than *synced* was on the medium before it:
    frames, or parts of them.
    """
    heads, payloads = _Window(disk, name), _Window(disk, name)
    while (at := heads.find(MAGIC, at)) >= 0:
        head = heads.get(at, HEAD_BYTES)
        if len(head) == HEAD_BYTES:
            _, crc, length, kind, more, rest, *stamps = _head.unpack(head)
            stamp = Stamp(*stamps)
            if length <= MOST and kind in _KINDS and more <= _MORE and not rest and stamp.synced > synced:
                payload = payloads.get(at + HEAD_BYTES, length)
                if len(payload) == length and crc32(payload, crc32(head[_CRC_AT:], at & 0xFFFFFFFF)) == crc:
                    yield Frame(kind, stamp, payload, at, at + HEAD_BYTES + length)
        at += 1


def _only_zeros(disk: Disk, name: str, at: int, size: int) -> bool:
    while at < size:
        found = disk.read(name, at, min(_CHUNK, size - at))
        if not found or found.count(0) != len(found):
            return False
        at += len(found)
    return True


class _Window:
    """Reads a file in large steps."""

    def __init__(self, disk: Disk, name: str) -> None:
        self._disk = disk
        self._name = name
        self._at = 0
        self._data = b""

    def get(self, at: int, size: int) -> bytes:
        """*size* bytes from *at* on; fewer if the file ends."""
        start = at - self._at
        if start < 0 or start + size > len(self._data):
            self._data = self._disk.read(self._name, at, max(_CHUNK, size))
            self._at, start = at, 0
        return self._data[start : start + size]

    def find(self, what: bytes, at: int) -> int:
        """Where *what* next stands, from *at* on, which must not lie before what was asked last; -1 if nowhere."""
        while True:
            place = self._data.find(what, at - self._at)
            if place >= 0:
                return self._at + place
            at = max(at, self._at + len(self._data) - len(what) + 1)
            self._data, self._at = self._disk.read(self._name, at, _CHUNK), at
            if len(self._data) < len(what):
                return -1
