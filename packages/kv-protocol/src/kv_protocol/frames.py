"""Frames: a 32-bit length and one msgpack array. Splits a stream into bodies.

Knows lengths, not what a message means. A byte of a large frame is copied twice, when it arrives and when
its frame is complete, however small the pieces are in which it comes.
"""

from struct import Struct
from sys import maxsize
from typing import Final

from kv_protocol.errors import KvError, ProtocolError, TooLarge
from kv_protocol.limits import MAX_FRAME
from kv_protocol.packing import pack, unpack_reply, unpack_request

__all__ = ["HEAD", "FrameReader", "pack", "unpack_reply", "unpack_request"]

HEAD: Final = 4

_length_at = Struct(">I").unpack_from


class FrameReader:
    """Takes the bytes of one direction of a connection, gives the bodies of its frames.

    After a frame that may not be, `failure` says why; the frames before it are still given, and nothing after it is.
    """

    __slots__ = ("_held", "_missing", "_queued", "failure", "held", "max_frame")

    def __init__(self, max_frame: int = MAX_FRAME) -> None:
        self.max_frame = max_frame
        self.failure: KvError | None = None
        self.held = 0
        """Bytes that wait for the rest of their frame."""
        self._held = bytearray()  # the start of one frame, head included, never more
        self._missing = 0  # bytes until `_held` is complete, once its head is
        self._queued = b""  # what `most` left

    def feed(self, data: bytes, most: int = maxsize) -> list[bytes]:
        """Take *data* and return the bodies now complete, at most *most* of them; `feed(b"")` asks for the next."""
        if not self.held and len(data) > HEAD and most and self.failure is None:
            length = _length_at(data)[0]
            if length + HEAD == len(data) and length <= self.max_frame:
                return [data[HEAD:]]  # the commonest case: one frame, whole
        bodies: list[bytes] = []
        if self.failure is None:
            self._split(data, most, bodies)
            self.held = len(self._held) + len(self._queued)
        return bodies

    def _split(self, data: bytes, most: int, bodies: list[bytes]) -> None:
        """Add at most *most* bodies to *bodies*, and hold the rest of *data*."""
        if self._queued:
            data = self._queued + data
            self._queued = b""
        position = self._resume(data, bodies) if self._held else 0
        end = len(data)
        limit = self.max_frame
        while len(bodies) < most:
            start = position + 4
            if start > end:
                break
            length = _length_at(data, position)[0]
            if not 0 < length <= limit:
                self._fail(length)
                return
            position = start + length
            if position > end:
                self._missing = position - end
                position = start - 4
                break
            bodies.append(data[start:position])
        if position < end:
            if len(bodies) < most:
                self._held += memoryview(data)[position:]
            else:
                self._queued = data[position:]

    def _resume(self, data: bytes, bodies: list[bytes]) -> int:
        """Complete the held frame from the start of *data*; return how much of it was taken."""
        held = self._held
        taken = 0
        if len(held) < HEAD:
            taken = min(HEAD - len(held), len(data))
            held += data[:taken]
            if len(held) < HEAD:
                return taken
            length = _length_at(held)[0]
            if not 0 < length <= self.max_frame:
                self._fail(length)
                return len(data)
            self._missing = length
        piece = memoryview(data)[taken : taken + self._missing]
        held += piece
        self._missing -= len(piece)
        if not self._missing:
            with memoryview(held) as view:
                bodies.append(bytes(view[HEAD:]))
            self._held = bytearray()
        return taken + len(piece)

    def _fail(self, length: int) -> None:
        self._held = bytearray()
        if length:
            limit = self.max_frame
            self.failure = TooLarge(f"a frame of {length} bytes; the limit is {limit}", {"limit": limit})
        else:
            self.failure = ProtocolError("a frame of no bytes")
