"""Redis's protocol on one connection: bytes in, calls to the engine, RESP2 or RESP3 out.

Calls run and are answered in order. One that waits holds up those behind it on its own connection, and nobody else's;
input that comes meanwhile is kept, bounded, and read when its turn has come. The session ends with the connection.
Nothing a client sends makes `receive_data` raise.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final, Literal

from kv_protocol.errors import KvError, ProtocolError, TooManyConnections, UnknownCommand
from kv_protocol.limits import MIB
from kv_protocol.messages import GOAWAY, LOCK_LOST, REVOKED
from kv_protocol.types import Change, Message
from kv_server.engine.engine import PARKED, Engine
from kv_server.engine.session import Session
from kv_server.engine.waiting import Unfinished
from kv_server.spec.checks import WrongArity
from kv_server.spec.command import Command, Flag
from kv_server.spec.resp_kinds import OK, Push
from kv_server.surfaces.hello import Limits
from kv_server.surfaces.pieces import Pieces, take
from kv_server.surfaces.resp_pause import Pause, Paused
from kv_server.surfaces.resp_replies import RESP2, RESP3, failed
from kv_server.surfaces.resp_requests import RequestReader
from kv_server.surfaces.trace import trace_of

__all__ = ["RespConnection", "RespDoor"]

HIGH_WATER: Final = 1 * MIB  # unsent bytes beyond which the calls of a connection wait for its reader
SLICE_S: Final = 0.002  # how long the calls of one connection run before others have their turn

_CALL: Final = 1  # the id of every call: there is one at a time
_OF_THE_NATIVE_DOOR: Final = frozenset((GOAWAY, LOCK_LOST, REVOKED))

log = logging.getLogger("kv.resp")


class RespDoor:
    """What all RESP connections of a server share. *timer* counts seconds from anywhere."""

    def __init__(self, engine: Engine, limits: Limits, timer: Callable[[], float]) -> None:
        self.engine = engine
        self.limits = limits
        self.timer = engine.observation.timer = timer
        catalog = engine.catalog
        whole = {word: catalog.spoken[word] for word in catalog.spoken if catalog.is_whole(word)}
        self.commands = self._whole = whole | {word.lower(): command for word, command in whole.items()}
        """By a first word that says all. The others come from `find`, and while there is a pause all of them do."""
        self._pause: Pause | None = None
        self.protocol_errors = 0
        self.bugs: dict[str, tuple[int, int]] = {}

    def connect(self, wake: Callable[[], None], lost: Callable[[], bool]) -> RespConnection:
        """A new connection; it calls *wake* when it has output, or an end, that no input of its own caused, and asks
        by *lost* whether its peer is known to be gone."""
        return RespConnection(self, wake, lost)

    def trouble(self) -> tuple[int, int]:
        """How often clients broke the protocol, and how often we failed them."""
        return self.protocol_errors, sum(times for _, times in self.bugs.values())

    def note_bug(self, name: str, error: Exception) -> int:
        """Log a failure of ours, but a repeated one ever more rarely; return its number."""
        trace = trace_of(error)
        number, times = self.bugs.get(trace, (len(self.bugs) + 1, 0))
        times += 1
        self.bugs[trace] = number, times
        if times & (times - 1) == 0:
            log.error("a command failed command=%s incident=%d times=%d trace=%r", name, number, times, trace)
        return number

    def find(self, words: list[bytes]) -> Command:
        """The command of a line whose first word is not in `commands`. Raises what Redis tells of unknown ones."""
        command = self.engine.catalog.find_spoken(words)
        pause = self._pause
        if pause is not None and (pause.everything or command.flags & Flag.WRITE):
            raise Paused
        return command

    # ---- a pause of all connections
    def pause(self, wait_ms: int, everything: bool) -> None:
        """Let commands wait for *wait_ms*; a pause that lasts longer already goes on."""
        until_ms = self.engine.elapsed_ms + wait_ms
        waiting: list[RespConnection] = []
        if self._pause is not None:
            self._pause.alarm.pending = False
            until_ms, waiting = max(until_ms, self._pause.until_ms), self._pause.waiting
        alarm = self.engine.set_alarm(until_ms - self.engine.elapsed_ms, self.unpause)
        stricter = self._pause is not None and self._pause.everything
        self._pause = Pause(until_ms, everything or stricter, alarm, waiting)
        self.commands = {}

    def unpause(self) -> None:
        """End the pause: what waited goes on."""
        pause, self._pause = self._pause, None
        self.commands = self._whole
        if pause is not None:
            pause.alarm.pending = False
            for connection in pause.waiting:
                connection.unpaused()

    def wait(self, connection: RespConnection) -> None:
        assert self._pause is not None
        self._pause.waiting.append(connection)


class RespConnection:
    """One client. The engine talks back to it through the methods of `Outbox`, commands through those of `Line`."""

    __slots__ = (
        "_call", "_door", "_encode", "_lost", "_out", "_reader", "_rest", "_rest_size", "_waiting", "_wake", "_work",
        "calls", "closing", "command", "held", "library", "long", "overflowed", "protocol", "session", "silent",
        "stalled",
    )  # fmt: skip

    def __init__(self, door: RespDoor, wake: Callable[[], None], lost: Callable[[], bool]) -> None:
        self._door = door
        self._wake = wake
        self._lost = lost
        self._reader = RequestReader(door.limits.frame)
        self._waiting: list[list[bytes]] = []
        self._rest: list[bytes] = []
        self._rest_size = 0
        self._call: object = None  # what the commands behind it wait for
        self._work: Unfinished | None = None  # the same, of the first of those that wait
        self.command: Command | None = None
        self.library = ("", "")
        self._out: list[bytes | Pieces] = []
        self.long = False  # output may hold replies that are not written yet
        self._encode = RESP2
        self.protocol = 2
        self.silent = 0
        self.session: Session | None = None
        self.calls = 0
        self.held = 0
        self.stalled = False
        self.closing = False
        self.overflowed = False

    # ---- bytes
    @property
    def halfway(self) -> bool:
        """A command has begun and the rest of it has not come."""
        return self._call is None and self._reader.halfway

    def receive_data(self, data: bytes) -> None:
        """Take *data* and run the commands that are complete with it."""
        if self.closing:
            return
        if self.session is None:
            self.session = self._door.engine.open_line(self, b"0")
            self.session.patient = True
        if self.stalled or self._call is not None:
            self._rest.append(data)
            self._rest_size += len(data)
            if self._rest_size > self._door.limits.frame:
                self._break("too much input while a command waits")
            return
        self._run(self._reader.feed(data))

    def resume(self) -> None:
        """Go on with the commands that were held up."""
        self.stalled = False
        if self.closing or self._call is not None:
            return
        if self._work is not None:
            self._go_on(self._work)
        elif self._waiting:
            words, self._waiting = self._waiting, []
            self._run(words)
        elif self._rest:
            data = b"".join(self._rest)
            self._rest.clear()
            self._rest_size = 0
            self._run(self._reader.feed(data))

    def _go_on(self, work: Unfinished) -> None:
        """Go on with what the first command that waits has to work out; run that again when it is done."""
        if work.go_on(self._door.timer, SLICE_S / 2):
            self._work = None
            line = self._waiting.pop(0)
            self._door.engine.tx.again(work, lambda: self._run([line]))
        else:
            self.stalled = True

    def data_to_send(self) -> bytes:
        """Output to be sent now: about `HIGH_WATER` at most, or one reply. `held` is what is left after it."""
        out: list[Any] = self._out
        if self.held <= HIGH_WATER and not self.long:
            data: bytes = out[0] if len(out) == 1 else b"".join(out)
            out.clear()
            self.held = 0
            return data
        data, shrunk = take(out, HIGH_WATER, self._door.timer)
        self.held -= shrunk
        self.long = bool(out)
        return data

    def retract(self, taken: bytes, refusal: Callable[[], KvError]) -> bool:
        """Answers that were *taken*, or could be, must not be given. RESP has no place to say so but the end."""
        return False

    def go_away(self, error: KvError) -> None:
        """Clients of Redis know a server that goes away by this, and by nothing else."""
        self._end()

    def refuse(self, error: KvError) -> None:
        """End the connection. Nobody waits for an answer here: one that is sent would be taken for the next call's."""
        if type(error) is TooManyConnections:
            self._append(b"-ERR max number of clients reached\r\n")
        self._end()

    def leave(self) -> None:
        """Take part no longer: what waits for this connection is withdrawn. What was said is still to be sent."""
        self._end()
        if self.session is not None:
            self._door.engine.close_session(self.session)

    # ---- calls
    def _run(self, lines: list[list[bytes]]) -> None:
        """Run commands in order, as many as a slice of time or of output allows, up to one that waits."""
        door, session, append = self._door, self.session, self._out.append
        execute, timer = door.engine.run, door.timer
        assert session is not None
        held = done = 0
        frame: bytes | Pieces
        until = timer() + SLICE_S
        for words in lines:
            done += 1
            try:
                command = self.command = door.commands.get(words[0]) or door.find(words)
                reply: Any = execute(session, _CALL, command, words, None, None)
                kind = type(reply)
                if kind is bytes:
                    frame = b"$%d\r\n%b\r\n" % (len(reply), reply)
                elif reply is OK:
                    frame = b"+OK\r\n"
                elif kind is int and -1_000_000 < reply < 1_000_000:
                    frame = b":%d\r\n" % reply
                elif reply is PARKED:
                    self._call = command
                    break
                else:
                    frame = self._encode(reply)
                    self.long = self.long or type(frame) is Pieces
            except Exception as error:
                if type(error) is Paused:
                    done -= 1
                    self._call = error
                    door.wait(self)
                    break
                if type(error) is Unfinished:
                    done -= 1
                    self._work = error
                    break
                frame = self._failure(self.command, error)
            if self.silent:
                frame = self._hush()
            append(frame)
            held += len(frame)
            if self.closing or held > HIGH_WATER or timer() > until:
                break
        self.held += held
        self.calls += done
        self._settle(lines, done)

    def _settle(self, lines: list[list[bytes]], done: int) -> None:
        """Keep what was not run, or end with what could not be read."""
        if self.closing:
            self._end()
            return
        if done < len(lines):
            self._waiting = lines[done:] + self._waiting
        reader = self._reader
        if self._call is None:
            if self._waiting or self._rest:
                self.stalled = True
            elif reader.failure is not None:
                if reader.http:
                    self._door.protocol_errors += 1
                    self._end()
                else:
                    self._break(reader.failure)

    def _failure(self, command: Command | None, error: Exception) -> bytes:
        """The answer to a call that raised *error*. A line that is no call spoils what the session is amid."""
        if isinstance(error, KvError):
            detour = self.session.detour if self.session is not None else None
            if detour is not None and isinstance(error, (UnknownCommand, WrongArity)):
                detour.fail()
            self._door.engine.observation.fail(error)
            return failed(error)
        number = self._door.note_bug("?" if command is None else command.name, error)
        return b"-ERR a bug of the server: see incident %d in its log\r\n" % number

    def _hush(self) -> bytes:
        """What is left of a reply for which the client did not ask."""
        if self.silent > 0:
            self.silent -= 1
        return b""

    def _break(self, reason: str) -> None:
        """End the connection: its peer broke the protocol."""
        self._door.protocol_errors += 1
        self._append(failed(ProtocolError(f"Protocol error: {reason}")))
        self._end()

    def _end(self) -> None:
        self.closing = True
        self.stalled = False
        self._work = None
        self._waiting.clear()
        self._rest.clear()

    def _append(self, frame: bytes | Pieces) -> None:
        """Add output that is not the answer to a command being run."""
        self._out.append(frame)
        self.long = self.long or type(frame) is Pieces
        self.held += len(frame)
        if self.held > self._door.limits.output:
            self.overflowed = True
            self._end()
        self._wake()

    # ---- what the engine says: Outbox
    def deliver(self, request_id: int, command: Command, reply: object) -> None:
        if self.closing:
            return
        try:
            frame = self._encode(command.late(None) if reply is None else reply)
        except Exception as error:
            frame = self._failure(command, error)
        self._answered(frame)

    def fail(self, request_id: int, error: KvError) -> None:
        if not self.closing:
            self._answered(failed(error))

    def event(self, request_id: int, event: Change[bytes] | Message[bytes]) -> None:
        """No command of this door subscribes to changes."""

    def push(self, kind: str, *fields: object) -> None:
        if not self.closing and kind not in _OF_THE_NATIVE_DOOR:
            self._append(self._encode(Push((kind, *fields))))

    def close(self, error: KvError) -> None:
        self._end()
        self._wake()

    def lost(self) -> bool:
        return self.closing or self._lost()

    def _answered(self, frame: bytes | Pieces) -> None:
        """The call that waited has its answer: go on with those behind it, but not from inside the engine."""
        self._call = None
        self.stalled = bool(self._waiting or self._rest)
        self._append(self._hush() if self.silent else frame)

    # ---- what commands of this door ask for: Line
    def speak(self, version: int) -> None:
        """Write in this version of the protocol from here on."""
        self.protocol = version
        self._encode = RESP3 if version == 3 else RESP2

    def answer(self, mode: Literal["ON", "OFF", "SKIP"]) -> None:
        """Send replies (ON), none (OFF), or none to this call and the next (SKIP)."""
        self.silent = {"ON": 0, "OFF": -1, "SKIP": 2}[mode]

    def say(self, text: bytes) -> None:
        """Send a line that answers no call."""
        if not self.closing:
            self._append(b"+%b\r\n" % text)

    def hang_up(self) -> None:
        """End once the answer to this call was sent."""
        self.closing = True

    def pause(self, wait_ms: int, everything: bool) -> None:
        """Let the commands of all connections of this door wait."""
        self._door.pause(wait_ms, everything)

    def unpause(self) -> None:
        """Let them go on."""
        self._door.unpause()

    def unpaused(self) -> None:
        """The pause that held this connection up is over."""
        self._call = None
        self.stalled = bool(self._waiting or self._rest)
        self._wake()
