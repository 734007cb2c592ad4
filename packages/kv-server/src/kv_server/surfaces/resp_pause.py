"""A pause of all connections of the text door."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from kv_server.engine.waiting import Alarm

__all__ = ["Pause", "Paused"]


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
