"""Readiness: both forms tell the same things, again and again until they are seen to."""

from __future__ import annotations

import contextlib
import select
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from kv_server.net.readiness import HANGS_UP, ONCE, READ, TROUBLE, WRITE, Readiness, open_readiness
from tests.net.rig import all_of

forms = pytest.mark.parametrize(
    "nested", [pytest.param(True, marks=pytest.mark.skipif(not hasattr(select, "epoll"), reason="no epoll")), False]
)


@asynccontextmanager
async def watching(nested: bool) -> AsyncIterator[tuple[Readiness, socket.socket, socket.socket]]:
    """A readiness, and a pair of sockets; the first is to be watched."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        async with open_readiness(nested=nested) as readiness:
            yield readiness, ours, theirs


async def told(readiness: Readiness) -> dict[int, int]:
    """What is told next, without the marks of trouble."""
    while True:
        await readiness.wait()
        readiness.poll()
        if events := all_of(readiness.events):
            return {fd: bits & ~TROUBLE for fd, bits in events}


async def silent(readiness: Readiness) -> bool:
    """Nothing is told, however long one waits."""
    with trio.move_on_after(1) as scope:
        await told(readiness)
    return scope.cancelled_caught


@forms
async def test_what_is_not_read_is_told_again(nested: bool, autojump_clock: MockClock) -> None:
    async with watching(nested) as (readiness, ours, theirs):
        readiness.watch(ours.fileno(), READ)
        assert await silent(readiness)
        theirs.send(b"xy")
        for _ in range(3):
            assert await told(readiness) == {ours.fileno(): READ}
        ours.recv(10)
        assert await silent(readiness)


@pytest.mark.skipif(not hasattr(select, "epoll"), reason="no epoll")
async def test_what_is_watched_once_is_told_when_it_comes_and_so_is_the_end(autojump_clock: MockClock) -> None:
    async with watching(nested=True) as (readiness, ours, theirs):
        readiness.watch(ours.fileno(), READ | ONCE)
        for _ in range(2):
            theirs.send(b"x")
            assert await told(readiness) == {ours.fileno(): READ}
            assert await silent(readiness)
        readiness.watch(ours.fileno(), READ | ONCE)
        assert await told(readiness) == {ours.fileno(): READ}
        theirs.send(b"x")
        theirs.shutdown(socket.SHUT_WR)
        assert await told(readiness) == {ours.fileno(): READ | HANGS_UP}
        assert ours.recv(10) == b"xxx" and await silent(readiness)
        readiness.watch(ours.fileno(), READ | ONCE)
        assert await told(readiness) == {ours.fileno(): READ | HANGS_UP}


@forms
async def test_only_what_is_wanted_is_told(nested: bool, autojump_clock: MockClock) -> None:
    async with watching(nested) as (readiness, ours, theirs):
        theirs.send(b"x")
        readiness.watch(ours.fileno(), WRITE)
        assert await told(readiness) == {ours.fileno(): WRITE}
        readiness.watch(ours.fileno(), READ | WRITE)
        seen = 0
        while seen != READ | WRITE:
            seen |= (await told(readiness))[ours.fileno()]
        readiness.watch(ours.fileno(), READ)
        while (await told(readiness))[ours.fileno()] != READ:
            pass  # a writer's task may have spoken before it was stopped
        ours.recv(1)
        assert await silent(readiness)


@forms
async def test_a_full_socket_is_told_when_there_is_room(nested: bool, autojump_clock: MockClock) -> None:
    async with watching(nested) as (readiness, ours, theirs):
        try:
            while True:
                ours.send(b"x" * 65_536)
        except BlockingIOError:
            readiness.watch(ours.fileno(), WRITE)
        assert await silent(readiness)
        theirs.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while theirs.recv(1 << 20):
                pass
        assert await told(readiness) == {ours.fileno(): WRITE}


@forms
async def test_a_hang_up_is_told(nested: bool, autojump_clock: MockClock) -> None:
    async with watching(nested) as (readiness, ours, theirs):
        readiness.watch(ours.fileno(), READ)
        theirs.close()
        assert await told(readiness) == {ours.fileno(): READ}
        assert ours.recv(1) == b""


@forms
async def test_what_is_forgotten_is_told_no_more_and_its_number_may_return(
    nested: bool, autojump_clock: MockClock
) -> None:
    async with watching(nested) as (readiness, ours, theirs):
        theirs.send(b"x")
        readiness.watch(ours.fileno(), READ)
        await told(readiness)
        readiness.forget(ours.fileno())
        assert await silent(readiness)
        readiness.forget(ours.fileno())
        readiness.watch(ours.fileno(), READ)
        assert await told(readiness) == {ours.fileno(): READ}
        readiness.forget(ours.fileno())


@forms
async def test_many_are_told_together(nested: bool, autojump_clock: MockClock) -> None:
    pairs = [socket.socketpair() for _ in range(50)]
    async with open_readiness(nested=nested) as readiness:
        for ours, theirs in pairs:
            readiness.watch(ours.fileno(), READ)
            theirs.send(b"x")
        seen: set[int] = set()
        while len(seen) < 50:
            seen |= (await told(readiness)).keys()
        for ours, theirs in pairs:
            readiness.forget(ours.fileno())
            ours.close()
            theirs.close()


@forms
async def test_a_look_waits_a_little(nested: bool) -> None:
    async with watching(nested) as (readiness, ours, theirs):
        readiness.watch(ours.fileno(), READ)
        readiness.look(0.001)
        assert all_of(readiness.events) == []
        theirs.send(b"x")
        if nested:  # elsewhere another task has to see it first
            readiness.look(10.0)
            assert all_of(readiness.events) == [(ours.fileno(), READ)]
        assert await told(readiness) == {ours.fileno(): READ}
        readiness.forget(ours.fileno())
