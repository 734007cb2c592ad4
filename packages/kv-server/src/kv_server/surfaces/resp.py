"""Redis's protocol on one connection: bytes in, calls to the engine, RESP2 or RESP3 out.

Calls run and are answered in order. One that waits holds up those behind it on its own connection, and nobody else's;
input that comes meanwhile is kept, bounded, and read when its turn has come. The session ends with the connection.
Nothing a client sends makes `receive_data` raise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Literal

from kv_protocol.errors import KvError, ProtocolError, QuotaExceeded, TooManyConnections, UnknownCommand
from kv_protocol.messages import GOAWAY, LOCK_LOST, REVOKED
from kv_protocol.types import Change, Message, Seen
from kv_server.engine.conversation import QUEUED
from kv_server.engine.engine import PARKED
from kv_server.engine.waiting import Unfinished
from kv_server.spec.checks import WrongArity
from kv_server.spec.command import Command
from kv_server.spec.resp_kinds import Push
from kv_server.surfaces import resp_frames
from kv_server.surfaces.pieces import Pieces, take
from kv_server.surfaces.resp_pause import Paused
from kv_server.surfaces.resp_replies import RESP2, RESP3, failed
from kv_server.surfaces.resp_requests import RequestReader
from kv_server.surfaces.surface import HIGH_WATER, SLICE_S, Surface

if TYPE_CHECKING:
    from kv_server.surfaces.resp_door import RespDoor

__all__ = ["RespConnection"]

MOST_OF_STRANGERS: Final = 64  # commands of a connection on which nobody logs in

_CALL: Final = 1  # the id of every call: there is one at a time
_OF_THE_NATIVE_DOOR: Final = frozenset((GOAWAY, LOCK_LOST, REVOKED))


class RespConnection(Surface):
    """One client. The engine talks back to it through the methods of `Outbox`, commands through those of `Line`."""

    __slots__ = (
        "_call", "_door", "_encode", "_engine", "_lanes", "_lost", "_out", "_reader", "_rest", "_rest_size", "_told",
        "_waiting", "_wake", "_work", "command", "lengthy", "library", "protocol", "silent", "strange",
    )  # fmt: skip

    def __init__(self, door: RespDoor, wake: Callable[[], None], lost: Callable[[], bool]) -> None:
        super().__init__()
        self._door = door
        self._engine = door.engine
        self._lanes = door.lanes
        self._wake = wake
        self._lost = lost
        self._reader = RequestReader(door.limits.frame)
        self._waiting: list[list[bytes]] = []
        self._rest: list[bytes] = []
        self._rest_size = self.strange = 0  # the latter: commands before a login
        self._call: object = None  # what the commands behind it wait for
        self._work: Unfinished | None = None  # the same, of the first of those that wait
        self.command: Command | None = None
        self.library = ("", "")
        self._out: list[bytes | Pieces] = []
        self.lengthy = False  # output may hold replies that are not written yet
        self._encode = RESP2
        self.protocol = 2
        self.silent = 0
        self._told = 0

    # ---- bytes
    @property
    def halfway(self) -> bool:
        """A command has begun and the rest of it has not come."""
        return self._call is None and self._reader.halfway()

    def receive_data(self, data: bytes) -> None:
        """Take *data* and run the commands that are complete with it."""
        if self.closing:
            return
        if self.session is None:
            engine = self._door.engine
            try:
                self.session = engine.open_line(self, b"0", engine.access.first(self.certified))
            except QuotaExceeded as error:
                self._append(failed(error))
                return self._end()
            self.session.patient = True
        if self.stalled or self._call is not None:
            self._rest.append(data)
            self._rest_size += len(data)
            if self._rest_size > (HIGH_WATER if self.session.login is None else self._door.limits.frame):
                self._break("too much input while a command waits")
            return
        self._read(data)

    def _read(self, data: bytes) -> None:
        """Run what is complete with *data*: of who has not logged in, one command at a time, and few of them."""
        reader, session = self._reader, self.session
        assert session is not None
        if session.login is not None:
            if self._lanes is not None:
                data = self._hurry(data)
            if data and self.held > HIGH_WATER:
                self._rest, self._rest_size, self.stalled = [data], len(data), True
            elif data:
                reader.wary = False
                self._run(reader.feed(data))
            return
        reader.wary = True
        lines = reader.feed(data)
        self.strange += len(lines)
        self._run(lines)
        if self.strange > MOST_OF_STRANGERS:
            self._break("too many commands without a login")
        elif lines and not self.closing and self._call is None and not self._waiting:
            self.stalled = reader.halfway()

    def _hurry(self, data: bytes) -> bytes:
        """Run the commands at the beginning of *data* that can be run at once; what is left of it."""
        door, lanes = self._door, self._lanes
        if self.silent or self._reader.halfway() or door.commands is not door.whole:
            return data
        assert lanes is not None
        assert self.session is not None
        replies = lanes.text(self.session, data, self.protocol, door.ticks)
        if lanes.calls:
            self.command = lanes.command
            self.calls += lanes.calls
            self._out.append(replies)
            self.held += len(replies)
            if lanes.long is not None:
                self._out.append(lanes.long)
                self.held += len(lanes.long)
                self.lengthy = True
        return data[lanes.taken :] if lanes.taken < len(data) else b""

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
            self._read(data)
        elif self._reader.halfway():
            self._read(b"")

    def _go_on(self, work: Unfinished) -> None:
        """Go on with what the first command that waits has to work out; run that again when it is done."""
        if work.go_on(self._door.ticks.read, SLICE_S / 2):
            self._work = None
            line = self._waiting.pop(0)
            self._door.engine.tx.again(work, lambda: self._run([line], work.spent_s))
        else:
            self.stalled = True

    def data_to_send(self) -> bytes:
        """Output to be sent now: about `HIGH_WATER` at most, or one reply. `held` is what is left after it."""
        out: list[Any] = self._out
        if self.held <= HIGH_WATER and not self.lengthy:
            data: bytes = out[0] if len(out) == 1 else b"".join(out)
            out.clear()
            self.held = self._told = 0
            return data
        data, shrunk = take(out, HIGH_WATER, self._door.ticks.read)
        self.held -= shrunk
        self._told = min(self._told, self.held)
        self.lengthy = bool(out)
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
    def _run(self, lines: list[list[bytes]], spent_s: float = 0.0) -> None:
        """Run commands, as many as may run at once, up to one that waits. The first has *spent_s* behind it."""
        door, session, out = self._door, self.session, self._out
        engine, ticks = self._engine, door.ticks
        assert session is not None
        observation, tx = door.observation, engine.tx
        note, least_s = observation.note, observation.least_s
        held = done = since = revision = 0
        last: Any = None
        frame: bytes | Pieces | None
        began = before = ticks.read() - spent_s
        until = before + spent_s + SLICE_S
        for words in lines:
            done += 1
            command: Any = None
            try:
                commands = door.commands
                command = self.command = commands.get(words[0]) or door.find(words)
                if command is not last:
                    if last is not None and done - 1 > since:
                        observation.ran(session, last, done - 1 - since, before - began, revision)
                    last, since, began, revision = command, done - 1, before, tx.revision
                reply: Any = engine.execute(session, _CALL, command, words, None, None)
                frame = resp_frames.frame(reply, self.protocol)
                if frame is None:
                    if reply is PARKED:
                        self._call, now = command, ticks.read()
                        if now - before > least_s:
                            observation.see(session, command, words, None, now - before)
                        before = now
                        break
                    frame = self._encode(reply)
                    self.lengthy = self.lengthy or type(frame) is Pieces
                    since += reply is QUEUED  # it is counted when it runs
            except Exception as error:
                if type(error) is Paused:
                    done -= 1
                    self._call = error
                    door.wait(self)
                    break
                if type(error) is Unfinished:
                    done -= 1
                    error.spent_s = ticks.read() - before
                    self._work = error
                    break
                frame = self._failure(command, error)
                since += command is None
            now = ticks.read()
            if now - before > least_s and command is not None:
                observation.see(session, command, words, None, now - before)
            before = now
            if self.silent:
                frame = self._hush()
            out.append(frame)
            held += len(frame)
            if self.closing or held > HIGH_WATER or now > until:
                break
        if last is not None and done > since:
            note((last, done - since, before - began))
            if tx.revision != revision:
                observation.wrote(session, last.name, revision)
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
        else:
            error = self._door.bugs.note("?" if command is None else command.name, error)
        self._door.engine.observation.fail(error, command)
        return failed(error)

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
        """Add output that is not the answer to a command being run: nothing but its reader bounds how much comes."""
        self._out.append(frame)
        self.lengthy = self.lengthy or type(frame) is Pieces
        self.held += len(frame)
        self._told += len(frame)
        if self._told > self._door.limits.output:
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

    def event(self, request_id: int, event: Change[bytes] | Message[bytes] | Seen) -> None:
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
        self.stalled = bool(self._waiting or self._rest or self._reader.halfway())
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
