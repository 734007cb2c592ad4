"""A pause of all connections of the text door."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from kv_server.engine.engine import Engine
from kv_server.engine.waiting import Alarm
from kv_server.spec.command import Command, Flag

__all__ = ["Pause", "Paused", "Pausing"]


class Paused(Exception):
    """The command has to wait until the door's pause is over."""


@frozen
class Pause:
    """Commands wait: those that write, or everything."""

    until_ms: int
    everything: bool
    alarm: Alarm
    waiting: list[Any]
    """Connections."""


class Pausing:
    """A door whose connections can be made to wait. While there is a pause, *commands* has none."""

    __slots__ = ("_pause", "commands", "engine", "whole")

    def __init__(self, engine: Engine, whole: Mapping[bytes, Command]) -> None:
        self.engine = engine
        self.commands: Mapping[bytes, Command] = whole
        """By a first word that says all. The others come from `find`, and while there is a pause all of them do."""
        self.whole = whole
        self._pause: Pause | None = None

    def pause(self, wait_ms: int, everything: bool) -> None:
        """Let commands wait for *wait_ms*; a pause that lasts longer already goes on."""
        until_ms = self.engine.elapsed_ms + wait_ms
        waiting: list[Any] = []
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
        self.commands = self.whole
        if pause is not None:
            pause.alarm.pending = False
            for connection in pause.waiting:
                connection.unpaused()

    def wait(self, connection: Any) -> None:
        assert self._pause is not None
        self._pause.waiting.append(connection)

    def find(self, words: list[bytes]) -> Command:
        """The command of a line whose first word is not in `commands`. Raises what Redis tells of unknown ones."""
        command = self.engine.catalog.find_spoken(words)
        pause = self._pause
        if pause is not None and (pause.everything or command.flags & Flag.WRITE):
            raise Paused
        return command
