"""How soon a watcher hears that a key has expired, as a program: it makes many keys that expire too, then it watches.

    notices.py kv|Redis PORT

A notice is late by the time from the key's deadline to its arrival; both are told by the wall clock of this machine.
"""

from __future__ import annotations

import asyncio
import functools
import json
import random
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import trio

WATCHED: Final = 200
PATIENCE_S: Final = 3.0  # a notice that has not come by then counts as late by that much
TTL_S: Final = (5, 65)  # of the other keys: some of them expire in every moment of the run
CHUNK: Final = 1_000

Deadlines = dict[str, int]
"""Key -> when it expires, in milliseconds of the wall clock."""


class Watcher(Protocol):
    """What this program asks of a client library."""

    async def put(self, ttls_s: dict[str, float]) -> None:
        """Set keys that expire so many seconds from now."""

    async def watch(self, deadlines: Deadlines, note: Callable[[str], None]) -> None:
        """Watch the keys, set them to expire at their deadlines, and *note* each notice, until all have come."""


class KvWatcher:
    """kv's own client: one watch for all keys."""

    def __init__(self, client: Any) -> None:
        self._client = client

    async def put(self, ttls_s: dict[str, float]) -> None:
        async with self._client.batch() as batch:
            for key, ttl_s in ttls_s.items():
                batch.set(key, "background", ttl=ttl_s)

    async def watch(self, deadlines: Deadlines, note: Callable[[str], None]) -> None:
        left = set(deadlines)
        with trio.move_on_after(max(deadlines.values()) / 1000 + PATIENCE_S - time.time()):
            async with self._client.watch(*deadlines) as changes:
                for key, deadline_ms in deadlines.items():
                    await self._client.set(key, "watched", expires_at=datetime.fromtimestamp(deadline_ms / 1000, UTC))
                while left:
                    change = await anext(changes)
                    if change.kind == "expired":
                        note(change.key)
                        left.discard(change.key)


class RedisWatcher:
    """redis-py on asyncio: a subscription to each key's channel of keyspace events."""

    def __init__(self, client: Any) -> None:
        self._client = client

    async def put(self, ttls_s: dict[str, float]) -> None:
        async with self._client.pipeline(transaction=False) as pipeline:
            for key, ttl_s in ttls_s.items():
                pipeline.set(key, "background", px=int(ttl_s * 1000))
            await pipeline.execute()

    async def watch(self, deadlines: Deadlines, note: Callable[[str], None]) -> None:
        left = set(deadlines)
        prefix = "__keyspace@0__:"
        await self._client.config_set("notify-keyspace-events", "Kx")
        async with self._client.pubsub() as channels:
            await channels.subscribe(*(prefix + key for key in deadlines))
            for key, deadline_ms in deadlines.items():
                await self._client.set(key, "watched", pxat=deadline_ms)
            end = max(deadlines.values()) / 1000 + PATIENCE_S
            while left and time.time() < end:
                message = await channels.get_message(ignore_subscribe_messages=True, timeout=end - time.time())
                if message is not None and message["data"] == b"expired":
                    key = message["channel"].decode().removeprefix(prefix)
                    note(key)
                    left.discard(key)
        await self._client.config_set("notify-keyspace-events", "")


@asynccontextmanager
async def connect_kv(port: int) -> AsyncIterator[Watcher]:
    import kv_client

    async with kv_client.connect(f"kv://127.0.0.1:{port}") as client:
        yield KvWatcher(client)


@asynccontextmanager
async def connect_redis(port: int) -> AsyncIterator[Watcher]:
    import redis.asyncio

    async with redis.asyncio.Redis(host="127.0.0.1", port=port) as client:
        yield RedisWatcher(client)


async def fill(watcher: Watcher, count: int) -> None:
    """Make *count* keys that expire one after another."""
    dice = random.Random(3)
    names = [f"background:{number}" for number in range(count)]
    for begin in range(0, count, CHUNK):
        await watcher.put({name: dice.uniform(*TTL_S) for name in names[begin : begin + CHUNK]})


async def observe(watcher: Watcher, lead_s: float, seconds: float) -> dict[str, float]:
    """Watch keys whose deadlines begin after *lead_s* and spread over *seconds*; how late their notices were."""
    dice = random.Random()
    begin_ms = int((time.time() + lead_s) * 1000)
    keys = [f"watched:{begin_ms}:{number}" for number in range(WATCHED)]
    deadlines = {key: begin_ms + dice.randrange(int(seconds * 1000)) for key in keys}
    late_ms = dict.fromkeys(deadlines, PATIENCE_S * 1000)

    def note(key: str) -> None:
        late_ms[key] = time.time() * 1000 - deadlines[key]

    await watcher.watch(deadlines, note)
    ordered = sorted(late_ms.values())
    told = sum(late < PATIENCE_S * 1000 for late in ordered)
    return {
        "p50_ms": ordered[WATCHED // 2],
        "p99_ms": ordered[WATCHED * 99 // 100],
        "earliest_ms": ordered[0],
        "told": told / WATCHED,
    }


async def serve(connected: AbstractAsyncContextManager[Watcher], read_line: Callable[[], Awaitable[str]]) -> None:
    """Answer questions until there are no more."""
    async with connected as watcher:
        print("ready", flush=True)
        while line := await read_line():
            question = json.loads(line)
            if "background" in question:
                await fill(watcher, question["background"])
                told = {"background": question["background"]}
            else:
                told = await observe(watcher, question["lead_s"], question["seconds"])
            print(json.dumps(told), flush=True)


def main() -> None:
    library, port = sys.argv[1], int(sys.argv[2])
    if library == "kv":
        read_line = functools.partial(trio.to_thread.run_sync, sys.stdin.readline, abandon_on_cancel=True)
        trio.run(serve, connect_kv(port), read_line)
    else:
        asyncio.run(serve(connect_redis(port), functools.partial(asyncio.to_thread, sys.stdin.readline)))


if __name__ == "__main__":
    main()
