"""The wire: what a socket would do, done by its descriptor where that is quicker."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator

import pytest

from kv_server.net.readiness import READ, TROUBLE, WRITE
from kv_server.net.wire import Events, receive, send
from tests.net.rig import all_of


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


Ends = tuple[socket.socket, socket.socket]


def asked(epoll: select.epoll) -> list[tuple[int, int]]:
    """What *epoll* has ready."""
    events = Events()
    events.ask(epoll, epoll.fileno())
    return all_of(events)


@pytest.mark.parametrize("size", [1, 2, 65_535, 65_536])
def test_what_was_sent_is_received(ends: Ends, size: int) -> None:
    ours, theirs = ends
    data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 18)
    theirs.sendall(data)
    assert receive(ours, ours.fileno()) == data
    for form in (data, memoryview(data)):
        assert send(ours, ours.fileno(), form[:1_000]) == min(size, 1_000)
        assert theirs.recv(1_000) == data[:1_000]


def test_only_some_is_taken_at_once(ends: Ends) -> None:
    ours, theirs = ends
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 18)
    theirs.sendall(b"x" * 100_000)
    assert len(receive(ours, ours.fileno())) == 65_536
    assert len(receive(ours, ours.fileno())) == 100_000 - 65_536


def test_nothing_there_and_no_room_are_told_as_sockets_tell_it(ends: Ends) -> None:
    ours, _ = ends
    with pytest.raises(BlockingIOError):
        receive(ours, ours.fileno())
    with pytest.raises(BlockingIOError):
        while send(ours, ours.fileno(), b"x" * 100_000):
            pass


def test_an_end_is_no_bytes_and_then_an_error(ends: Ends) -> None:
    ours, theirs = ends
    theirs.close()
    assert receive(ours, ours.fileno()) == b""
    with pytest.raises(BrokenPipeError):
        send(ours, ours.fileno(), b"x")


def test_a_reset_is_told_as_sockets_tell_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
        ours.setblocking(False)
        with ours:
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            theirs.close()
            with pytest.raises(ConnectionResetError):
                receive(ours, ours.fileno())


def test_a_descriptor_that_is_closed_is_an_error(ends: Ends) -> None:
    ours, _ = ends
    fd = ours.fileno()
    ours.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        receive(ours, fd)
    with pytest.raises(OSError, match="Bad file descriptor"):
        send(ours, fd, b"x")


@pytest.mark.skipif(not hasattr(select, "epoll"), reason="no epoll")
def test_what_is_ready_is_what_an_epoll_says(ends: Ends) -> None:
    ours, theirs = ends
    with select.epoll() as epoll:
        assert asked(epoll) == []
        epoll.register(ours, READ)
        epoll.register(theirs, READ | WRITE)
        assert asked(epoll) == epoll.poll(0) == [(theirs.fileno(), WRITE)]
        theirs.send(b"x")
        assert sorted(asked(epoll)) == sorted([(ours.fileno(), READ), (theirs.fileno(), WRITE)])
        ours.close()
        [(fd, bits)] = asked(epoll)
        assert fd == theirs.fileno() and bits & TROUBLE


@pytest.mark.skipif(not hasattr(select, "epoll"), reason="no epoll")
def test_an_epoll_that_is_closed_is_an_error() -> None:
    epoll = select.epoll()
    fd, events = epoll.fileno(), Events()
    epoll.close()
    with pytest.raises((OSError, ValueError)):
        events.ask(epoll, fd)
    assert not events.left and not events.take()


@pytest.mark.skipif(not hasattr(select, "epoll"), reason="no epoll")
def test_so_many_are_told_at_once(ends: Ends) -> None:
    ours, theirs = ends
    theirs.send(b"x")
    copies = [ours.dup() for _ in range(100)]
    with select.epoll() as epoll:
        for copy in copies:
            epoll.register(copy, READ)
        assert sorted(asked(epoll)) == sorted((copy.fileno(), READ) for copy in copies)
    for copy in copies:
        copy.close()


def test_what_stands_where_a_socket_would_is_asked_itself() -> None:
    class Double:
        def recv(self, size: int) -> bytes:
            return b"%d" % size

        def send(self, data: bytes) -> int:
            return len(data) - 1

    assert receive(Double(), -1) == b"65536"  # type: ignore[arg-type]
    assert send(Double(), -1, b"abc") == 2  # type: ignore[arg-type]


def test_events_that_are_given_are_told_one_after_the_other() -> None:
    events = Events()
    for given in ([(3, READ), (4, WRITE)], [], [(5, READ | TROUBLE)]):
        events.give(given)
        assert events.left == len(given)
        assert all_of(events) == given and events.left == 0


@pytest.mark.skipif(not hasattr(select, "epoll"), reason="no epoll")
def test_what_is_asked_replaces_what_was_not_told(ends: Ends) -> None:
    ours, theirs = ends
    theirs.send(b"x")
    events = Events()
    with select.epoll() as epoll:
        epoll.register(ours, READ)
        events.give([(1, READ), (2, READ)])
        assert events.take()
        events.ask(epoll, epoll.fileno())
        assert all_of(events) == [(ours.fileno(), READ)]
        events.give([(1, READ)])
        assert all_of(events) == [(1, READ)]
