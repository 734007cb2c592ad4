"""The three parts of a round: servers under one load generator, clients on their servers, notices of expiries."""

from __future__ import annotations

import contextlib
from typing import Final

from figures import (
    BLOCKING,
    EXPIRY,
    FACES,
    KV,
    OPERATIONS,
    PEERS,
    REDIS,
    REDIS_BENCHMARK,
    SESSION,
    Figures,
    client_row,
    server_row,
)  # fmt: skip
from generator import Generator, redis_benchmark
from processes import Server, child

BACKGROUND_KEYS: Final = 100_000
BACKGROUND_RATE: Final = 5_000
BLOCKING_KV: Final = "kv, blocking"
BLOCKING_PEER: Final = "redis-py, blocking"
LEAD_S: Final = 1.0  # from the start of the background load to the first deadline


def measure_servers(
    figures: Figures, generator: Generator, kv: Server, redis: Server, pipelines: tuple[int, ...], seconds: float
) -> None:
    """For each operation and pipeline first kv, then kv as its client speaks, then Redis, then Redis by its tool."""
    for operation in OPERATIONS:
        for pipeline in pipelines:
            row = server_row(operation, pipeline)
            for side, protocol in ((KV, "native"), (SESSION, "session")):
                figures.add(row, side, generator.run(kv, protocol, operation, pipeline, seconds).figures())
            load = generator.run(redis, "resp", operation, pipeline, seconds)
            figures.add(row, REDIS, load.figures())
            again = redis_benchmark(redis, operation, pipeline, load.operations)
            figures.add(row, REDIS_BENCHMARK, again.figures())


def measure_clients(figures: Figures, kv: Server, redis: Server, tasks: tuple[int, ...], seconds: float) -> None:
    """All clients are connected, each in a process of its own, and take turns at each number of tasks."""
    with contextlib.ExitStack() as stack:
        ports = dict.fromkeys(FACES, kv.port) | dict.fromkeys(PEERS, redis.port)
        clients = {name: stack.enter_context(child("clients.py", name, str(port))) for name, port in ports.items()}
        for count in tasks:
            for name, client in clients.items():
                figures.add(client_row(count), name, client.ask(tasks=count, seconds=seconds))
    for side, name, port in ((KV, BLOCKING_KV, kv.port), ("redis-py", BLOCKING_PEER, redis.port)):
        with child("clients.py", name, str(port)) as client:
            figures.add(BLOCKING, side, client.ask(tasks=1, seconds=seconds))


def measure_expiry(figures: Figures, generator: Generator, kv: Server, redis: Server, seconds: float) -> None:
    """Who watches is told of each expiry, among many keys that expire too and while others write."""
    for side, server, protocol in ((KV, kv, "session"), (REDIS, redis, "resp")):
        with child("notices.py", side, str(server.port)) as watcher:
            watcher.ask(background=BACKGROUND_KEYS)
            with generator.background(server, protocol, BACKGROUND_RATE, seconds + 2 * LEAD_S):
                figures.add(EXPIRY, side, watcher.ask(lead_s=LEAD_S, seconds=seconds))
