"""What systemd is told: that the server is ready, that its loop still turns, that it stops. Others hear nothing."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping

import trio

__all__ = ["beat", "tell"]


def tell(state: str, environment: Mapping[str, str] = os.environ) -> None:
    """Say one line, such as `READY=1`, to whoever started this process, if it wants to know."""
    place = environment.get("NOTIFY_SOCKET", "")
    if place.startswith(("/", "@")):
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock,
        ):
            sock.setblocking(False)
            sock.sendto(state.encode(), "\0" + place[1:] if place[0] == "@" else place)


async def beat(environment: Mapping[str, str] = os.environ) -> None:
    """Say that all is well for as long as the loop turns, twice as often as the supervisor wants to hear it."""
    every_us, process = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
    if every_us.isdigit() and int(every_us) and process in ("", str(os.getpid())):
        while True:
            tell("WATCHDOG=1", environment)
            await trio.sleep(int(every_us) / 2e6)
