"""One connection's life by hand: who is let in, what ends it, and that its last words arrive. Rounds without a loop."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from msgpack import unpackb

from kv_protocol.frames import FrameReader, pack
from kv_protocol.types import Change
from kv_server.net.connections import Connections, NetLimits
from kv_server.net.peer import Peer
from kv_server.net.readiness import ONCE, READ, TROUBLE, WRITE, Readiness
from kv_server.surfaces.native import NativeConnection, NativeDoor
from kv_server.surfaces.surface import HIGH_WATER, Surface
from tests.surfaces.line import LIMITS, PretendEngine

HELLO = pack([1, "HELLO", [1]])


class Watched(Readiness):
    """A readiness that only remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.wants: dict[int, int] = {}

    def watch(self, fd: int, wants: int) -> None:
        self.wants[fd] = wants & ~ONCE

    def forget(self, fd: int) -> None:
        self.wants.pop(fd, None)


class Table:
    """Connections, with the ends that the test holds."""

    def __init__(self, **limits: int) -> None:
        self.engine = PretendEngine()
        self.readiness = Watched()
        self.door = NativeDoor(self.engine, LIMITS, "kv-server test", lambda: 0.0)  # type: ignore[arg-type]
        self.connections = Connections(self.readiness, {0: self.door.connect}, NetLimits(**limits))
        self.theirs: list[socket.socket] = []

    def connect(self, data: bytes = b"") -> tuple[Peer, socket.socket]:
        """A new connection that has sent *data*; the peer, and the client's end."""
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
        theirs.setblocking(False)
        self.theirs.append(theirs)
        before = set(self.connections.peers)
        self.connections.admit(ours, f"test {len(self.theirs)}")
        fds = set(self.connections.peers) - before
        if not fds:
            raise ConnectionRefusedError
        peer = self.connections.peers[fds.pop()]
        if data:
            theirs.send(data)
            self.round(peer)
        return peer, theirs

    def round(self, peer: Peer, bits: int = 0) -> None:
        """One round in which *peer* is ready for what it is watched for, or for *bits*."""
        self.connections.receive(peer, bits or self.readiness.wants.get(peer.fd, 0))
        self.connections.flush()

    def pass_ms(self, span_ms: int) -> None:
        self.connections.elapsed_ms += span_ms
        self.connections.sweep()
        self.connections.flush()

    def event(self, peer: Peer, size: int) -> None:
        assert isinstance(peer.surface, NativeConnection)
        peer.surface.event(9, Change("set", 1, "k", b"v" * size))


@contextmanager
def table(**limits: int) -> Iterator[Table]:
    held = Table(**limits)
    try:
        yield held
    finally:
        held.connections.drop_all()
        for end in held.theirs:
            end.close()


def read(end: socket.socket) -> bytes:
    """All that has arrived, and `(closed)` if it was the last."""
    gathered = b""
    with suppress(BlockingIOError):
        while data := end.recv(1 << 20):
            gathered += data
        gathered += b"(closed)"
    return gathered


def messages(data: bytes) -> list[Any]:
    return [unpackb(body) for body in FrameReader().feed(data.removesuffix(b"(closed)"))]


# ---- beginning
def test_a_call_is_answered_in_the_same_round() -> None:
    with table() as held:
        peer, end = held.connect(HELLO + pack([2, "GIVE", []]))
        assert [answer[:2] for answer in messages(read(end))] == [[1, 0], [2, 0]]
        assert held.readiness.wants == {peer.fd: READ}
        counters = held.connections.counters
        assert counters.accepted == 1 and counters.bytes_received == 26 and counters.bytes_sent > 50


def test_beyond_the_limit_a_client_is_told_so_in_its_own_protocol() -> None:
    with table(connections=2) as held:
        first, _ = held.connect(HELLO)
        held.connect(HELLO)
        refused, end = held.connect(HELLO + pack([2, "GIVE", []]))
        [[request_id, status, [code, message, details]]] = messages(data := read(end))
        assert (request_id, status, code, details) == (0, 2, "CONNECTIONS", {"limit": 2})
        assert "(2)" in message and data.endswith(b"(closed)")
        line, end = held.connect(b"PING\r\n")
        assert read(end) == b"-ERR the server has as many connections as it may (2)\r\n(closed)"
        assert held.connections.counters.refused == 2 and held.connections.admitted == 2
        held.pass_ms(2_000)
        assert {refused.fd, line.fd}.isdisjoint(held.connections.peers)
        held.connections.drop(first)
        _, end = held.connect(HELLO)
        assert messages(read(end))[0][:2] == [1, 0]


def test_only_so_many_are_refused_politely_at_a_time() -> None:
    with table(connections=1) as held:
        held.connect()
        for _ in range(64):
            held.connect()
        with pytest.raises(ConnectionRefusedError):
            held.connect()
        assert held.connections.counters.refused == 65
        held.pass_ms(2_000)
        assert len(held.connections.peers) == 1


# ---- sending
def test_what_the_kernel_does_not_take_is_sent_when_it_does() -> None:
    with table() as held:
        peer, end = held.connect(HELLO)
        read(end)
        for _ in range(5):
            held.event(peer, 60_000)
        held.connections.flush()
        assert peer.rest is not None and peer.unsent > 0
        assert held.readiness.wants[peer.fd] == READ | WRITE
        gathered = b""
        while peer.unsent:
            gathered += read(end)
            held.round(peer, WRITE)
        assert [len(event[2][3]) for event in messages(gathered + read(end))] == [60_000] * 5
        assert held.readiness.wants[peer.fd] == READ


def test_a_reader_that_is_owed_much_is_not_read_until_it_has_read() -> None:
    with table() as held:
        peer, end = held.connect(HELLO)
        held.engine.next_reply = b"x" * 200_000
        end.send(b"".join(pack([number, "GIVE", []]) for number in range(1, 21)))
        held.round(peer)
        assert peer.surface is not None and peer.surface.stalled and peer.unsent > HIGH_WATER
        assert held.readiness.wants[peer.fd] == WRITE
        ran = len(held.engine.calls)
        end.send(pack([21, "GIVE", []]))
        held.round(peer, READ)
        assert len(held.engine.calls) == ran and not held.connections.stalled
        gathered = b""
        while len(held.engine.calls) < 21 or peer.unsent:
            gathered += read(end)
            held.round(peer)
            if held.connections.stalled:
                held.connections.resume_one()
                held.connections.flush()
        answers = messages(gathered + read(end))
        assert [answer[0] for answer in answers] == [1, *range(1, 22)]
        assert held.readiness.wants[peer.fd] == READ


def test_a_reader_that_never_reads_is_closed_and_counted() -> None:
    with table() as held:
        peer, _ = held.connect(HELLO)
        for _ in range(LIMITS.output // 50_000 * 3):
            held.event(peer, 50_000)
            held.connections.flush()
            assert peer.unsent < 2 * LIMITS.output + 200_000
        assert not held.connections.peers
        assert held.connections.counters.overflowed == 1
        assert held.engine.detached == [peer.surface]


# ---- ending
def test_who_sends_nothing_more_still_gets_its_answers() -> None:
    with table() as held:
        held.engine.next_reply = b"x" * 300_000
        peer, end = held.connect()
        end.send(HELLO + pack([2, "GIVE", []]))
        end.shutdown(socket.SHUT_WR)
        held.round(peer)
        gathered = b""
        while peer.fd in held.connections.peers:
            gathered += read(end)
            held.round(peer)
        assert [answer[0] for answer in messages(gathered + read(end))] == [1, 2]
        assert held.engine.detached == [peer.surface]


def test_who_closes_is_forgotten_at_once() -> None:
    with table() as held:
        peer, end = held.connect(HELLO)
        end.close()
        held.round(peer)
        held.round(peer)
        assert not held.connections.peers and not held.readiness.wants
        assert held.engine.detached == [peer.surface]


def test_a_reset_while_writing_is_an_end_like_any_other() -> None:
    with table() as held:
        peer, end = held.connect(HELLO)
        for _ in range(5):
            held.event(peer, 60_000)
        held.connections.flush()
        end.close()
        held.round(peer, WRITE | TROUBLE)
        assert not held.connections.peers
        assert held.engine.detached == [peer.surface]


def test_the_last_words_of_a_broken_protocol_arrive_before_the_close() -> None:
    with table() as held:
        peer, end = held.connect(HELLO + pack([1]) + pack([2, "GIVE", []]))
        assert held.engine.detached == [peer.surface]
        data = read(end)
        assert data.endswith(b"(closed)")
        assert messages(data)[1][:2] == [0, 2]
        end.send(b"more that nobody reads")
        held.round(peer)
        assert peer.fd in held.connections.peers
        end.close()
        held.round(peer)
        assert not held.connections.peers


def test_a_client_that_does_not_close_is_closed() -> None:
    with table() as held:
        peer, _ = held.connect(HELLO + pack([1]))
        held.pass_ms(1_999)
        assert peer.fd in held.connections.peers
        held.pass_ms(1)
        assert not held.connections.peers


def test_a_client_that_does_not_read_its_last_answers_is_closed() -> None:
    with table() as held:
        peer, end = held.connect(HELLO)
        for _ in range(5):
            held.event(peer, 60_000)
        held.connections.flush()
        end.send(pack([1]))
        held.round(peer)
        assert peer.left and peer.unsent
        held.pass_ms(29_999)
        assert peer.fd in held.connections.peers
        held.pass_ms(1)
        assert not held.connections.peers


@pytest.mark.parametrize("data", [b"", HELLO[:-1]])
def test_a_greeting_has_to_come_in_time(data: bytes) -> None:
    with table(hello_ms=30_000) as held:
        _, end = held.connect(data)
        held.pass_ms(29_999)
        assert read(end) == b""
        held.pass_ms(1)
        said = read(end)
        assert said.endswith(b"(closed)")
        if data:
            [[request_id, status, [code, message, _]]] = messages(said)
            assert (request_id, status, code) == (0, 2, "PROTOCOL") and "HELLO" in message
        assert held.connections.counters.timed_out == 1


def test_the_rest_of_a_frame_has_to_come_in_time() -> None:
    with table(frame_ms=300_000) as held:
        peer, end = held.connect(HELLO)
        read(end)
        for _ in range(3):  # frame after frame, each begun before the last sweep and completed after it
            for piece in (pack([2, "GIVE", []])[:5], pack([2, "GIVE", []])[5:] + b"\x00"):
                end.send(piece)
                held.round(peer)
                held.pass_ms(200_000)
            end.send(pack([2, "GIVE", []])[1:])
            held.round(peer)
        assert [answer[0] for answer in messages(read(end))] == [2] * 6
        end.send(b"\x00")
        held.round(peer)
        held.pass_ms(1_000)
        held.pass_ms(299_999)
        assert read(end) == b""
        held.pass_ms(1)
        [[request_id, status, [code, message, _]]] = messages(read(end))
        assert (request_id, status, code) == (0, 2, "PROTOCOL") and "frame" in message


def test_idle_connections_live_unless_there_is_a_limit() -> None:
    with table() as held:
        held.connect(HELLO)
        held.pass_ms(10**9)
        assert held.connections.admitted == 1
    with table(idle_ms=60_000) as held:
        idle, _ = held.connect(HELLO)
        busy, end = held.connect(HELLO)
        waiting, _ = held.connect(HELLO)
        assert waiting.surface is not None and waiting.surface.session is not None
        waiting.surface.session.waiting[5] = object()  # type: ignore[assignment]
        held.pass_ms(59_000)
        end.send(pack([2, "GIVE", []]))
        held.round(busy)
        held.pass_ms(1_000)
        assert idle.half_closed and not busy.half_closed and not waiting.half_closed


def test_a_connection_that_fails_us_ends_alone(caplog: pytest.LogCaptureFixture) -> None:
    with table() as held:
        peer, end = held.connect(HELLO)
        other, _ = held.connect(HELLO)
        assert peer.surface is not None

        class Broken(Surface):
            def receive_data(self, data: bytes) -> None:
                raise ValueError("a secret")

            def leave(self) -> None:
                pass

        peer.surface = Broken()
        end.send(b"x")
        held.round(peer)
        assert list(held.connections.peers.values()) == [other]
        assert "ValueError at test_connections.py" in caplog.text and "secret" not in caplog.text


def test_being_told_of_nothing_is_no_concern() -> None:
    with table() as held:
        peer, _ = held.connect()
        held.connections.receive(peer, READ)
        assert held.connections.peers == {peer.fd: peer}
