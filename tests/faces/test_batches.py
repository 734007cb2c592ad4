"""Batches and transactions: results when the block has ended, errors where they belong, mistakes told."""

from __future__ import annotations

import pytest

import kv_client as kv


async def test_the_error_of_one_call_spoils_no_other(face):
    async with face.connect() as client:
        await client.set("text", "x")
        async with client.batch() as batch:
            one, bad, two = batch.incr("n"), batch.incr("text"), batch.incr("n", by=4)
            assert not one.done
            with pytest.raises(RuntimeError, match="INCR has no result yet"):
                one.result()
        assert (one.result(), two.result(), one.done) == (1, 5, True)
        with pytest.raises(kv.NotANumber):
            bad.result()
        with pytest.raises(kv.NotANumber):
            bad.result()
        assert repr(one) == "<Pending INCR done>"


async def test_an_empty_batch_and_a_large_one(face):
    async with face.connect() as client:
        async with client.batch():
            pass
        async with client.batch() as batch:
            counts = [batch.incr("n") for _ in range(10_000)]
        assert [count.result() for count in counts] == list(range(1, 10_001))
        assert client.statistics().open_calls == 0


async def test_a_batch_is_used_once_and_inside_its_block(face):
    async with face.connect() as client:
        batch = client.batch()
        with pytest.raises(RuntimeError, match="use a batch inside its "):
            batch.incr("n")
        async with batch:
            batch.incr("n")
            with pytest.raises(kv.InvalidArgument, match="BLPOP may wait; it cannot be part of a batch"):
                batch._add("BLPOP", (), None, 6, str)
        with pytest.raises(RuntimeError, match="use a batch inside its "):
            batch.incr("n")
        with pytest.raises(RuntimeError, match="a batch is used once"):
            async with batch:
                pass
        assert await client.get("n") == 1


async def test_a_block_that_raises_sends_nothing(face):
    async with face.connect() as client:
        with pytest.raises(LookupError):
            async with client.batch() as batch:
                batch.incr("n")
                raise LookupError
        with pytest.raises(LookupError):
            async with client.transaction() as tx:
                tx.incr("n")
                raise LookupError
        assert await client.exists("n") == 0


async def test_a_transaction_is_all_or_nothing(face):
    async with face.connect() as client:
        await client.mset({"a": 1, "text": "x"})
        async with client.transaction() as tx:
            added, got, many = tx.incr("a"), tx.get("a"), [tx.set(f"k{number}", number) for number in range(100)]
        assert (added.result(), got.result()) == (2, 2)
        assert len({version.result() for version in many}) == 1
        with pytest.raises(kv.NotANumber) as caught:
            async with client.transaction() as tx:
                first, bad = tx.incr("a"), tx.incr("text")
        for pending in (first, bad):
            with pytest.raises(kv.NotANumber):
                pending.result()
        assert caught.value.code == "NOT_NUMBER"
        assert await client.get("a") == 2
        async with client.transaction():
            pass


async def test_a_conflict_lists_the_keys(face):
    async with face.connect() as client:
        version = await client.set("a", 1)
        newer = await client.set("b", 1)
        async with client.transaction() as tx:
            tx.require("a", version=version)
            tx.require("absent", version=0)
            tx.set("c", 1)
        with pytest.raises(kv.TransactionConflict) as caught:
            async with client.transaction() as tx:
                tx.require("a", version=version)
                tx.require("b", version=version)
                tx.require("absent", version=5)
                tx.set("c", 2)
        assert caught.value.code == "TX_CONFLICT"
        assert caught.value.keys == {"b": newer, "absent": 0}
        assert await client.get("c") == 1
        async with client.transaction() as tx:
            with pytest.raises(kv.InvalidArgument, match="a version is an integer from 0"):
                tx.require("a", version=-1)


async def test_a_transaction_may_require_a_lock(face):
    async with face.connect() as client:
        async with client.lock("l") as held:
            async with client.transaction() as tx:
                tx.require_lock(held)
                tx.set("a", 1)
            async with client.transaction() as tx:
                tx.set("a", 2, fence=held.fence)
        with pytest.raises(kv.StaleFence):
            async with client.transaction() as tx:
                tx.require_lock(held)
                tx.set("a", 3)
        assert await client.get("a") == 2


async def test_a_transaction_is_used_once_and_inside_its_block(face):
    async with face.connect() as client:
        tx = client.transaction()
        for use in (lambda: tx.incr("n"), lambda: tx.require("n", version=0)):
            with pytest.raises(RuntimeError, match="use a transaction inside its "):
                use()
        async with tx:
            tx.incr("n")
        with pytest.raises(RuntimeError, match="a transaction is used once"):
            async with tx:
                pass
        assert await client.get("n") == 1


async def test_batches_of_many_tasks_side_by_side(face):
    async def work(client):
        async with client.batch() as batch:
            counts = [batch.incr("n") for _ in range(100)]
        return [count.result() for count in counts]

    async with face.connect() as client:
        async with face.tasks() as tasks:
            works = [tasks.start(work, client) for _ in range(20)]
        numbers = []
        for each in works:
            numbers += await each.result()
        assert sorted(numbers) == list(range(1, 2_001))
