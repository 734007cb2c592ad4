"""A data folder with something of everything in it, left by a real server: a snapshot, and the log around it."""

from __future__ import annotations

import math
import signal
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import trio

import kv_client
from tests.app.program import running

if TYPE_CHECKING:
    from pathlib import Path

VALUES = {
    "null": None,
    "true": True,
    "int": 7,
    "large": 2**63 - 1,
    "larger": -(2**200),
    "float": 0.1,
    "whole": 1.0,
    "infinite": -math.inf,
    "decimal": Decimal("1.50"),
    "text": 'Ada "the first" Löwe\n',
    "bytes": b"\x00\xff",
    "list": [1, [2.0, {"a": None}], "x"],
    "map": {"b": 1, "a": {"base64": "no bytes"}},
    "like a tag": {"decimal": "1"},
    "time": datetime(1815, 12, 10, 11, 30, 0, 1, UTC),
    "na\udcffme": "a name that is no UTF-8",
}


async def fill(url: str) -> None:
    """Write a bit of everything, take a snapshot, and write on. The lock is held by a client that is cut off."""
    async with kv_client.connect(f"{url}/0", name="writer") as client:
        await client.mset(VALUES)
        await client.set("mortal", 1, ttl=3_600)
        await client.hash("cart").set({"apples": 2, "price": Decimal("0.30")})
        await client.list("jobs").push_right({"invoice": 7}, None)
        await client.set_of("tags").add("red", "blue", "\udcfe")
        await client.sorted_set("board").add({"ann": 70.5, "bob": -math.inf})
        stream = client.stream("events")
        await stream.add({"user": "ann", "n": 1})
        await stream.add({"user": "bob", "n": 2})
        await client.xgroup_create("events", "workers", "0")
        await client.xreadgroup("workers", "w1", {"events": ">"}, count=1)
        await client.ns("shop").set("other", "namespace")
        await client.snapshot()
        async with client.lock("invoice", ttl=600):
            await client.incr("counter")
            await client.append("text", "!")
            await client.list("jobs").pop_left()
            await client.delete("true")
            await client.ns("gone").set("a", 1)
            async with kv_client.connect(f"{url}/0", name="holder") as holder:
                await holder.acquire_lock("forever", ttl=86_000)


def make(folder: Path) -> Path:
    """Fill *folder* through a server that ends well."""
    with running("--data-dir", str(folder), "--snapshot-interval", "0") as server:
        trio.run(fill, f"kv://{server.place}")
        server.signal(signal.SIGTERM)
        assert server.wait().status == 0
    return folder
