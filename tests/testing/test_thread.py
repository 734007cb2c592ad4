"""The server under test in a thread of its own: for tests that are synchronous, or run under asyncio."""

from __future__ import annotations

import asyncio
import socket
import threading
from pathlib import Path

import pytest
import trio

import kv_client
import kv_client.aio
import kv_client.sync
from kv_server.testing import thread_server

DAY = 86_400


def ask(sock: socket.socket, line: bytes) -> bytes:
    """One call by text, with a short answer."""
    sock.sendall(line + b"\r\n")
    return sock.recv(1_000).removesuffix(b"\r\n")


def test_thirty_days_pass_at_once() -> None:
    with thread_server() as s, s.socket() as sock:
        assert ask(sock, b"SET a 1 EX %d" % (30 * DAY)) == b"+OK"
        s.clock.advance(30 * DAY - 10)
        assert ask(sock, b"STRLEN a") == b":1"
        s.clock.advance(10)
        assert ask(sock, b"STRLEN a") == b":0"


def test_who_waits_is_told_when_a_leap_ends_the_waiting() -> None:
    with thread_server() as s, s.socket() as sock:
        sock.settimeout(30)
        sock.sendall(b"PING\r\nBLPOP list %d\r\n" % DAY)
        assert sock.recv(100) == b"+PONG\r\n"
        s.clock.advance(DAY)
        assert sock.recv(100) == b"*-1\r\n"


def test_a_partition_holds_and_heals_from_any_thread() -> None:
    with thread_server() as s, s.socket() as sock:
        assert ask(sock, b"PING") == b"+PONG"
        s.faults.partition()
        sock.settimeout(0.01)
        sock.sendall(b"INCR n\r\n")
        with pytest.raises(TimeoutError):
            sock.recv(1)
        sock.settimeout(30)
        healer = threading.Thread(target=s.faults.heal)
        healer.start()
        assert sock.recv(100) == b":1\r\n"
        healer.join()


def test_a_crash_and_what_is_left_of_it(tmp_path: Path) -> None:
    with thread_server(data_dir=tmp_path, fsync="always") as s:
        for number in range(1, 4):
            with s.socket() as sock:
                assert ask(sock, b"INCR n") == b":%d" % number
                s.crash()
                assert sock.recv(1) == b""
            with pytest.raises(ConnectionRefusedError):
                s.socket()
            s.recover()
        s.restart()
        with s.socket() as sock:
            assert ask(sock, b"INCR n") == b":4"


async def calls(s) -> list[bytes]:
    reader, writer = await asyncio.open_connection(sock=await s.dial())
    writer.write(b"SET a 1 EX 60\r\n")
    answers = [await reader.readline()]
    s.clock.advance(60)
    writer.write(b"EXISTS a\r\n")
    answers.append(await reader.readline())
    s.faults.cut()
    answers.append(await reader.readline())
    writer.close()
    return answers


def test_asyncio_reaches_it_by_dial() -> None:
    with thread_server() as s:
        assert asyncio.run(calls(s)) == [b"+OK\r\n", b":0\r\n", b""]


async def test_a_client_of_another_trio_run_reaches_it_too() -> None:
    with thread_server() as s:
        async with kv_client.connect(s.url, dial=s.dial) as client:
            s.faults.cut(reply="INCR")
            assert await client.incr("n") == 1
            s.clock.advance(30 * DAY)
            assert await client.incr("n") == 2
            assert "1 < INCR cut" in s.trace


def test_a_fault_that_never_happened_is_seen() -> None:
    with pytest.raises(AssertionError, match="refuse"), thread_server() as s:
        s.faults.refuse()


def test_what_the_block_raises_leaves_it_as_it_is() -> None:
    with pytest.raises(KeyError), thread_server() as s:
        s.faults.refuse()
        raise KeyError
    with pytest.raises(trio.RunFinishedError):
        s.socket()
    assert not [thread for thread in threading.enumerate() if thread.name == "kv-server"]


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(Exception, match="the data folder"), thread_server(data_dir=tmp_path / "data"):
        raise AssertionError("never entered")


def test_errors_come_back_to_the_thread_that_asked() -> None:
    with thread_server() as s:
        with pytest.raises(RuntimeError, match="runs already"):
            s.recover()
        with pytest.raises(ValueError):
            s.clock.advance(-1)


# ---- the clients of other faces
async def counted(s) -> int:
    async with kv_client.aio.connect(s.url, dial=s.dial) as client:
        s.faults.cut(reply="INCR")
        await client.incr("n")
        await client.expire("n", 30 * DAY)
        s.clock.advance(30 * DAY - 60)
        s.crash()
        s.recover()
        return await client.incr("n")


def test_clients_under_asyncio_come_back_to_it(tmp_path: Path) -> None:
    with thread_server(data_dir=tmp_path) as s:
        assert asyncio.run(counted(s)) == 2


def test_synchronous_clients_come_back_to_it(tmp_path: Path) -> None:
    with thread_server(data_dir=tmp_path) as s, kv_client.sync.connect(s.url, dial=s.socket) as client:
        s.faults.cut(reply="INCR")
        assert client.incr("n") == 1
        client.expire("n", 30 * DAY)
        s.clock.advance(30 * DAY - 60)
        s.crash()
        s.recover()
        assert client.incr("n") == 2
        s.clock.advance(60)
        assert client.incr("n") == 1
        with pytest.raises(kv_client.LockLost):
            with client.lock("a", ttl=15):
                s.clock.advance(15)
                client.get("a")
                while client.locks():
                    pass


def test_a_lease_under_asyncio_follows_a_leap_in_a_partition() -> None:
    async def work() -> None:
        client = kv_client.aio.connect(s.url, dial=s.dial, clock=s.clock, name="one")
        async with client, client.lock("job", ttl=DAY):
            s.faults.partition("one")
            s.clock.advance(DAY)
            await asyncio.Event().wait()

    with thread_server() as s, pytest.raises(kv_client.LockLost, match="before a renewal was confirmed"):
        asyncio.run(work())


def test_a_lease_under_trio_follows_a_leap_in_a_partition() -> None:
    async def work() -> None:
        client = kv_client.connect(s.url, dial=s.dial, clock=s.clock, name="one")
        async with client, client.lock("job", ttl=DAY):
            s.faults.partition("one")
            s.clock.advance(DAY)
            await trio.sleep_forever()

    with thread_server() as s, pytest.raises(kv_client.LockLost, match="before a renewal was confirmed"):
        trio.run(work)


def test_a_lease_of_threads_follows_a_leap_in_a_partition() -> None:
    lost = threading.Event()
    with thread_server() as s:
        client = kv_client.sync.connect(s.url, dial=s.socket, clock=s.clock, name="one")
        with client, client.lock("job", ttl=DAY, on_lost=lambda _: lost.set()) as held:
            s.faults.partition("one")
            s.clock.advance(DAY)
            assert lost.wait(30)
            assert held.lost
            s.faults.heal()
