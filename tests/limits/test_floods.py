"""Clients that ask for too much, at a real server: each is bounded, and the neighbours hardly notice."""

from __future__ import annotations

import contextlib
import resource
import socket
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kv_protocol.frames import pack
from tests.redis.servers import Server, kv_server

FLOOR_S = 0.02  # what a busy machine does to anybody
MIB = 1 << 20


@pytest.fixture
def server() -> Iterator[Server]:
    with kv_server("--max-output", "4MiB", "--max-connections", "1500") as running:
        yield running


def dial(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=30)


def line(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


def ask(sock: socket.socket, *words: bytes) -> bytes:
    """The first bytes of the reply."""
    sock.sendall(line(*words))
    return sock.recv(65_536)


def info(server: Server, fact: str) -> int:
    """One figure of INFO."""
    with dial(server) as sock:
        sock.sendall(line(b"INFO", b"all"))
        said = b""
        while b"\r\n" + fact.encode() + b":" not in said or not said.endswith(b"\r\n"):
            said += sock.recv(1 << 20)
    return int(said.split(b"\r\n" + fact.encode() + b":")[1].split(b"\r\n")[0])


def resident(server: Server) -> int:
    return int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1]) * resource.getpagesize()


def p99(server: Server, calls: int = 200) -> float:
    """The slowest but one in a hundred of a neighbour's calls; the median of five such."""

    def once() -> float:
        taken = []
        for _ in range(calls):
            began = time.perf_counter()
            assert ask(sock, b"PING") == b"+PONG\r\n"
            taken.append(time.perf_counter() - began)
        return sorted(taken)[-1 - calls // 100]

    with dial(server) as sock:
        return statistics.median(once() for _ in range(5))


@contextlib.contextmanager
def many(server: Server, count: int, greet: Callable[[socket.socket], None]) -> Iterator[list[socket.socket]]:
    """So many connections, each of which was greeted."""
    socks = []
    try:
        for _ in range(count):
            socks.append(dial(server))
            greet(socks[-1])
        yield socks
    finally:
        for sock in socks:
            sock.close()


def hardly_slower(quiet: float, loud: float) -> bool:
    return loud < max(2 * quiet, FLOOR_S)


HALVES = {
    "a word": line(b"SET", b"k", b"v")[:-3],
    "a long word": b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$60000000\r\n" + b"x" * 1_000,
    "a first frame": pack([1, "HELLO", [1]])[:9],
}


@pytest.mark.parametrize("half", HALVES.values(), ids=HALVES)
def test_a_thousand_half_frames_cost_what_they_sent(server: Server, half: bytes) -> None:
    quiet, before = p99(server), resident(server)
    with many(server, 1_000, lambda sock: sock.sendall(half)):
        assert hardly_slower(quiet, p99(server))
        assert resident(server) - before < 60 * 1024 * 1_000


def test_a_reader_that_never_reads_is_bounded_and_closed(server: Server) -> None:
    quiet, before = p99(server), resident(server)
    with dial(server) as deaf, dial(server) as loud:
        assert ask(deaf, b"SUBSCRIBE", b"news").startswith(b"*3")
        most = 0
        for _ in range(400):
            assert ask(loud, b"PUBLISH", b"news", b"x" * 65_536).startswith(b":")
            most = max(most, resident(server) - before)
        assert most < (4 + 24) * MIB
        assert hardly_slower(quiet, p99(server))
    assert info(server, "clients_closed_for_not_reading") == 1


def test_replies_that_nobody_reads_wait_for_their_reader(server: Server) -> None:
    with dial(server) as deaf:
        assert ask(deaf, b"SET", b"big", b"x" * MIB) == b"+OK\r\n"
        before = resident(server)
        deaf.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            for _ in range(5_000):
                deaf.send(line(b"GET", b"big"))
        assert hardly_slower(FLOOR_S, p99(server))
        assert resident(server) - before < 24 * MIB
    assert info(server, "clients_closed_for_not_reading") == 0


def test_connections_beyond_the_limit_are_told_and_closed(server: Server) -> None:
    with many(server, 1_500, lambda sock: None), dial(server) as late:
        late.sendall(line(b"PING"))
        assert late.recv(1_000) == b"-ERR max number of clients reached\r\n"
        assert late.recv(1_000) == b""
    assert info(server, "clients_refused") >= 1


def test_a_pipeline_of_a_hundred_thousand_is_answered(server: Server) -> None:
    with dial(server) as sock:
        before, sent, got = resident(server), line(b"INCR", b"count") * 100_000, 0
        sock.setblocking(False)
        last = b""
        while b":100000\r\n" not in last:
            with contextlib.suppress(BlockingIOError):
                sent = sent[sock.send(sent[:65_536]) :] if sent else b""
            with contextlib.suppress(BlockingIOError):
                data = sock.recv(65_536)
                got += len(data)
                last = last[-20:] + data
        assert resident(server) - before < 32 * MIB


def test_a_queue_of_a_transaction_is_bounded_in_bytes(server: Server) -> None:
    with dial(server) as sock:
        assert ask(sock, b"MULTI") == b"+OK\r\n"
        answers = [ask(sock, b"SET", b"k%d" % number, b"x" * 4 * MIB) for number in range(17)]
        assert answers[0] == b"+QUEUED\r\n"
        assert b"run it in parts" in answers[-1]
        assert ask(sock, b"EXEC").startswith(b"-EXECABORT")


def idle_bytes(count: int) -> float:
    """What one of so many idle connections takes of the server's memory."""
    with kv_server("--max-connections", str(count + 100)) as running:
        with many(running, 50, lambda sock: sock.sendall(line(b"PING"))):
            p99(running, 100)
            before = resident(running)
            with many(running, count, lambda sock: sock.sendall(line(b"PING"))) as socks:
                for sock in socks:
                    assert sock.recv(100) == b"+PONG\r\n"
                assert p99(running, 100) < 0.1
                return (resident(running) - before) / count


@pytest.mark.parametrize("count", [500, pytest.param(10_000, marks=pytest.mark.long)])
def test_an_idle_connection_takes_at_most_60_kib(count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2 * count:
        pytest.skip(f"this account may open {hard} files: raise the limit (ulimit -Hn)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 2 * count)), hard))
    assert idle_bytes(count) < 60 * 1024
