"""Streams over the wire, as a program sees them: values of any type, waiting for an entry, groups and their claims."""

from __future__ import annotations

import pytest
import trio

import kv_client
from tests.client.test_with_server import opened, served


async def test_entries_come_back_with_values_of_their_types():
    async with served() as url, opened(url) as client:
        first = await client.xadd("log", ("user", 7), ("tags", ["a", b"\xff"]), ("\udcff", None))
        second = await client.xadd("log", ("user", 8.5), max_length=10)
        entries = await client.xrange("log", "-", "+")
        assert [entry.id for entry in entries] == [first, second]
        assert entries[0].fields == {"user": 7, "tags": ["a", b"\xff"], "\udcff": None}
        assert type(entries[1].fields["user"]) is float
        assert await client.xread(("log", second)) == {}
        assert await client.xread(("log", first), ("absent", "0")) == {"log": [entries[1]]}
        info = await client.xinfo_stream("log")
        assert (info.length, info.last_id, info.first_entry) == (2, second, entries[0])


async def test_a_reader_waits_for_the_next_entry():
    async with served() as url, opened(url) as client, trio.open_nursery() as nursery:
        got: list[object] = []

        async def read() -> None:
            got.append(await client.xread(("log", "$"), block=30))

        await client.xadd("log", ("n", 1))
        nursery.start_soon(read)
        with trio.fail_after(30):
            while not got:
                await client.xadd("log", ("n", 2), max_length=3)
        assert got[0]["log"][0].fields == {"n": 2}  # type: ignore[index]


async def test_a_group_shares_out_settles_and_claims():
    async with served() as url, opened(url) as client:
        await client.xgroup_create("jobs", "g", "0", create_stream=True)
        ids = [await client.xadd("jobs", ("n", number)) for number in range(3)]
        batch = await client.xreadgroup("g", "ann", ("jobs", ">"), count=2)
        assert [entry.fields["n"] for entry in batch["jobs"]] == [0, 1]
        assert await client.xack("jobs", "g", ids[0]) == 1
        held = await client.xpending_range("jobs", "g", consumer="ann")
        assert [(each.id, each.consumer, each.deliveries) for each in held] == [(ids[1], "ann", 1)]
        claimed = await client.xautoclaim("jobs", "g", "bob", 0, "-")
        assert (claimed.cursor, [entry.id for entry in claimed.entries], claimed.deleted) == ("0-0", [ids[1]], [])
        assert (await client.xpending("jobs", "g")).consumers == {"bob": 1}
        groups = await client.xinfo_groups("jobs")
        assert [(group.name, group.pending, group.lag) for group in groups] == [("g", 1, 1)]
        with pytest.raises(kv_client.ConditionFailed):
            await client.xgroup_create("jobs", "g", "$")
