"""kv's own protocol on one connection: bytes in, calls to the engine, frames out. `protocol.md` is the text to this.

A connection is greeted once, then every frame is one call. Frames that arrive together run together, until they have
cost a slice of time or made more output than a reader should be owed; the rest waits here (`stalled`) for `resume`.
Only calls that wait are remembered by their id. Nothing a client sends makes `receive_data` raise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from kv_protocol.errors import KvError, ProtocolError
from kv_protocol.frames import FrameReader
from kv_protocol.limits import MAX_HELLO_FRAME
from kv_protocol.messages import GOAWAY, MORE, OK
from kv_protocol.types import Change, Message, Seen
from kv_server.commands.swift import swift_of
from kv_server.engine.engine import PARKED, Engine
from kv_server.engine.waiting import Unfinished
from kv_server.spec.command import Command
from kv_server.surfaces.bugs import Bugs
from kv_server.surfaces.events import events_of
from kv_server.surfaces.greeting import MOST_AHEAD, Greeting
from kv_server.surfaces.hello import Limits
from kv_server.surfaces.native_frames import read
from kv_server.surfaces.replies import Encoder, LongCall, LongReply, framed
from kv_server.surfaces.requests import Overfull
from kv_server.surfaces.steering import steer
from kv_server.surfaces.surface import HIGH_WATER, SLICE_S, Surface
from kv_server.surfaces.tracing import traced

__all__ = ["NativeConnection", "NativeDoor"]


NOTHING: Final[tuple[Any, Any, Any, Any]] = (0, None, None, None)  # of a request, before it is read

log = events_of("kv.native")


class NativeDoor:
    """What all native connections of a server share. *timer* counts seconds from anywhere."""

    def __init__(self, engine: Engine, limits: Limits, server: str, timer: Callable[[], float]) -> None:
        self.engine = engine
        self.observation, self.tx = engine.observation, engine.tx
        self.traced = traced(engine.execute)
        self.commands = dict(engine.catalog.commands)
        self.limits = limits
        self.server = server
        self.timer = timer
        self.encoder = Encoder(engine, limits.frame)
        self.swift = swift_of(engine) if self.traced is None else None
        self.protocol_errors = 0
        self.bugs = Bugs(log)

    def connect(self, wake: Callable[[], None], lost: Callable[[], bool]) -> NativeConnection:
        """A new connection; it calls *wake* when it has output, or an end, that no input of its own caused, and asks
        by *lost* whether its peer is known to be gone."""
        return NativeConnection(self, wake, lost)

    def trouble(self) -> tuple[int, int]:
        """How often clients broke the protocol, and how often we failed them."""
        return self.protocol_errors, self.bugs.times


class NativeConnection(Surface):
    """One client. The engine talks back to it through the methods of `Outbox`."""

    __slots__ = (
        "_door", "_encoder", "_greeting", "_lost", "_open", "_out", "_owed", "_reader", "_swift", "_told",
        "_waiting", "_wake",
    )  # fmt: skip
    protocol = 0

    def __init__(self, door: NativeDoor, wake: Callable[[], None], lost: Callable[[], bool]) -> None:
        super().__init__()
        self._door = door
        self._encoder = door.encoder
        self._swift = door.swift
        self._wake = wake
        self._lost = lost
        self._reader = FrameReader(MAX_HELLO_FRAME)
        self._waiting: list[bytes] = []
        self._open: set[int] = set()
        self._out: list[bytes] = []
        self._owed: LongCall | LongReply | None = None
        self._told = 0
        self._greeting: Greeting | None = None

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
            first = reader.feed(data, 1 if self._greeting is None else 0)
            if first:
                self._greet(first[0])
            elif reader.held > MOST_AHEAD:
                self._break(ProtocolError("wait for the answer to HELLO"))
            if self.session is None:
                if reader.failure is not None and not self.closing:
                    self._break(reader.failure)
                return
            data = b""
        elif not self.stalled:
            if self._swift is not None:
                data = self._hurry(data)
                if not data:
                    return
            self.stalled = self.held > HIGH_WATER
        bodies = reader.feed(data)
        if self.stalled:
            self._waiting += bodies
        else:
            self._run(bodies)

    def _hurry(self, data: bytes) -> bytes:
        """Run the calls at the beginning of *data* that can be run swiftly; what is left of it."""
        swift = self._swift
        if self._open or self._reader.held:
            return data
        assert swift is not None
        assert self.session is not None
        frames = swift.native(self.session, data)
        if not swift.calls:
            return data
        self.calls += swift.calls
        self._out.append(frames)
        self.held += len(frames)
        return data[swift.taken :] if swift.taken < len(data) else b""

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
            frame = self._failure(long.request_id, long.command, error)
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
        execute, commands = door.traced or door.engine.execute, door.commands
        encode, timer, observation, tx = door.encoder.ok, door.timer, door.observation, door.tx
        note, least_s, most = observation.note, observation.least_s, door.limits.batch
        assert session is not None
        held = done = since = revision = 0
        last = args = NOTHING[1]
        frame: bytes | None
        began = before = timer()
        until = before + SLICE_S
        for body in bodies:
            done += 1
            request_id, command, options, meta = NOTHING
            try:
                request_id, name, args, options, meta = read(body, still_open, most)
                command = commands.get(name)
                if command is not last:
                    if last is not None and done - 1 > since:
                        observation.ran(session, last, done - 1 - since, before - began, revision)
                    last, since, began, revision = command, done - 1, before, tx.revision
                if command is None:
                    frame = steer(door.engine, door.encoder, session, request_id, name, args, options)
                else:
                    reply = execute(session, request_id, command, args, options, meta)
                    frame = None if reply is PARKED else encode(request_id, command, reply)
                    if frame is None:
                        still_open.add(request_id)
            except (LongReply, Unfinished) as long:
                since += self._put_off(long, timer() - before, (session, request_id, command, args, options, meta))
                break
            except Exception as error:
                frame = self._failure(request_id, command, error)
                since += command is None
            now = timer()
            if now - before > least_s and command is not None:
                observation.see(session, command, args, options, now - before)
            before = now
            if frame is not None:
                append(frame)
                held += len(frame)
            elif self.closing:
                break
            if held > HIGH_WATER or now > until:
                break
        if last is not None and done > since:
            note((last, done - since, before - began))
            if tx.revision != revision:
                observation.wrote(session, last.name, revision)
        self.held += held
        self.calls += done
        self._rest(bodies, done)

    def _put_off(self, long: LongReply | Unfinished, spent_s: float, call: tuple[Any, ...]) -> bool:
        """Let the calls behind wait for what takes long; whether that is the call, counted when it ends."""
        if isinstance(long, LongReply):
            self._owed = long
            return False
        long.spent_s = spent_s
        self._owed = LongCall(self._encoder, long, call)
        return True

    def _rest(self, bodies: list[bytes], done: int) -> None:
        """Keep what was not run, or end with the frame that could not be read."""
        if self.closing:
            return
        if done < len(bodies) or self._owed is not None:
            self._waiting = bodies[done:]
            self.stalled = True
        elif self._reader.failure is not None:
            self._break(self._reader.failure)

    def _greet(self, body: bytes) -> None:
        """Take the first request; only HELLO opens the connection."""
        self._greeting = greeting = Greeting(body)
        greeting.log_in(self._door.engine.access, self.certified, self.address, self._let_in)
        greeting.waits = True

    def _let_in(self, login: Any) -> None:
        """Answer the first request: its caller is let in, or is not."""
        greeting, self._greeting = self._greeting, None
        if self.closing or greeting is None:
            return
        try:
            self.session, answer = greeting.open(self._door, self, login)
        except KvError as error:
            if type(error) is ProtocolError:
                self._break(error)
            else:
                self._append(self._encoder.failed(greeting.request_id, error))
                self._end()
            return
        self._reader.max_frame = self._door.limits.frame
        self._append(self._encoder.plain(greeting.request_id, answer))
        if greeting.waits:
            self._waiting = self._reader.feed(b"")
            self.stalled = bool(self._waiting) or self._reader.failure is not None

    def _failure(self, request_id: Any, command: Command | None, error: Exception) -> bytes | None:
        """The answer to a call that raised *error*; None if the connection ends with it."""
        if isinstance(error, Overfull):
            request_id = error.request_id
        if isinstance(error, ProtocolError):
            self._break(error)
            return None
        if not request_id:
            self._break(ProtocolError(f"a frame that holds no request: {type(error).__name__}"))
            return None
        if not isinstance(error, KvError):
            error = self._door.bugs.note("?" if command is None else command.name, error)
        self._door.engine.observation.fail(error, command)
        return self._encoder.failed(request_id, error)

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
            frame = self._failure(request_id, command, error)
        if frame is not None:
            self._append(frame)

    def fail(self, request_id: int, error: KvError) -> None:
        self._open.discard(request_id)
        if not self.closing:
            self._append(self._encoder.failed(request_id, error))

    def event(self, request_id: int, event: Change[bytes] | Message[bytes] | Seen) -> None:
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
