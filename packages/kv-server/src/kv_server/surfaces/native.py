"""kv's own protocol on one connection: bytes in, calls to the engine, frames out. `protocol.md` is the text to this.

A connection is greeted once, then every frame is one call. Frames that arrive together run together, until they have
cost a slice of time or made more output than a reader should be owed; the rest waits here (`stalled`) for `resume`.
Only calls that wait are remembered by their id. Nothing a client sends makes `receive_data` raise.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from math import inf
from typing import Any, Final

from msgpack import unpackb

from kv_protocol.errors import (
    InternalError,
    KvError,
    ProtocolError,
    UnknownCommand,
    UnsupportedVersion,
)  # fmt: skip
from kv_protocol.frames import FrameReader
from kv_protocol.limits import MAX_HELLO_FRAME, MIB
from kv_protocol.messages import GOAWAY, MORE, OK
from kv_protocol.types import Change, Message
from kv_server.engine.engine import PARKED, Engine
from kv_server.engine.session import Session
from kv_server.engine.waiting import Unfinished
from kv_server.spec.command import Command
from kv_server.surfaces.hello import Limits, printable, read_hello, welcome
from kv_server.surfaces.replies import Encoder, LongCall, LongReply, framed
from kv_server.surfaces.requests import SHORT, Overfull, positive_numbers, read_first, read_long, refusal
from kv_server.surfaces.trace import trace_of

__all__ = ["HIGH_WATER", "NativeConnection", "NativeDoor"]

HIGH_WATER: Final = 1 * MIB  # unsent bytes beyond which the calls of a connection wait for its reader
FEW: Final = 1  # so many calls need no watching
SLICE_S: Final = 0.002  # how long the calls of one connection run before others have their turn

_MAX_ID: Final = 2**32 - 1

log = logging.getLogger("kv.native")


class NativeDoor:
    """What all native connections of a server share. *timer* counts seconds from anywhere."""

    def __init__(self, engine: Engine, limits: Limits, server: str, timer: Callable[[], float]) -> None:
        self.engine = engine
        self.commands = dict(engine.catalog.commands)
        self.limits = limits
        self.server = server
        self.timer = timer
        self.encoder = Encoder(engine, limits.frame)
        self.protocol_errors = 0
        self.bugs: dict[str, tuple[int, int]] = {}  # by trace: number, times

    def connect(self, wake: Callable[[], None], lost: Callable[[], bool]) -> NativeConnection:
        """A new connection; it calls *wake* when it has output, or an end, that no input of its own caused, and asks
        by *lost* whether its peer is known to be gone."""
        return NativeConnection(self, wake, lost)

    def trouble(self) -> tuple[int, int]:
        """How often clients broke the protocol, and how often we failed them."""
        return self.protocol_errors, sum(times for _, times in self.bugs.values())

    def note_bug(self, name: bytes, error: Exception) -> int:
        """Log a failure of ours, but a repeated one ever more rarely; return its number."""
        trace = trace_of(error)
        number, times = self.bugs.get(trace, (len(self.bugs) + 1, 0))
        times += 1
        self.bugs[trace] = number, times
        if times & (times - 1) == 0:
            log.error("a command failed command=%s incident=%d times=%d trace=%r", name.decode(), number, times, trace)
        return number


class NativeConnection:
    """One client. The engine talks back to it through the methods of `Outbox`."""

    __slots__ = (
        "_door", "_encoder", "_lost", "_open", "_out", "_owed", "_reader", "_told", "_waiting", "_wake", "calls",
        "closing", "held", "overflowed", "session", "stalled",
    )  # fmt: skip
    protocol = 0

    def __init__(self, door: NativeDoor, wake: Callable[[], None], lost: Callable[[], bool]) -> None:
        self._door = door
        self._encoder = door.encoder
        self._wake = wake
        self._lost = lost
        self._reader = FrameReader(MAX_HELLO_FRAME)
        self._waiting: list[bytes] = []
        self._open: set[int] = set()
        self._out: list[bytes] = []
        self._owed: LongCall | LongReply | None = None
        self._told = 0
        self.session: Session | None = None
        self.calls = 0
        self.held = 0
        self.stalled = False
        self.closing = False
        self.overflowed = False

    # ---- bytes
    @property
    def halfway(self) -> bool:
        """A frame has begun and the rest of it has not come."""
        return self._reader.held > 0

    def receive_data(self, data: bytes) -> None:
        """Take *data* and run the calls that are complete with it."""
        if self.closing:
            return
        reader = self._reader
        if self.session is None:
            first = reader.feed(data, 1)
            if first:
                self._greet(first[0])
            if self.session is None:
                if reader.failure is not None and not self.closing:
                    self._break(reader.failure)
                return
            data = b""
        bodies = reader.feed(data)
        if self.stalled:
            self._waiting += bodies
        else:
            self._run(bodies)

    def resume(self) -> None:
        """Go on with the calls that were stalled."""
        self.stalled = False
        if not self.closing and (self._owed is None or self._go_on(self._owed)):
            bodies, self._waiting = self._waiting, []
            self._run(bodies)

    def data_to_send(self) -> bytes:
        """Output to be sent now: about `HIGH_WATER` at most, or one frame. `held` is what is left after it."""
        out = self._out
        if self.held <= HIGH_WATER:
            data = out[0] if len(out) == 1 else b"".join(out)
            out.clear()
            self.held = self._told = 0
            return data
        size = count = 0
        while size < HIGH_WATER and count < len(out):
            size += len(out[count])
            count += 1
        data = b"".join(out[:count])
        del out[:count]
        self.held -= size
        self._told = min(self._told, self.held)
        return data

    def retract(self, taken: bytes, refusal: Callable[[], KvError]) -> bool:
        """Answers that were *taken*, or could be, must not be given: put errors in their place. False if it cannot."""
        reader = FrameReader(1 << 32)
        frames = reader.feed(b"".join((taken, *self._out)))
        self._out.clear()
        self.held = self._told = 0
        for body in frames:
            request_id, status = int.from_bytes(body[2:6], "big"), body[6]
            if status == MORE:
                return False
            self._append(self._encoder.failed(request_id, refusal()) if status == OK and request_id else framed(body))
        if self._owed is not None:
            self._append(self._encoder.failed(self._owed.request_id, refusal()))
            self._owed = None
        return True

    def go_away(self, error: KvError) -> None:
        """Tell the client to take its calls elsewhere."""
        if self.session is not None:
            self.push(GOAWAY, error.code, error.message)

    def refuse(self, error: KvError) -> None:
        """End the connection because of *error*."""
        self._append(self._encoder.failed(0, error))
        self._end()

    def leave(self) -> None:
        """Take part no longer: what waits for this connection is withdrawn. What was said is still to be sent."""
        self._end()
        if self.session is not None:
            self._door.engine.detach(self.session, self)

    def _go_on(self, long: LongCall | LongReply) -> bool:
        """Go on with the call, or the answer, that the calls behind it wait for; False if it is not done."""
        frame: bytes | None
        try:
            frame = long.go_on(self._door.timer, SLICE_S / 2)
        except LongReply as reply:
            self._owed, frame = reply, None
        except Exception as error:
            frame = self._failure(long.request_id, long.command.name.encode(), error)
        if frame is None:
            self.stalled = True
            return False
        self._owed = None
        self._out.append(frame)
        self.held += len(frame)
        return True

    # ---- calls
    def _run(self, bodies: list[bytes]) -> None:
        """Run the calls in *bodies* in order; those that a slice of time or of output does not allow wait."""
        door, session, still_open, append = self._door, self.session, self._open, self._out.append
        execute, commands, encode, timer = door.engine.execute, door.commands, door.encoder.ok, door.timer
        assert session is not None
        held = done = 0
        command: Any = None
        name = args = command
        frame: bytes | None
        until = timer() + SLICE_S if len(bodies) > FEW else inf
        for body in bodies:
            done += 1
            request_id: Any = 0
            options: Any = None
            meta: Any = None
            try:
                message = unpackb(body, raw=True, strict_map_key=False) if len(body) <= SHORT else self._long(body)
                size = len(message)
                if size == 5:
                    request_id, name, args, options, meta = message
                elif size == 3:
                    request_id, name, args = message
                else:
                    request_id, name, args, options = message
                if (
                    type(request_id) is not int
                    or not 0 < request_id <= _MAX_ID
                    or type(name) is not bytes
                    or type(args) is not list
                    or (options is not None and type(options) is not dict)
                    or (meta is not None and type(meta) is not dict)
                    or (still_open and request_id in still_open)
                ):
                    raise self._refusal(request_id)
                command = commands.get(name)
                if command is None:
                    frame = self._other(request_id, name, args, options)
                else:
                    reply = execute(session, request_id, command, args, options, meta)
                    if reply is PARKED:
                        still_open.add(request_id)
                        frame = None
                    else:
                        frame = encode(request_id, command, reply)
            except (LongReply, Unfinished) as long:
                call = session, request_id, command, args, options, meta
                self._owed = LongCall(door.encoder, long, call) if isinstance(long, Unfinished) else long
                break
            except Exception as error:
                frame = self._failure(request_id, name, error)
            if frame is not None:
                append(frame)
                held += len(frame)
            elif self.closing:
                break
            if held > HIGH_WATER or (until is not inf and timer() > until):
                break
        self.held += held
        self.calls += done
        self._rest(bodies, done)

    def _rest(self, bodies: list[bytes], done: int) -> None:
        """Keep what was not run, or end with the frame that could not be read."""
        if self.closing:
            return
        if done < len(bodies) or self._owed is not None:
            self._waiting = bodies[done:]
            self.stalled = True
        elif self._reader.failure is not None:
            self._break(self._reader.failure)

    def _long(self, body: bytes) -> list[Any]:
        return read_long(body, self._door.limits.batch)

    def _greet(self, body: bytes) -> None:
        """Answer the first request; only HELLO opens the connection."""
        door, request_id = self._door, 0
        try:
            request_id, name, args, options = read_first(body)
            if name != b"HELLO":
                raise ProtocolError("the first request of a connection must be HELLO")
            hello = read_hello(args, options)
            session, resumed = door.engine.open_session(self, hello.client, hello.namespace, hello.secret)
        except UnsupportedVersion as error:
            self._append(self._encoder.failed(request_id, error))
        except ProtocolError as error:
            self._break(error)
        except KvError as error:
            self._append(self._encoder.failed(request_id, error))
        else:
            self.session = session
            session.patient = True
            self._reader.max_frame = door.limits.frame
            answer = welcome(door.server, door.engine, session, resumed, door.limits)
            self._append(self._encoder.plain(request_id, answer))
            return
        self._end()

    def _other(self, request_id: int, name: bytes, args: list[Any], options: dict[Any, Any] | None) -> bytes:
        """Answer a request that is about another call, or that nobody knows."""
        engine, session = self._door.engine, self.session
        assert session is not None
        if name == b"CANCEL":
            (call,) = positive_numbers(name, args, options, 1)
            return self._encoder.plain(request_id, engine.cancel(session, call))
        if name == b"CREDIT":
            call, count = positive_numbers(name, args, options, 2)
            engine.credit(session, call, count)
            return self._encoder.plain(request_id, None)
        if name == b"HELLO":
            raise ProtocolError("HELLO is the first request of a connection, and only the first")
        raise UnknownCommand(f"no command {printable(name)}")

    def _refusal(self, request_id: Any) -> ProtocolError:
        if type(request_id) is int and request_id in self._open:
            return ProtocolError(f"the id {request_id} belongs to a call that is still open")
        return refusal(request_id)

    def _failure(self, request_id: Any, name: bytes, error: Exception) -> bytes | None:
        """The answer to a call that raised *error*; None if the connection ends with it."""
        if isinstance(error, Overfull):
            return self._encoder.failed(error.request_id, error)
        if isinstance(error, ProtocolError):
            self._break(error)
            return None
        if not request_id:
            self._break(ProtocolError(f"a frame that holds no request: {type(error).__name__}"))
            return None
        if isinstance(error, KvError):
            return self._encoder.failed(request_id, error)
        number = self._door.note_bug(name, error)
        return self._encoder.failed(request_id, InternalError(f"a bug of the server: see incident {number} in its log"))

    def _break(self, error: KvError) -> None:
        """End the connection: its peer broke the protocol."""
        self._door.protocol_errors += 1
        self.refuse(error)

    def _end(self) -> None:
        self.closing = True
        self.stalled = False
        self._owed = None
        self._waiting.clear()

    def _append(self, frame: bytes) -> None:
        """Add output that is not the answer to a call being run: nothing but its reader bounds how much comes."""
        if self._told > self._door.limits.output:
            self.overflowed = True
            self._end()
        else:
            self._out.append(frame)
            self.held += len(frame)
            self._told += len(frame)
        self._wake()

    # ---- what the engine says: Outbox
    def deliver(self, request_id: int, command: Command, reply: object) -> None:
        self._open.discard(request_id)
        if self.closing:
            return
        frame: bytes | None
        try:
            frame = self._encoder.ok(request_id, command, reply)
        except LongReply as long:
            frame = long.go_on(lambda: 0.0, 0.0)
        except Exception as error:
            frame = self._failure(request_id, command.name.encode(), error)
        if frame is not None:
            self._append(frame)

    def fail(self, request_id: int, error: KvError) -> None:
        self._open.discard(request_id)
        if not self.closing:
            self._append(self._encoder.failed(request_id, error))

    def event(self, request_id: int, event: Change[bytes] | Message[bytes]) -> None:
        if not self.closing:
            self._append(self._encoder.more(request_id, event))

    def push(self, kind: str, *fields: object) -> None:
        if not self.closing:
            self._append(self._encoder.push(kind, fields))

    def close(self, error: KvError) -> None:
        self.push(GOAWAY, error.code, error.message)
        self._end()
        self._wake()

    def lost(self) -> bool:
        return self.closing or self._lost()
