"""Channels between real clients: every message in order, and a gap wherever some are missing."""

from __future__ import annotations

import socket

import kv_client
from kv_client import Gap, Message
from kv_protocol.limits import MAX_EVENTS
from tests.client.test_with_server import opened, served

WINDOW = 256  # one of them the first event takes


async def test_a_slow_reader_is_told_how_many_messages_it_missed():
    count = MAX_EVENTS + WINDOW + 1_000
    async with served() as url, opened(url) as client, opened(url) as writer:
        async with client.subscribe("news") as messages:
            for begin in range(0, count, 1_000):
                async with writer.batch() as batch:
                    for number in range(begin, min(begin + 1_000, count)):
                        batch.publish("news", number)
            heard, missed = [], 0
            async for item in messages:
                match item:
                    case Gap(int(more)):
                        missed += more
                    case Message("news", value, None):
                        heard.append(value)
                if heard and heard[-1] == count - 1:
                    break
    assert missed > 0
    assert len(heard) + missed == count
    assert heard == sorted(heard)
    assert heard[: WINDOW - 1] == list(range(WINDOW - 1)), "what was granted came before the gap"


async def test_a_lost_connection_shows_as_a_gap_of_unknown_size():
    ends = []

    async def dial():
        end = socket.create_connection((host, int(port)))
        end.setblocking(False)
        ends.append(end)
        return end

    async with served() as url, opened(url) as writer:
        host, port = url.removeprefix("kv://").split(":")
        async with kv_client.connect(url, timeout=60, dial=dial) as client, client.subscribe("news") as messages:
            await writer.publish("news", 1)
            assert await anext(messages) == Message("news", 1, None)
            ends[0].shutdown(socket.SHUT_RDWR)
            assert await anext(messages) == Gap(None)
            await writer.publish("news", 2)
            assert await anext(messages) == Message("news", 2, None)


async def test_a_message_of_a_transaction_is_heard_if_that_is_applied():
    async with served() as url, opened(url) as client:
        async with client.subscribe("news") as messages:
            try:
                async with client.transaction() as tx:
                    tx.publish("news", "never")
                    tx.require("k", version=1)
            except kv_client.TransactionConflict:
                pass
            async with client.transaction() as tx:
                heard = tx.publish("news", "applied")
                tx.hash("h").set({"a": 1})
            assert await anext(messages) == Message("news", "applied", None)
            assert heard.result() == 1
