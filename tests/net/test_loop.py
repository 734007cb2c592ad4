"""The loop between two rounds: when it sleeps a moment, and for whom."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from time import perf_counter

import pytest
import trio
from trio.testing import MockClock

from kv_server.net.accept import Acceptor
from kv_server.net.clock import Clock
from kv_server.net.connections import Connections, NetLimits
from kv_server.net.loop import Loop
from kv_server.net.readiness import READ, Readiness
from kv_server.surfaces.surface import Surface
from tests.surfaces.talk import Talk

NOBODY = 1_000_000
"""A descriptor at which nobody sits: to serve it is to do nothing."""


class Scripted(Readiness):
    """Has so many events ready, each time it is asked, and remembers what it was asked."""

    def __init__(self, *script: int) -> None:
        super().__init__()
        self.script = list(script)
        self.asked: list[str] = []
        self.connections: Connections

    def watch(self, fd: int, wants: int) -> None:
        pass

    def forget(self, fd: int) -> None:
        pass

    def poll(self) -> None:
        self.tell("poll")

    def look(self, wait_s: float) -> None:
        self.tell("look")

    def nap(self, nap_s: float) -> None:
        self.asked.append("nap")

    def tell(self, how: str) -> None:
        self.asked.append(how)
        self.events.give([(NOBODY, READ)] * (self.script.pop(0) if self.script else 0))


class Slow(Scripted):
    """One whose naps take far longer than they should."""

    def nap(self, nap_s: float) -> None:
        super().nap(nap_s)
        until = perf_counter() + 0.0002
        while perf_counter() < until:
            pass


@pytest.fixture
def sockets() -> Iterator[list[socket.socket]]:
    held: list[socket.socket] = []
    yield held
    for end in held:
        end.close()


def loop_with(readiness: Scripted, speaking: int, sockets: list[socket.socket]) -> Loop:
    """A loop with connections of which so many spoke in the last millisecond."""
    connections = readiness.connections = Connections(readiness, {}, NetLimits())
    for number in range(5):
        ours, theirs = socket.socketpair()
        sockets.extend((ours, theirs))
        connections.admit(ours, f"test {number}")
    loop = Loop(
        Talk().rig.engine, Clock(elapsed=lambda: 0), readiness, connections, Acceptor([], connections, readiness)
    )
    connections.counters.speaking = speaking
    return loop


def asked(speaking: int, sockets: list[socket.socket], *script: int) -> list[list[str]]:
    """What a loop asks while its time lasts; several times, as a slow moment of the machine ends it early."""
    every = [Scripted(*script) for _ in range(5)]
    for readiness in every:
        loop_with(readiness, speaking, sockets).drain()
    return [readiness.asked for readiness in every]


def test_where_many_speak_those_who_are_next_come_together(sockets: list[socket.socket]) -> None:
    # three come while it naps, two are there at once; then none comes in a nap, and two while it waits; then no more
    assert [
        "poll", "poll", "nap", "poll", "poll", "poll", "nap", "poll", "look", "poll", "nap", "poll", "look"
    ] in asked(32, sockets, 1, 0, 3, 2, 0, 0, 2, 0, 0, 0)  # fmt: skip


def test_where_few_speak_each_is_served_as_it_comes(sockets: list[socket.socket]) -> None:
    assert ["poll", "poll", "look", "poll", "look"] in asked(31, sockets, 1, 0, 1, 0, 0)


def test_while_another_task_has_much_to_do_nobody_sleeps(sockets: list[socket.socket]) -> None:
    readiness = Scripted(1, 0, 1, 0, 1)
    loop = loop_with(readiness, 32, sockets)
    loop.hurries = True
    loop.drain()
    assert set(readiness.asked) == {"poll"} and readiness.script


@pytest.mark.parametrize(("kind", "come"), [(Scripted, 1), (Slow, 5)], ids=["that bring one alone", "that last"])
def test_naps_are_given_up(kind: type[Scripted], come: int, sockets: list[socket.socket]) -> None:
    readiness = kind(1, *[0, come] * 40)
    loop = loop_with(readiness, 32, sockets)
    while readiness.script:
        loop.drain()
    assert 0 < readiness.asked.count("nap") < 10
    assert readiness.asked.count("look") > 15


class Patient(Surface):
    """A connection whose input waits inside, once."""

    def resume(self) -> None:
        self.stalled = False

    def data_to_send(self) -> bytes:
        return b""


class Open:
    """A gate that lets everything out."""

    fd = NOBODY + 1

    def let_out(self, *, more: bool = False) -> None:
        pass

    def due_ms(self) -> int | None:
        return None

    def tend(self) -> None:
        pass


async def test_what_the_alarm_finds_ready_beside_what_was_stalled_is_served(
    sockets: list[socket.socket], autojump_clock: MockClock
) -> None:
    readiness = Scripted(3)
    loop = loop_with(readiness, 0, sockets)
    loop.guard(Open())  # type: ignore[arg-type]
    connections = readiness.connections
    peer = next(iter(connections.peers.values()))
    peer.surface = Patient()
    connections.stalled[peer] = None
    with trio.move_on_after(0.5):
        await loop.keep_time()
    assert not connections.stalled
    assert not readiness.script and not readiness.events.left, "it was told of once, and will not be again"


def test_so_many_speak_as_spoke_in_a_millisecond() -> None:
    connections = Connections(Scripted(), {}, NetLimits())
    connections.counters.spoke = 90
    connections.set_time(1)
    assert (connections.counters.speaking, connections.counters.spoke, connections.elapsed_ms) == (90, 0, 1)
    connections.counters.spoke = 90
    connections.set_time(4)
    assert connections.counters.speaking == 30
    connections.set_time(4)
    assert connections.counters.speaking == 30
    connections.set_time(1_004)
    assert connections.counters.speaking == 0
