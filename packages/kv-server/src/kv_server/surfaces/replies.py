"""From replies, errors and events to frames. One packer serves all connections of a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from struct import Struct
from typing import Any, Final

from msgpack import Packer

from kv_protocol.errors import AnswerLost, KvError, TooLarge
from kv_protocol.limits import KIB, MIB
from kv_protocol.messages import FAILED, MORE, OK
from kv_protocol.names import wire
from kv_protocol.types import Change, Message, Seen
from kv_server.engine.engine import Engine
from kv_server.engine.session import Session
from kv_server.engine.waiting import Unfinished
from kv_server.spec.command import Command, Flag
from kv_server.spec.reply import Stretch
from kv_server.spec.resp_kinds import LONG
from kv_server.surfaces.native_frames import answer

__all__ = ["Encoder", "LongCall", "LongReply", "framed"]

_START: Final = 0x93CE  # an array of three, then the id as uint32
_HEAD_LENGTH: Final = 7  # of the head of a frame, what its length counts
_head = Struct(">IHIB").pack

_head16 = Struct(">BH").pack
_head32 = Struct(">BI").pack
_ROWS: Final = (list, dict, Stretch)
_PART: Final = 256  # elements of a long reply that are packed at once
_KEPT_BUFFER: Final = 1 * MIB  # a packer that has grown beyond is let go


class LongReply(Exception):
    """An answer that is packed part by part. It was frozen: no later call changes it."""

    def __init__(self, encoder: Encoder, request_id: int, command: Command, reply: Any) -> None:
        super().__init__("a long reply")
        self.request_id = request_id
        self.command = command
        self._encoder = encoder
        self._parts = self._packed(reply)
        self._made: list[bytes] = []

    def go_on(self, timer: Callable[[], float], slice_s: float) -> bytes | None:
        """Pack for a slice of time; the frame once it is whole. Raises as `Encoder.ok` does."""
        until = timer() + slice_s
        while (part := next(self._parts, None)) is not None:
            self._made.append(part)
            if timer() > until:
                return None
        body = b"".join(self._made)
        frame = _head(_HEAD_LENGTH + len(body), _START, self.request_id, OK) + body
        return self._encoder.checked(self.command, frame)

    def _packed(self, reply: Any) -> Iterator[bytes]:
        size, present, pack = len(reply), self.command.present, Packer(autoreset=True).pack
        mapped = isinstance(reply, dict)
        small, large = (0xDE, 0xDF) if mapped else (0xDC, 0xDD)
        yield _head16(small, size) if size < 1 << 16 else _head32(large, size)
        kind: Any = dict if mapped else list
        rest = iter(reply.items() if mapped else reply)
        while part := kind(islice(rest, _PART)):
            yield pack(part if present is None else present(part))[1 if len(part) < 16 else 3 :]


class LongCall:
    """A call that goes on with *work*, and then is run again."""

    def __init__(self, encoder: Encoder, work: Unfinished, call: tuple[Session, int, Command, Any, Any, Any]) -> None:
        self.request_id, self.command = call[1:3]
        self._encoder = encoder
        self._work = work
        self._call = call

    def go_on(self, timer: Callable[[], float], slice_s: float) -> bytes | None:
        """Work for a slice of time; the frame of the answer once it is whole. Raises as calls and `Encoder.ok` do."""
        engine, work = self._encoder.engine, self._work
        if not work.go_on(timer, slice_s):
            return None
        session, _, command, args, options, _ = self._call
        began, revision = timer(), engine.tx.revision
        try:
            reply = engine.tx.again(work, lambda: engine.execute(*self._call))
        finally:
            spent_s = work.spent_s + timer() - began
            engine.observation.ran(session, command, 1, spent_s, revision)
            if spent_s > engine.observation.least_s:
                engine.observation.see(session, command, args, options, spent_s)
        return self._encoder.ok(self.request_id, self.command, reply)


class Encoder:
    """Makes the frames of the server around *engine*; none is longer than *max_frame*."""

    def __init__(self, engine: Engine, max_frame: int) -> None:
        self.engine = engine
        self.max_frame = max_frame
        self._new_packer()

    def _new_packer(self) -> None:
        self._pack = Packer(buf_size=64 * KIB).pack

    def ok(self, request_id: int, command: Command, reply: Any) -> bytes:
        """The answer *reply* of *command*. Raises `TooLarge` or `AnswerLost` if no frame can hold it."""
        if reply is None or command.present is None:
            frame = answer(request_id, reply, self.max_frame)
            if frame is not None:
                return frame
        if isinstance(reply, _ROWS) and len(reply) > LONG:
            raise LongReply(self, request_id, command, reply)
        return self.general(request_id, command, reply if command.present is None else command.present(reply))

    def general(self, request_id: int, command: Command, reply: object) -> bytes:
        """The answer *reply*, of any kind that can be packed."""
        return self.checked(command, self.plain(request_id, reply))

    def checked(self, command: Command, frame: bytes) -> bytes:
        """The frame of an answer, if it is one."""
        if len(frame) - 4 <= self.max_frame:
            return frame
        if command.flags & Flag.WRITE:
            text = f"{command.name} was applied, but its answer is larger than a frame may be"
            raise AnswerLost(text, {"revision": self.engine.revision})
        raise TooLarge(f"the answer of {command.name} is larger than a frame may be", {"limit": self.max_frame})

    def plain(self, request_id: int, reply: object) -> bytes:
        """The answer *reply* of a call that is no command."""
        body = self._packed(reply)
        return _head(_HEAD_LENGTH + len(body), _START, request_id, OK) + body

    def failed(self, request_id: int, error: KvError) -> bytes:
        """The answer that a call, or under id 0 the connection, failed with *error*."""
        body = self._packed((error.code, _printable(error.message), _details(error.details)))
        return _head(_HEAD_LENGTH + len(body), _START, request_id, FAILED) + body

    def more(self, request_id: int, event: Change[Any] | Message[Any] | Seen) -> bytes:
        """One event of a subscription."""
        if type(event) is Message:
            names = [None if name is None else wire(name) for name in (event.channel, event.pattern)]
            body = self._packed((event.kind, names[0], event.value, names[1]))
        elif type(event) is Seen:
            body = self._packed(event)
        else:
            assert isinstance(event, Change)
            key = None if event.key is None else wire(event.key)
            body = self._packed((event.kind, event.revision, key, event.value))
        return _head(_HEAD_LENGTH + len(body), _START, request_id, MORE) + body

    def push(self, kind: str, fields: tuple[object, ...]) -> bytes:
        """Something about the connection itself."""
        body = self._packed((kind, *(wire(word) if isinstance(word, str) else word for word in fields)))
        return _head(_HEAD_LENGTH + len(body), _START, 0, MORE) + body

    def _packed(self, body: object) -> bytes:
        packed: bytes = self._pack(body)
        if len(packed) > _KEPT_BUFFER:
            self._new_packer()
        return packed


def framed(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body


def _printable(message: str) -> str:
    """*message* as UTF-8 allows it: a name in it may have come from bytes that are none."""
    return message if message.isascii() else message.encode("utf-8", "backslashreplace").decode()


def _details(details: Mapping[str, Any]) -> dict[str, Any]:
    return {fact: wire(value) if isinstance(value, str) else value for fact, value in details.items()}
