"""Parts of a round: servers under one load generator, clients on their servers, notices of expiries, more keys."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final

from builds import Build
from commands import connecting_s
from figures import (
    BLOCKING,
    EXPIRY,
    FACES,
    KV,
    PEERS,
    PLAIN,
    REDIS,
    SESSION,
    Figures,
    client_row,
    large_row,
    port_row,
)  # fmt: skip
from generator import KEYS, Generator, redis_benchmark
from processes import Server, child, kv, redis

OPERATIONS: Final = ("get", "set")
BACKGROUND_RATE: Final = 5_000
BLOCKING_KV: Final = "kv, blocking"
BLOCKING_PEER: Final = "redis-py, blocking"
LEAD_S: Final = 1.0  # from the start of the background load to the first deadline
MOST_TASKS: Final = 1000
PIPELINE: Final = 16
CALLS_S: Final = 300_000


def measure_ports(
    figures: Figures, load: Generator, servers: dict[str, Server], pipelines: tuple[int, ...], seconds: float
) -> None:
    """Either build on its own protocol, the native one also as its client speaks it, and Redis: the same load."""
    sides = {KV: "native", SESSION: "session", PLAIN: "native", REDIS: "resp"}
    for operation in OPERATIONS:
        for pipeline in pipelines:
            for side, protocol in sides.items():
                done = load.run(servers[side], protocol, operation, pipeline, seconds)
                figures.add(port_row(operation, pipeline), side, done.figures())


def measure_clients(
    figures: Figures, build: Build, kv: Server, redis: Server, tasks: tuple[int, ...], seconds: float
) -> None:
    """All clients are connected, each in a process of its own, and take turns; the most tasks for *seconds*."""
    with contextlib.ExitStack() as stack:
        ports = dict.fromkeys(FACES, kv.port) | dict.fromkeys(PEERS, redis.port)
        clients = {
            name: stack.enter_context(child("clients.py", name, str(port), build=build)) for name, port in ports.items()
        }
        for count in tasks:
            spent = seconds if count == MOST_TASKS else seconds / 3
            for name, client in clients.items():
                figures.add(client_row(count), name, client.ask(tasks=count, seconds=spent))
    for side, name, port in ((KV, BLOCKING_KV, kv.port), ("redis-py", BLOCKING_PEER, redis.port)):
        with child("clients.py", name, str(port), build=build) as client:
            figures.add(BLOCKING, side, client.ask(tasks=1, seconds=seconds / 3))


def measure_expiry(
    figures: Figures, build: Build, load: Generator, kv: Server, redis: Server, seconds: float, keys: int
) -> None:
    """Who watches is told of each expiry, among *keys* keys that expire too and while others write."""
    for side, server, protocol in ((KV, kv, "session"), (REDIS, redis, "resp")):
        with child("notices.py", side, str(server.port), build=build) as watcher:
            watcher.ask(background=keys)
            with load.background(server, protocol, BACKGROUND_RATE, seconds + 2 * LEAD_S):
                figures.add(EXPIRY, side, watcher.ask(lead_s=LEAD_S, seconds=seconds))


class Large:
    """Servers with many keys, beside servers with few."""

    def __init__(self, servers: dict[tuple[str, int], Server]) -> None:
        self._servers = servers

    def round(self, figures: Figures, seconds: float) -> None:
        few = min(keys for _, keys in self._servers)
        for (side, keys), server in self._servers.items():
            calls = int(CALLS_S * seconds)
            done = redis_benchmark(server, ("-t", "get"), PIPELINE, calls, keys, connecting_s(server))
            figures.add(large_row(few=keys == few), side, done.figures())


@contextlib.contextmanager
def large(load: Generator, build: Build, *, quick: bool) -> Iterator[Large]:
    """10,000 keys and 10,000,000 on either side."""
    with contextlib.ExitStack() as stack:
        servers = {}
        for keys in (KEYS // 10, KEYS * (5 if quick else 100)):
            servers[KV, keys] = stack.enter_context(kv(build=build))
            servers[REDIS, keys] = stack.enter_context(redis())
        for (_, keys), server in servers.items():
            load.fill(server, keys=keys)
        yield Large(servers)
