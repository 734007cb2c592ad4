"""Leases between clients and the real server: presence that ends with whoever is present, in every way to go."""

from __future__ import annotations

import pytest
import trio

import kv_client
from kv_protocol.errors import LockLost
from kv_server.testing import server
from tests.testing.rig import opened


async def test_keys_are_there_as_long_as_the_block_and_watchers_hear_of_it(autojump_clock):
    async with server() as s, opened(s) as client, opened(s) as other:
        async with other.watch(prefix="workers:") as changes:
            async with client.lease(10) as lease:
                for number in range(3):
                    await client.set(f"workers:{number}", {"n": number}, lease=lease)
                [info] = await other.leases()
                assert (info.lock, info.token, sorted(info.keys)) == (
                    "lease", lease.token, ["workers:0", "workers:1", "workers:2"],
                )  # fmt: skip
            told = [(change.kind, change.key) for _ in range(6) for change in [await anext(changes)]]
        assert told == [(kind, f"workers:{n}") for kind in ("set", "delete") for n in range(3)]
        assert await other.leases() == await other.locks() == []


async def test_one_renewal_keeps_many_keys_for_many_leases(autojump_clock):
    async with server() as s, opened(s) as client:
        async with client.lease(12, name="ours") as lease:
            for number in range(100):
                await client.set(f"k{number}", number, lease=lease)
            before = s.trace.count("1 > EXTEND")
            await trio.sleep(18)
            assert s.trace.count("1 > EXTEND") - before == 4
            [info] = await client.locks()
            assert (info.lock, info.limit, info.renewals) == ("ours", None, 4)
            assert await client.dbsize() == 100
        assert await client.dbsize() == 0


async def test_who_is_cut_off_is_gone_when_the_lease_is(autojump_clock):
    async with server() as s, opened(s) as other:
        async with opened(s, "cut off") as client, other.watch("workers:1") as changes:
            async with client.lease(10, on_lost="ignore") as lease:
                await client.set("workers:1", 1, lease=lease)
                await trio.sleep(60)
                s.faults.partition("cut off")
                kinds = [change.kind for _ in range(2) for change in [await anext(changes)]]
                assert kinds == ["set", "expired"]
                assert lease.lost
                s.faults.heal()
                with pytest.raises(LockLost):
                    await client.set("workers:1", 1, lease=lease)


async def test_a_lease_that_is_revoked_ends_its_block_and_its_keys_alone(autojump_clock):
    async with server() as s, opened(s) as client, opened(s) as operator:
        async with client.lease(10) as stays:
            await client.set("stays", 1, lease=stays)
            with pytest.raises(LockLost, match="operator"):
                async with client.lease(10) as lease:
                    await client.set("goes", 1, lease=lease)
                    assert await operator.break_lock("lease", token=lease.token)
                    await trio.sleep_forever()
            assert await client.mget("stays", "goes") == [1, None]
        assert await client.dbsize() == 0


async def test_cancellation_at_any_moment_leaves_no_key_behind():
    async with server() as s, opened(s) as client:
        for number in range(40):
            with trio.move_on_after(0.0002 * number):
                async with client.lease(10) as lease:
                    for key in range(5):
                        await client.add(f"{number}:{key}", key, lease=lease)
                    await trio.sleep(0.002)
        with trio.fail_after(5):
            while await client.locks():
                await trio.sleep(0.001)
        assert await client.dbsize() == 0


async def test_a_held_lock_or_a_bare_fence_does_for_a_lease(autojump_clock):
    async with server() as s, opened(s) as client:
        async with client.lock("leader", ttl=10) as held:
            await client.set("a", 1, lease=held, fence=held)
            await client.set("b", 1, lease=kv_client.Fence("leader", held.token))
            async with client.transaction() as tx:
                tx.set("c", 1, lease=held)
            assert sorted((await client.leases())[0].keys) == ["a", "b", "c"]
        assert await client.dbsize() == 0
