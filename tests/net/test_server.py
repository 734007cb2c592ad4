"""The running server over real sockets: doors, order, slow readers, time, limits, its end."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from kv_server.app import wiring
from kv_server.app.node import BUILD
from kv_server.net.address import Address
from kv_server.net.readiness import open_readiness
from kv_server.net.server import Server
from tests.net.rig import ANYWHERE, Caller, condition, dial, encode, pack, serving


@pytest.fixture(params=["nested epoll", "a task each"], autouse=True)
def readiness(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test of this file runs with both forms of readiness."""
    nested = request.param == "nested epoll"
    monkeypatch.setattr(wiring, "open_readiness", partial(open_readiness, nested=nested))


def blob(number: int, size: int) -> Any:
    return encode(bytes([number % 256]) * size)


# ---- doors
async def test_values_come_back_as_they_were_put() -> None:
    async with serving() as server, dial(server) as caller:
        [_, status, version] = await caller.ask(2, "SET", ["k", encode({"a": [1, 1.0, "1"]})])
        assert status == 0 and version > 0
        assert await caller.ask(3, "GET", ["k"]) == [3, 0, encode({"a": [1, 1.0, "1"]})]
        assert await caller.ask(4, "GET", ["nothing"]) == [4, 0, None]


async def test_every_bind_leads_to_the_same_store(tmp_path: Path) -> None:
    path = Address(path=str(tmp_path / "kv.sock"))
    async with (
        serving(ANYWHERE, Address("::1", 0), path) as server,
        dial(server) as four,
        dial(server, at=1) as six,
        dial(server, at=2) as local,
    ):
        await four.ask(2, "SET", ["k", encode(1)])
        assert await six.ask(2, "GET", ["k"]) == [2, 0, encode(1)]
        assert await local.ask(2, "GET", ["k"]) == [2, 0, encode(1)]
        [_, _, clients] = await local.ask(3, "CLIENT LIST", [])
        places = sorted(client[2] for client in clients)
        assert places[0].startswith("127.0.0.1:") and places[1].startswith("[::1]:") and places[2] == str(path)
    assert not (tmp_path / "kv.sock").exists()


@pytest.mark.parametrize(
    "data, start",
    [
        (b"\xff\r\n", b"-ERR this port speaks"),
        (b"\x16\x03\x01", b"-ERR this bind has no TLS"),
        (b"GET / HTTP/1.1\r\n", b""),
    ],
)
async def test_strangers_are_told_and_closed(data: bytes, start: bytes) -> None:
    async with serving() as server, dial(server, hello=False) as caller:
        await caller.send(data)
        said = await caller.rest()
        assert said.startswith(start) and bool(said) == bool(start)
        await caller.stream.aclose()
        await condition(lambda: not server.connections.peers)


async def test_sockets_wait_for_nothing_and_notice_the_dead() -> None:
    async with serving() as server, dial(server):
        [peer] = server.connections.peers.values()
        assert peer.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert peer.socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        if hasattr(socket, "TCP_KEEPIDLE"):
            names = ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT")
            found = [peer.socket.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in names]
            assert found == [30, 5, 3]


@pytest.mark.parametrize("together", [True, False])
async def test_a_caller_that_has_said_everything_is_answered_and_left(together: bool) -> None:
    async with serving() as server, dial(server, hello=False) as caller:
        await caller.send(b"PING\r\n")
        assert await caller.stream.receive_some() == b"+PONG\r\n"
        end = socket.socket(fileno=os.dup(caller.stream.socket.fileno()))
        with end:  # nobody else runs between the words and the end of them
            end.send(b"PING\r\n")
            if not together:
                assert await caller.stream.receive_some(1) == b"+"
            end.shutdown(socket.SHUT_WR)
        assert (await caller.rest()).endswith(b"PONG\r\n")
        await condition(lambda: not server.connections.peers)


# ---- calls
@pytest.mark.parametrize("size", [65_535, 65_536, 65_537, 131_072, 1_000_000])
async def test_input_is_read_to_its_end_however_much_came_at_once(size: int) -> None:
    async with serving() as server, dial(server, hello=False) as caller:
        head = b"*2\r\n$4\r\nECHO\r\n$%d\r\n" % size
        word = b"x" * (size - len(head) - 2)
        for _ in range(3):
            await caller.send(b"*2\r\n$4\r\nECHO\r\n$%d\r\n" % len(word) + word + b"\r\n")
            said = b""
            while len(said) < len(word) + 2 or not said.endswith(b"\r\n"):
                said += await caller.stream.receive_some()
            assert said == b"$%d\r\n" % len(word) + word + b"\r\n"


async def test_a_long_pipeline_is_answered_in_order_while_others_are_served() -> None:
    async with serving() as server, dial(server) as many, dial(server) as other:
        count = 20_000
        async with trio.open_nursery() as nursery:
            nursery.start_soon(
                many.send, b"".join(pack([n, "SET", [b"%d" % n, encode(n)]]) for n in range(1, count + 1))
            )
            for number in range(2, 50):
                assert (await other.ask(number, "PING", []))[2] == "PONG"
            for number in range(1, count + 1):
                assert (await many.receive())[:2] == [number, 0]
        assert (await other.ask(99, "DBSIZE", []))[2] == count


async def test_large_values_pass_both_ways() -> None:
    async with serving() as server, dial(server) as caller:
        value = blob(7, 30_000_000)
        assert (await caller.ask(2, "SET", ["k", value]))[1] == 0
        assert await caller.ask(3, "GET", ["k"]) == [3, 0, value]


async def test_a_call_that_waits_holds_nobody_up_and_ends_in_time() -> None:
    async with serving() as server, dial(server) as holder, dial(server) as waiter:
        assert (await holder.ask(2, "LOCK", ["l"], {"ttl": 60_000}))[1] == 0
        await waiter.send(pack([2, "LOCK", ["l"], {"ttl": 60_000, "wait": 60_000}]))
        await waiter.send(pack([3, "LOCK", ["l"], {"ttl": 60_000, "wait": 50}]))
        assert await waiter.ask(4, "PING", []) == [4, 0, "PONG"]
        [request_id, status, [code, _, _]] = await waiter.receive()  # nobody asks anything meanwhile: the alarm rings
        assert (request_id, status, code) == (3, 2, "LOCK_HELD")
        [_, _, clients] = await holder.ask(3, "CLIENT LIST", [])
        assert [client[7] for client in clients] == [0, 1]
        await holder.stream.aclose()
        await condition(lambda: len(server.connections.peers) == 1)
        assert await waiter.ask(5, "CANCEL", [2]) == [
            2,
            2,
            ["CANCELLED", "the call was cancelled; nothing was applied", {}],
        ]
        assert await waiter.receive() == [5, 0, True]


async def test_a_key_expires_in_front_of_a_watcher_without_any_traffic() -> None:
    async with serving() as server, dial(server) as caller:
        await caller.ask(2, "WATCH", ["k"], {"credit": 10})
        await caller.send(pack([3, "SET", ["k", encode(1)], {"ttl": 30}]))
        kinds: list[str] = []
        while kinds[-1:] != ["expired"]:
            message = await caller.receive()
            if message[0] == 2:
                kinds.append(message[2][0])
        assert kinds == ["set", "expired"]


async def test_who_sends_nothing_more_still_gets_its_answers() -> None:
    async with serving() as server, dial(server) as caller:
        await caller.send(b"".join(pack([n, "ECHO", [blob(n, 50_000)]]) for n in range(1, 51)))
        await caller.stream.send_eof()
        for number in range(1, 51):
            assert await caller.receive() == [number, 0, blob(number, 50_000)]
        assert await caller.rest() == b""


async def test_a_resumed_session_ends_its_older_connection() -> None:
    async with serving() as server, dial(server, hello=False) as older, dial(server, hello=False) as newer:
        welcome = (await older.ask(1, "HELLO", [1]))[2]
        again = (await newer.ask(1, "HELLO", [1], {"session": welcome["session"]}))[2]
        assert again["resumed"] and again["session_id"] == welcome["session_id"]
        assert (await older.receive())[2][:2] == ["GOAWAY", "SHUTTING_DOWN"]
        assert await older.rest() == b""
        assert (await newer.ask(2, "PING", []))[1] == 0


# ---- limits
async def test_a_reader_that_does_not_read_costs_little_and_others_nothing() -> None:
    async with serving(max_output=1 << 20) as server, dial(server, room=16_384) as slow, dial(server) as other:
        await other.ask(2, "SET", ["big", blob(1, 500_000)])
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask_and_never_read, slow)
            await condition(lambda: any(peer.unsent > 1 << 20 for peer in server.connections.peers.values()))
            for number in range(3, 200):
                assert (await other.ask(number, "PING", []))[1] == 0
                assert all(peer.unsent < 3 << 20 for peer in server.connections.peers.values())
            nursery.cancel_scope.cancel()
        assert server.connections.counters.overflowed == 0


async def ask_and_never_read(caller: Caller) -> None:
    for number in range(2, 100_000):
        await caller.send(pack([number, "GET", ["big"]]))


async def test_a_watcher_that_does_not_read_is_closed() -> None:
    async with serving(max_output=1 << 20) as server, dial(server, room=16_384) as slow, dial(server) as other:
        await slow.ask(2, "WATCH", [], {"prefix": b"", "credit": 2**31 - 1})
        number = 2
        while not server.connections.counters.overflowed:
            number += 1
            await other.ask(number, "SET", ["k", blob(number, 50_000)])
            assert number < 500
        await slow.rest()
        assert (await other.ask(1, "PING", []))[1] == 0
        await condition(lambda: len(server.connections.peers) == 1)


async def test_connections_beyond_the_limit_are_told() -> None:
    async with serving(max_connections=2) as server, dial(server) as first, dial(server):
        async with dial(server, hello=False) as third:
            assert (await third.ask(1, "HELLO", [1]))[2][0] == "CONNECTIONS"
            assert await third.rest() == b""
        await first.stream.aclose()
        await condition(lambda: server.connections.admitted == 1)
        async with dial(server) as third:
            assert (await third.ask(2, "PING", []))[1] == 0


async def test_without_descriptors_accepting_pauses_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving() as server, dial(server) as first:
        [listener] = server.acceptor.listeners.values()

        class Exhausted:
            def __init__(self, real: socket.socket) -> None:
                self.real, self.tries, self.free = real, 0, False

            def accept(self) -> Any:
                self.tries += 1
                if not self.free:
                    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
                return self.real.accept()

            def close(self) -> None:
                self.real.close()

        scarce = Exhausted(listener.socket)
        listener.socket = scarce  # type: ignore[assignment]
        async with AsyncExitStack() as stack:
            late = await stack.enter_async_context(dial(server, hello=False))
            await late.send(pack([1, "HELLO", [1]]))
            await condition(lambda: server.connections.counters.accept_pauses)
            for number in range(2, 500):
                assert (await first.ask(number, "PING", []))[1] == 0
            assert scarce.tries <= 3  # no spinning: again at a sweep only, or when a connection ends
            scarce.free = True
            await first.stream.aclose()
            assert (await late.receive())[:2] == [1, 0]


async def test_a_bug_in_what_is_due_costs_nobody_the_store(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving() as server, dial(server) as caller:

        def broken() -> bool:
            raise ValueError("a secret")

        monkeypatch.setattr(server.engine.room, "advance", broken)
        server.engine.room.due = True  # always
        number = 2
        while server.loop.pulse.failures <= 100:
            assert (await caller.ask(number, "PING", []))[1] == 0
            number += 1
        assert server.loop.pulse.failures < 500
        assert "ValueError at test_server.py" in caplog.text and "secret" not in caplog.text
        assert len(caplog.records) < 12


# ---- the end
async def drained(server: Server, timeout_s: float = 5.0) -> float:
    """Drain; how long it took."""
    began = trio.current_time()
    await server.drain(timeout_s)
    return trio.current_time() - began


async def test_a_drain_tells_everybody_and_ends_what_waits() -> None:
    async with serving() as server, dial(server) as holder, dial(server) as waiter:
        await holder.ask(2, "LOCK", ["l"], {"ttl": 60_000})
        await waiter.send(pack([2, "LOCK", ["l"], {"ttl": 60_000, "wait": 60_000}]))
        await waiter.ask(3, "PING", [])
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.drain, 5.0)
            [request_id, status, [code, _, _]] = await waiter.receive()
            assert (request_id, status, code) == (2, 2, "SHUTTING_DOWN")
            assert (await waiter.receive())[:2] == [0, 1]
            [_, _, [kind, code, _]] = await holder.receive()
            assert (kind, code) == ("GOAWAY", "SHUTTING_DOWN")
            [_, status, [code, _, _]] = await holder.ask(3, "GET", ["k"])
            assert (status, code) == (2, "SHUTTING_DOWN")
            with pytest.raises(OSError):
                await trio.open_tcp_stream("127.0.0.1", server.addresses[0].port)
            await holder.stream.aclose()
            assert await waiter.rest() == b""


async def test_a_drain_of_nobody_takes_no_time() -> None:
    async with serving() as server:
        assert await drained(server) < 1


async def test_clients_that_take_no_notice_do_not_delay_the_end() -> None:
    async with serving() as server, dial(server), dial(server, hello=False):
        assert await drained(server) < 3


async def test_a_drain_sends_what_was_answered() -> None:
    async with serving() as server, dial(server, room=16_384) as caller:
        value = blob(1, 5_000_000)
        await caller.ask(2, "SET", ["k", value])
        await caller.send(pack([3, "GET", ["k"]]))
        await condition(lambda: any(peer.unsent for peer in server.connections.peers.values()))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.drain, 5.0)
            assert await caller.receive() == [3, 0, value]


async def test_a_drain_has_an_end_even_if_nobody_reads() -> None:
    async with serving() as server, dial(server, room=16_384) as caller:
        await caller.ask(2, "SET", ["k", blob(1, 20_000_000)])
        await caller.send(pack([3, "GET", ["k"]]))
        await condition(lambda: any(peer.unsent for peer in server.connections.peers.values()))
        assert await drained(server, 0.4) < 2
        assert not server.connections.peers


# ---- figures
async def test_info_tells_about_the_server_and_its_connections() -> None:
    async with serving(max_connections=7) as server, dial(server) as caller:
        facts = (await caller.ask(2, "INFO", []))[2]
        assert facts["server"]["name"] == "kv-server" and facts["server"]["build"] == BUILD
        assert facts["server"]["process"] == os.getpid()
        assert facts["clients"]["connections"] == 1 and facts["clients"]["connections_limit"] == 7
        assert facts["clients"]["bytes_received"] > 0
        assert facts["loop"]["rounds"] > 0 and facts["loop"]["longest_lag_ms"] >= facts["loop"]["lag_ms"] >= 0
        assert facts["clock"]["machine_ahead_ms"] == 0
        [_, _, [[number, name, address, namespace, age, idle, calls, parked, unsent, user]]] = await caller.ask(
            3, "CLIENT LIST", []
        )
        assert (name, namespace, parked, unsent, user) == ("test", "0", 0, 0, "default")
        assert number == (await caller.ask(4, "CLIENT ID", []))[2]
        assert address.startswith("127.0.0.1:") and age >= idle >= 0 and calls == 1
