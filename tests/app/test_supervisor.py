"""What systemd hears of a server, on the socket that it names."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from kv_server.app.supervisor import tell
from tests.app.program import running


@pytest.fixture
def heard(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(20)
        yield sock


def test_it_hears_that_the_server_is_ready_alive_and_stops(heard: socket.socket) -> None:
    with running(NOTIFY_SOCKET=heard.getsockname(), WATCHDOG_USEC="20000") as server:
        assert heard.recv(100) == b"READY=1"
        assert [heard.recv(100) for _ in range(5)] == [b"WATCHDOG=1"] * 5
        server.signal(signal.SIGTERM)
        while (said := heard.recv(100)) == b"WATCHDOG=1":
            pass
        assert said == b"STOPPING=1"
        assert server.wait().status == 0


def test_a_server_that_hangs_is_not_heard(heard: socket.socket) -> None:
    with running(NOTIFY_SOCKET=heard.getsockname(), WATCHDOG_USEC="20000") as server:
        assert heard.recv(100) == b"READY=1"
        assert heard.recv(100) == b"WATCHDOG=1"
        server.signal(signal.SIGSTOP)
        heard.settimeout(0.5)
        with pytest.raises(TimeoutError):
            while True:
                heard.recv(100)
        server.signal(signal.SIGCONT)
        heard.settimeout(20)
        assert heard.recv(100) == b"WATCHDOG=1"


@pytest.mark.parametrize("variables", [{"WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "soon"}, {"WATCHDOG_USEC": "0"}])
def test_a_heart_that_nobody_asks_for_does_not_beat(heard: socket.socket, variables: dict[str, str]) -> None:
    with running(NOTIFY_SOCKET=heard.getsockname(), **{"WATCHDOG_USEC": "20000", **variables}) as server:
        assert heard.recv(100) == b"READY=1"
        server.signal(signal.SIGTERM)
        assert heard.recv(100) == b"STOPPING=1"


def test_a_name_of_linux_is_a_place_too() -> None:
    name = f"kv-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind("\0" + name)
        sock.settimeout(20)
        tell("READY=1", {"NOTIFY_SOCKET": "@" + name})
        assert sock.recv(100) == b"READY=1"


@pytest.mark.parametrize("place", ["", "nowhere", "/nowhere/at/all", "@" + "x" * 500])
def test_nobody_has_to_listen(place: str) -> None:
    tell("READY=1", {"NOTIFY_SOCKET": place})
    tell("READY=1", {})
