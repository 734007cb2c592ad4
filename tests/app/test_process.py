"""The program as a process: its ready line, signals, logs, descriptors; and that it ends without losing an answer."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgpack import unpackb

from kv_protocol.frames import FrameReader, pack
from kv_protocol.values import encode
from kv_server import __version__
from tests.app.program import WAIT_S, Running, command, environment, running


class Line:
    """A blocking connection to a server."""

    def __init__(self, running: Running) -> None:
        self.socket = socket.create_connection(("127.0.0.1", running.port), timeout=WAIT_S)
        self._reader = FrameReader()
        self._messages: list[Any] = []
        assert self.ask(1, "HELLO", [1])[1] == 0

    def ask(self, *request: Any) -> Any:
        self.socket.sendall(pack(request))
        return self.receive()

    def receive(self) -> Any:
        while not self._messages:
            data = self.socket.recv(65_536)
            if not data:
                raise EOFError
            self._messages += [unpackb(body, strict_map_key=False) for body in self._reader.feed(data)]
        return self._messages.pop(0)


Dial = Callable[[Running], Line]


@pytest.fixture
def dial() -> Iterator[Dial]:
    """Makes connections, which are closed when the test is over."""
    lines: list[Line] = []

    def dialled(server: Running) -> Line:
        lines.append(Line(server))
        return lines[-1]

    yield dialled
    for line in lines:
        line.socket.close()


# ---- the beginning
def test_the_ready_line_tells_the_real_port(dial: Dial) -> None:
    with running("--shards", "16") as server:
        assert re.fullmatch(
            rf"kv-server {re.escape(__version__)} ready on 127\.0\.0\.1:[1-9]\d* \(16 shards, memory only\)\n",
            server.ready,
        )
        assert dial(server).ask(2, "PING", []) == [2, 0, "PONG"]
        server.signal(signal.SIGTERM)
        ended = server.wait()
        assert (ended.status, ended.out) == (0, "")


def test_several_binds_are_named_in_order(tmp_path: Path) -> None:
    path = tmp_path / "kv.sock"
    with running("--bind", "127.0.0.1:0", "--bind", "[::1]:0", "--bind", f"unix:{path}") as server:
        assert re.search(
            r" ready on 127\.0\.0\.1:\d+, \[::1\]:\d+, unix:" + re.escape(str(path)) + r" \(256 ", server.ready
        )
        assert path.exists()
        server.signal(signal.SIGINT)
        assert server.wait().status == 0
        assert not path.exists()


def test_a_public_bind_that_was_asked_for_is_served_with_a_warning(dial: Dial) -> None:
    with running("--bind", "0.0.0.0:0", "--insecure") as server:
        assert dial(server).ask(2, "PING", [])[1] == 0
        server.signal(signal.SIGTERM)
        assert "WARNING" in server.wait().err


# ---- the end
def test_sigterm_under_load_loses_no_answer(dial: Dial) -> None:
    """Every write that was answered with OK is in the log of answers; none after it was; the server ends in time."""
    with running() as server:
        counts = [0] * 8
        outcomes: list[str] = [""] * 8
        going = threading.Barrier(9)

        def load(number: int) -> None:
            line = dial(server)
            going.wait()
            with contextlib.suppress(EOFError, ConnectionError):
                for attempt in range(2, 10**9):
                    message = line.ask(attempt, "INCR", [f"counter {number}"])
                    while message[0] == 0:  # GOAWAY may come first
                        message = line.receive()
                    if message[1]:
                        outcomes[number] = message[2][0]
                        line.socket.close()
                        return
                    counts[number] += 1
                    assert unpackb(message[2]) == counts[number]

        threads = [threading.Thread(target=load, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        going.wait()
        while min(counts) < 50:
            threads[0].join(0.001)
        server.signal(signal.SIGTERM)
        ended = server.wait()
        for thread in threads:
            thread.join(WAIT_S)
        assert ended.status == 0 and ended.seconds < 5
        assert outcomes == ["SHUTTING_DOWN"] * 8
        assert "Traceback" not in ended.err


def test_a_second_signal_ends_at_once(dial: Dial) -> None:
    with running("--drain-timeout", "1h") as server:
        line = dial(server)
        line.ask(2, "SET", ["k", encode(b"x" * 20_000_000)])
        line.socket.sendall(pack([3, "GET", ["k"]]))
        line.socket.recv(1)
        server.signal(signal.SIGTERM)
        assert server.process.stderr is not None
        while "draining" not in server.process.stderr.readline():
            pass
        server.signal(signal.SIGTERM)
        assert server.wait().status == 128 + signal.SIGTERM


def test_a_second_signal_ends_at_once_under_load(dial: Dial) -> None:
    with running("--drain-timeout", "1h") as server:
        line = dial(server)
        flood = b"".join(pack([number, "PING", []]) for number in range(2, 5_000))

        def load() -> None:
            with contextlib.suppress(OSError):
                while True:
                    line.socket.sendall(flood)

        def read() -> None:
            with contextlib.suppress(OSError):
                while line.socket.recv(1 << 20):
                    pass

        threads = [threading.Thread(target=load), threading.Thread(target=read)]
        for thread in threads:
            thread.start()
        server.signal(signal.SIGTERM)
        assert server.process.stderr is not None
        while "draining" not in server.process.stderr.readline():
            pass
        server.signal(signal.SIGINT)
        ended = server.wait()
        assert ended.status == 128 + signal.SIGINT and ended.seconds < 5
        line.socket.close()
        for thread in threads:
            thread.join(WAIT_S)


def test_a_terminal_that_hangs_up_is_no_end(dial: Dial) -> None:
    with running() as server:
        line = dial(server)
        server.signal(signal.SIGHUP)
        assert server.process.stderr is not None
        while "SIGHUP" not in server.process.stderr.readline():
            pass
        assert line.ask(2, "PING", [])[1] == 0
        server.signal(signal.SIGTERM)
        assert server.wait().status == 0


def test_nobody_has_to_read_what_it_prints() -> None:
    """stdout and stderr are broken pipes, stdin is closed."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    read_end, write_end = os.pipe()
    os.close(read_end)
    process = subprocess.Popen(
        command("--bind", f"127.0.0.1:{port}"),
        stdin=subprocess.DEVNULL, stdout=write_end, stderr=write_end, env=environment(),
    )  # fmt: skip
    os.close(write_end)
    try:
        while True:
            assert process.poll() is None
            with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)) as sock:
                sock.sendall(b"PING\r\n")
                assert sock.recv(100) == b"+PONG\r\n"
                break
        process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT_S) == 0
    finally:
        process.kill()
        process.wait()


# ---- what surrounds it
def test_without_descriptors_it_goes_on_and_does_not_spin(dial: Dial) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    process = subprocess.Popen(
        command("--bind", "127.0.0.1:0"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (40, min(40, limits[1]))),
    )  # fmt: skip
    try:
        assert process.stdout is not None and process.stderr is not None
        server = Running(process, process.stdout.readline())
        assert "too few descriptors" in process.stderr.readline()
        line = dial(server)
        crowd = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(60)]  # the backlog takes the rest
        assert "accepting pauses" in process.stderr.readline()
        before = cpu_seconds(process.pid)
        for number in range(2, 1000):
            assert line.ask(number, "PING", [])[1] == 0
        while process.poll() is None and line.ask(1, "INFO", ["clients"])[2]["clients"]["accept_pauses"] < 3:
            pass  # a sweep a second: two of them pass
        assert cpu_seconds(process.pid) - before < 2
        for sock in crowd:
            sock.close()
        late = dial(server)
        assert late.ask(2, "PING", [])[1] == 0
        process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT_S) == 0
    finally:
        process.kill()
        process.communicate()


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_logs_are_lines_without_what_clients_sent(dial: Dial) -> None:
    with running("--log-level", "debug") as server:
        line = dial(server)
        line.ask(2, "SET", ["secret-key", encode("secret-value")])
        line.ask(3, "secret-command\n", ["secret-argument"])
        line.socket.sendall(pack(["secret-id", "GET", []]))
        line.receive()
        server.signal(signal.SIGTERM)
        err = server.wait().err
    assert "secret" not in err
    for text in err.splitlines():
        assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (DEBUG|INFO|WARNING|ERROR) kv\.\w+ \S", text), text


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts descriptors in /proc")
def test_connections_that_end_leave_nothing_open(dial: Dial) -> None:
    with running() as server:
        line = dial(server)
        folder = f"/proc/{server.process.pid}/fd"
        before = len(os.listdir(folder))
        for _ in range(50):
            other = dial(server)
            other.ask(2, "PING", [])
            other.socket.close()
        while line.ask(2, "INFO", ["clients"])[2]["clients"]["connections"] > 1:
            pass
        assert len(os.listdir(folder)) == before
