"""One connection between a client and the server, passed on message by message, as far as the faults let it."""

from __future__ import annotations

import socket
from collections import deque
from typing import Final

import trio
from msgpack import Unpacker

from kv_protocol.frames import HEAD
from kv_protocol.limits import MIB
from kv_server.testing.clock import VirtualClock
from kv_server.testing.faults import CUT, DELAY, DROP, REPLY, REQUEST, Fault, Faults

__all__ = ["Line"]

_CHUNK: Final = 64 * 1024
_LONGEST: Final = 1024 * MIB  # of a frame; what claims to be longer is passed on as it comes
_MORE: Final = 1  # the status of a reply that others follow
_ARROWS: Final = {REQUEST: ">", REPLY: "<"}
_DEEDS: Final = {DROP: "dropped", DELAY: "delayed", CUT: "cut"}


class Line:
    """Carries what is sent at *near*, the client's side, to *far*, and back; tells *trace* what has passed."""

    def __init__(
        self,
        number: int,
        near: socket.socket,
        far: socket.socket,
        faults: Faults,
        clock: VirtualClock,
        trace: deque[str],
    ) -> None:
        self.client: str | None = None
        self._number = number
        self._ends = {REQUEST: (near, far), REPLY: (far, near)}
        self._cutters = {REQUEST: Cutter(), REPLY: Cutter()}
        self._faults = faults
        self._clock = clock
        self._trace = trace
        self._words: dict[int, str] = {}
        """Of the calls that are open, by their ids."""
        self._cuts: dict[str, tuple[int, Fault]] = {}
        """By side, how many bytes may pass before the connection ends."""
        self._scope = trio.CancelScope()

    async def run(self) -> None:
        """Carry until both sides have ended, or one has failed."""
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._carry, REQUEST)
                    nursery.start_soon(self._carry, REPLY)
        finally:
            for end in self._ends[REQUEST]:
                end.close()

    def cut(self) -> None:
        """End the connection."""
        self._scope.cancel()

    async def _carry(self, side: str) -> None:
        source, target = self._ends[side]
        cutter = self._cutters[side]
        try:
            while data := await self._receive(source):
                for frame in cutter.feed(data):
                    await self._pass(side, frame)
            await self._send(side, cutter.rest())
            target.shutdown(socket.SHUT_WR)
        except OSError:
            await self._faults.passage(self.client)
            self.cut()

    async def _receive(self, source: socket.socket) -> bytes:
        while True:
            await trio.lowlevel.wait_readable(source)
            try:
                return source.recv(_CHUNK)
            except BlockingIOError:
                continue

    async def _pass(self, side: str, frame: bytes) -> None:
        """Do to *frame* what was ordered for it."""
        if not self._cutters[side].framed:
            await self._send(side, frame)
            return
        word = self._read_request(frame) if side == REQUEST else self._read_reply(frame)
        copies, story = 1, f"{self._number} {_ARROWS[side]} {word}"
        for fault in self._faults.befalling(side, word, self.client):
            if fault.deed == DELAY:
                await self._clock.sleep(fault.amount)
            elif fault.deed == CUT:
                if side not in self._cuts or fault.amount < self._cuts[side][0]:
                    self._cuts[side] = int(fault.amount), fault
            else:
                copies = 0 if fault.deed == DROP else 2 * copies
            if fault.deed != CUT:
                fault.done += 1
            story += f" {_DEEDS.get(fault.deed, 'duplicated')}"
        self._trace.append(story)
        await self._send(side, frame * copies)

    async def _send(self, side: str, data: bytes) -> None:
        left, fault = self._cuts.get(side, (len(data) + 1, None))
        rest = memoryview(data)[:left]
        _, target = self._ends[side]
        while True:
            await self._faults.passage(self.client)
            if not rest:
                break
            try:
                rest = rest[target.send(rest) :]
            except BlockingIOError:
                await trio.lowlevel.wait_writable(target)
        if fault is not None:
            left = max(0, left - len(data))
            self._cuts[side] = left, fault
            if not left:
                fault.done += 1
                self.cut()
                await trio.lowlevel.checkpoint()

    # ---- reading
    def _read_request(self, frame: bytes) -> str:
        """The word of a request."""
        try:
            unpacker = opened(frame)
            size, number, word = unpacker.read_array_header(), unpacker.unpack(), str(unpacker.unpack())
            if word == "HELLO" and size > 3:
                unpacker.skip()
                self.client = unpacker.unpack().get("client")
        except Exception:
            return "?"  # the server will say what it is
        self._words[number] = word
        return word

    def _read_reply(self, frame: bytes) -> str:
        """The word of the call that a reply belongs to, or what the server says of the connection."""
        unpacker = opened(frame)
        unpacker.read_array_header()
        number, status = unpacker.unpack(), unpacker.unpack()
        if not number:
            return str(unpacker.unpack()[0])
        return self._words.get(number, "?") if status == _MORE else self._words.pop(number, "?")


def opened(frame: bytes) -> Unpacker:
    """What reads the message in *frame*, field by field."""
    unpacker = Unpacker(strict_map_key=False, unicode_errors="surrogateescape", max_buffer_size=len(frame))
    unpacker.feed(memoryview(frame)[HEAD:])
    return unpacker


class Cutter:
    """Cuts the bytes of one direction into frames, head included, if they are frames."""

    def __init__(self) -> None:
        self.framed: bool | None = None
        """Unknown until something has come. The first frame of either side is short, so its first byte is 0."""
        self._held = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Return the frames that are complete with *data*; of what is no frame, all there is."""
        held, frames = self._held, []
        held += data
        if self.framed is None:
            self.framed = data[0] == 0
        while self.framed and len(held) >= HEAD:
            end = HEAD + int.from_bytes(held[:HEAD])
            if end > _LONGEST:
                self.framed = False
            elif end > len(held):
                break
            else:
                frames.append(bytes(held[:end]))
                del held[:end]
        return frames if self.framed else [*frames, self.rest()]

    def rest(self) -> bytes:
        """Take what is no whole frame."""
        rest = bytes(self._held)
        self._held.clear()
        return rest
