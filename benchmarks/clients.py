"""One client library under load, as a program: a line it reads is one stretch of load, a line it writes what that took.

    clients.py NAME PORT        where NAME is one of those at the end of this file

All clients do the same: GET and SET in turn, of 100 bytes, on random keys, by as many tasks as the line says; or, with
none, by one task that sends a hundred such commands at once, in the form that the client has for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import random
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, Protocol

import trio

KEYS: Final = [f"key:{number:012}" for number in range(100_000)]
VALUE: Final = b"abcdefghij" * 10
BATCH: Final = 100
POOL: Final = 50
REQUEST_TIMEOUT_MS: Final = 10_000  # glide gives up after 250 ms unless told otherwise

Worker = Callable[[], Awaitable[None]]
Spread = Callable[[Worker, int], Awaitable[None]]
"""Runs a worker in so many tasks."""


class Face(Protocol):
    """What the load asks of every client."""

    async def get(self, key: str) -> object: ...

    async def set(self, key: str, value: bytes) -> object: ...

    async def batch(self, keys: list[str]) -> object:
        """GET and SET in turn, all in one go."""


class Kv:
    """kv's own client on trio."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.get = client.get
        self.set = client.set

    async def batch(self, keys: list[str]) -> object:
        async with self._client.batch() as batch:
            pending = fill(batch, keys)
        return [answer.result() for answer in pending]


class RedisPy:
    """redis-py on asyncio."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.get = client.get
        self.set = client.set

    async def batch(self, keys: list[str]) -> object:
        async with self._client.pipeline(transaction=False) as pipeline:
            fill(pipeline, keys)
            return await pipeline.execute()


class Coredis:
    """coredis on trio."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.get = client.get
        self.set = client.set

    async def batch(self, keys: list[str]) -> object:
        async with self._client.pipeline(transaction=False) as pipeline:
            fill(pipeline, keys)
        return pipeline.results


class Glide:
    """valkey-glide on asyncio."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.get = client.get
        self.set = client.set

    async def batch(self, keys: list[str]) -> object:
        from glide import Batch

        batch = Batch(is_atomic=False)
        fill(batch, keys)
        return await self._client.exec(batch, raise_on_error=True)


def fill(batch: Any, keys: list[str]) -> list[Any]:
    """Put GET and SET in turn into *batch*, which all these libraries write alike."""
    return [batch.set(key, VALUE) if place & 1 else batch.get(key) for place, key in enumerate(keys)]


@contextlib.asynccontextmanager
async def connect_kv(port: int) -> AsyncIterator[Face]:
    import kv_client

    async with kv_client.connect(f"kv://127.0.0.1:{port}") as client:
        yield Kv(client)


@contextlib.asynccontextmanager
async def connect_kv_asyncio(port: int) -> AsyncIterator[Face]:
    import kv_client.aio

    async with kv_client.aio.connect(f"kv://127.0.0.1:{port}") as client:
        yield Kv(client)


@contextlib.asynccontextmanager
async def connect_redis_py(port: int) -> AsyncIterator[Face]:
    import redis.asyncio

    pool = redis.asyncio.BlockingConnectionPool(host="127.0.0.1", port=port, max_connections=POOL, timeout=None)
    async with redis.asyncio.Redis(connection_pool=pool) as client:
        yield RedisPy(client)
    await pool.disconnect()


@contextlib.asynccontextmanager
async def connect_coredis(port: int) -> AsyncIterator[Face]:
    import coredis

    async with coredis.Redis(host="127.0.0.1", port=port, max_connections=POOL) as client:
        yield Coredis(client)


@contextlib.asynccontextmanager
async def connect_glide(port: int) -> AsyncIterator[Face]:
    from glide import GlideClient, GlideClientConfiguration, NodeAddress

    configuration = GlideClientConfiguration([NodeAddress("127.0.0.1", port)], request_timeout=REQUEST_TIMEOUT_MS)
    client = await GlideClient.create(configuration)
    try:
        yield Glide(client)
    finally:
        await client.close()


class Meter:
    """The work of one stretch of load, and what it took."""

    def __init__(self, face: Face, seconds: float) -> None:
        self._face = face
        self._dice = random.Random(7)
        self._end = time.perf_counter() + seconds
        self.took: list[float] = []

    async def one_by_one(self) -> None:
        """One task: a command, its answer, the next."""
        get, set_, took = self._face.get, self._face.set, self.took
        clock, end = time.perf_counter, self._end
        place, step = self._dice.randrange(len(KEYS)), self._dice.randrange(1, len(KEYS), 2)
        began = clock()
        while began < end:
            place = (place + step) % len(KEYS)
            if len(took) & 1:
                await set_(KEYS[place], VALUE)
            else:
                await get(KEYS[place])
            done = clock()
            took.append(done - began)
            began = done

    async def in_batches(self) -> None:
        """One task: a hundred commands, their answers, the next hundred."""
        clock, end = time.perf_counter, self._end
        began = clock()
        while began < end:
            place = self._dice.randrange(len(KEYS) - BATCH)
            await self._face.batch(KEYS[place : place + BATCH])
            done = clock()
            self.took.append(done - began)
            began = done


async def measure(face: Face, spread: Spread, tasks: int, seconds: float) -> dict[str, float]:
    """Load *face* with *tasks* tasks, 0 for batches. Rates and CPU time count commands, latencies what was awaited."""
    meter = Meter(face, seconds)
    cpu, began = time.process_time(), time.perf_counter()
    await spread(meter.one_by_one if tasks else meter.in_batches, tasks or 1)
    cpu, took = time.process_time() - cpu, time.perf_counter() - began
    return summed_up(meter.took, cpu, took, len(meter.took) * (1 if tasks else BATCH))


def measure_blocking(client: Any, seconds: float) -> dict[str, float]:
    """The same of one thread that waits for each answer."""
    took: list[float] = []
    dice = random.Random(7)
    get, set_, clock = client.get, client.set, time.perf_counter
    cpu, start = time.process_time(), clock()
    place, step = dice.randrange(len(KEYS)), dice.randrange(1, len(KEYS), 2)
    began = start
    while began < start + seconds:
        place = (place + step) % len(KEYS)
        if len(took) & 1:
            set_(KEYS[place], VALUE)
        else:
            get(KEYS[place])
        done = clock()
        took.append(done - began)
        began = done
    return summed_up(took, time.process_time() - cpu, began - start, len(took))


def summed_up(took: list[float], cpu: float, spent: float, operations: int) -> dict[str, float]:
    took.sort()
    return {
        "ops_s": operations / spent,
        "cpu_us": cpu * 1e6 / operations,
        "p50_ms": took[len(took) // 2] * 1e3,
        "p99_ms": took[len(took) * 99 // 100] * 1e3,
    }


async def spread_on_trio(worker: Worker, tasks: int) -> None:
    async with trio.open_nursery() as nursery:
        for _ in range(tasks):
            nursery.start_soon(worker)


async def spread_on_asyncio(worker: Worker, tasks: int) -> None:
    await asyncio.gather(*(worker() for _ in range(tasks)))


async def serve(
    connected: contextlib.AbstractAsyncContextManager[Face], read_line: Callable[[], Awaitable[str]], spread: Spread
) -> None:
    """Answer questions until there are no more; each stretch is preceded by a shorter one that is not counted."""
    async with connected as face:
        print("ready", flush=True)
        while line := await read_line():
            question = json.loads(line)
            tasks, seconds = question["tasks"], question["seconds"]
            await measure(face, spread, tasks, min(0.3, seconds / 2))
            print(json.dumps(await measure(face, spread, tasks, seconds)), flush=True)


def serve_blocking(client: Any) -> None:
    print("ready", flush=True)
    for question in map(json.loads, sys.stdin):
        measure_blocking(client, min(0.3, question["seconds"] / 2))
        print(json.dumps(measure_blocking(client, question["seconds"])), flush=True)


def block_on_kv(port: int) -> None:
    import kv_client.sync

    with kv_client.sync.connect(f"kv://127.0.0.1:{port}") as client:
        serve_blocking(client)


def block_on_redis_py(port: int) -> None:
    import redis

    with redis.Redis(host="127.0.0.1", port=port) as client:
        serve_blocking(client)


Connect = Callable[[int], contextlib.AbstractAsyncContextManager[Face]]
ON_TRIO: Final[dict[str, Connect]] = {"kv": connect_kv, "coredis": connect_coredis}
ON_ASYNCIO: Final[dict[str, Connect]] = {
    "kv, asyncio": connect_kv_asyncio,
    "kv, uvloop": connect_kv_asyncio,
    "redis-py": connect_redis_py,
    "glide": connect_glide,
}
BLOCKING: Final[dict[str, Callable[[int], None]]] = {
    "kv, blocking": block_on_kv,
    "redis-py, blocking": block_on_redis_py,
}


def main() -> None:
    name, port = sys.argv[1], int(sys.argv[2])
    if name in BLOCKING:
        BLOCKING[name](port)
    elif name in ON_TRIO:
        read_line = functools.partial(trio.to_thread.run_sync, sys.stdin.readline, abandon_on_cancel=True)
        trio.run(serve, ON_TRIO[name](port), read_line, spread_on_trio)
    else:
        ask = functools.partial(asyncio.to_thread, sys.stdin.readline)
        with asyncio.Runner(loop_factory=loop_of(name)) as runner:
            runner.run(serve(ON_ASYNCIO[name](port), ask, spread_on_asyncio))


def loop_of(name: str) -> Callable[[], asyncio.AbstractEventLoop] | None:
    if "uvloop" not in name:
        return None
    import uvloop

    return uvloop.new_event_loop


if __name__ == "__main__":
    main()
