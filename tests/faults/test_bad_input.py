"""Whatever comes in on a connection, it ends there: no crash, no growth, no neighbour disturbed."""

from __future__ import annotations

import struct
from random import Random

import msgpack
import psutil
import trio

import kv_client
from tests.faults.processes import Server

CONNECTIONS = 1_500
GROWTH = 64 * 1024 * 1024

HELLO = msgpack.packb([1, "HELLO", [1]])


def framed(body: bytes, length: int | None = None) -> bytes:
    return struct.pack(">I", len(body) if length is None else length) + body


def garbage(dice: Random) -> bytes:
    """One hostile conversation: half of them say HELLO first."""
    hello = framed(HELLO) if dice.random() < 0.5 else b""
    kind = dice.randrange(11)
    if kind == 0:
        return hello + dice.randbytes(dice.randrange(1, 2_000))
    if kind == 1:
        return hello + framed(dice.randbytes(dice.randrange(1, 2_000)))
    if kind == 2:
        return hello + framed(b"\x91" * dice.choice([600, 5_000, 60_000]) + b"\xc0")
    if kind == 3:
        return hello + framed(b"\x00", dice.choice([0xFFFFFFFF, 0x7FFFFFFF, 64 * 1024 * 1024 + 1, 500_000_000]))
    if kind == 4:
        return hello + framed(dice.choice([b"\xdd", b"\xdf", b"\xc6", b"\xdb"]) + struct.pack(">I", 0xFFFFFFF0))
    if kind == 5:
        request = msgpack.packb([2, "SET", ["key", dice.randbytes(50)]])
        return hello + framed(request)[: dice.randrange(1, len(request))]
    if kind == 6:
        return hello + framed(b"")
    if kind == 7:
        return hello + framed(msgpack.packb([2, "SET", {"no": "list"}, 7, "meta"]))
    if kind == 8:
        return hello + framed(b"\x95\x02\xa3SET\x92\xa1k\xc4\x05" + b"\xdd\xff\xff\xff\xff" + b"\xc0\xc0")
    if kind == 9:
        return hello + framed(msgpack.packb([2, "MGET", ["x"] * 70_000]))
    body = bytearray(msgpack.packb([2, "SET", ["key", msgpack.packb([1, {"a": [2.5, "x"]}])], {"ttl": 5}, {1: 2**40}]))
    for _ in range(dice.randrange(1, 5)):
        body[dice.randrange(len(body))] = dice.randrange(256)
    return hello + framed(bytes(body))


async def converse(port: int, said: bytes, limit: trio.CapacityLimiter, answers: list[bytes]) -> None:
    """Say it in pieces, hear the answer out, and end."""
    async with limit:
        stream = await trio.open_tcp_stream("127.0.0.1", port)
        async with stream:
            heard = b""
            try:
                middle = len(said) // 2
                await stream.send_all(said[:middle])
                await stream.send_all(said[middle:])
                await stream.send_eof()
                while data := await stream.receive_some(65_536):
                    heard += data
            except (trio.BrokenResourceError, OSError):
                pass
            answers.append(heard)


async def test_hostile_bytes_end_their_own_connection_and_nothing_else(server: Server) -> None:
    dice = Random(5)
    process = psutil.Process(server.pid)
    answers: list[bytes] = []
    served = 0
    done = trio.Event()
    async with kv_client.connect(server.url("neighbour")) as client:
        await client.set("mine", 1)
        before = process.memory_info().rss

        async def neighbour() -> None:
            nonlocal served
            while not done.is_set():
                with trio.fail_after(5):
                    assert await client.get("mine") == 1
                served += 1

        async with trio.open_nursery() as nursery:
            nursery.start_soon(neighbour)
            async with trio.open_nursery() as crowd:
                limit = trio.CapacityLimiter(50)
                for _ in range(CONNECTIONS):
                    crowd.start_soon(converse, server.port, garbage(dice), limit, answers)
            done.set()
        assert process.memory_info().rss - before <= GROWTH
        assert client.statistics().connections == 1
    assert len(answers) == CONNECTIONS
    assert served > 50


async def test_announced_length_allocates_nothing(server: Server) -> None:
    process = psutil.Process(server.pid)
    before = process.memory_info().rss
    streams = []
    for _ in range(100):
        stream = await trio.open_tcp_stream("127.0.0.1", server.port)
        await stream.send_all(framed(HELLO))
        await stream.receive_some(65_536)
        await stream.send_all(struct.pack(">I", 60_000_000) + b"\x95\x02")
        streams.append(stream)
    async with kv_client.connect(server.url("neighbour")) as client:
        assert await client.ping() == "PONG"
    assert process.memory_info().rss - before <= GROWTH
    for stream in streams:
        await stream.aclose()
