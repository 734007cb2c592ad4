"""SIGTERM loses nothing in any mode, also under load; and what is kept over a restart beside the keys: time, locks,
sessions.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import trio

import kv_client
from kv_protocol.errors import LockHeld
from tests.faults.crowd import Crowd, plain
from tests.faults.durable import keeping
from tests.redis.client import Connection

QUIET = "--log-level", "error"


@pytest.mark.parametrize("fsync", ["always", "interval", "never"])
async def test_sigterm_under_load_ends_well_and_loses_nothing(tmp_path: Path, fsync: str) -> None:
    with keeping(tmp_path / "data", "--fsync", fsync, *QUIET) as keeper:
        crowd = Crowd(keeper, stopping=True)
        await keeper.start_soon()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(crowd.write)
            while crowd.acked < 1_000:
                await trio.sleep(0.005)
            status, seconds = await trio.to_thread.run_sync(keeper.stop)
            nursery.cancel_scope.cancel()
        assert status == 0
        assert seconds < 5
        await keeper.start_soon()
        assert await crowd.check() == 0


async def test_deadlines_that_passed_while_the_server_was_down_are_kept(tmp_path: Path) -> None:
    def ask(*words: str) -> Any:
        connection = Connection(keeper.port)
        try:
            return plain(connection.call(*(word.encode() for word in words)))
        finally:
            connection.close()

    with keeping(tmp_path / "data", "--fsync", "never", *QUIET) as keeper:
        keeper.start()
        ask("SET", "short", "1", "PX", "300")
        ask("SADD", "collection", "1")
        ask("PEXPIRE", "collection", "300")
        ask("SET", "long", "1", "PX", "600000")
        due = ask("PEXPIRETIME", "long")
        for snapshot in (False, True):
            if snapshot:
                assert ask("SAVE") == "OK"
            keeper.kill()
            keeper.wait()
            time.sleep(0.4)
            keeper.start()
            assert ask("EXISTS", "short", "collection") == 0
            assert ask("DBSIZE") == 1
            assert ask("PEXPIRETIME", "long") == due
            assert 590_000 < ask("PTTL", "long") < 600_000 - 400
        keeper.kill()
        keeper.wait()
        keeper.start()
        assert ask("DBSIZE") == 1, "an expired key came back"


async def test_locks_keep_their_holder_their_token_and_what_is_left_of_their_lease(tmp_path: Path) -> None:
    with keeping(tmp_path / "data", "--fsync", "never", *QUIET) as keeper:
        keeper.start()
        async with kv_client.connect(keeper.url(), name="holder", timeout=20) as client:
            async with client.lock("mine", ttl=60, renew=False) as held:
                (before,) = await client.locks()
                keeper.kill()
                keeper.wait()
                await keeper.start_soon()
                (after,) = await client.locks()
                assert (after.lock, after.token, after.owner) == ("mine", held.token, "holder")
                assert 50_000 < after.remaining <= before.remaining
                await client.set("guarded", 1, fence=held)
                async with kv_client.connect(keeper.url(), timeout=20) as other:
                    with pytest.raises(LockHeld):
                        async with other.lock("mine", wait=0):
                            pass
            assert not await client.locks()
        tokens = [held.token]
        for _ in range(3):
            async with kv_client.connect(keeper.url(), timeout=20) as client:
                async with client.lock("mine", ttl=60) as held:
                    tokens.append(held.token)
            keeper.kill()
            keeper.wait()
            await keeper.start_soon()
        assert tokens == sorted(set(tokens))
        async with kv_client.connect(keeper.url(), timeout=20) as client:
            assert not await client.locks(), "a lock that was given back is held again"


async def test_a_session_goes_on_after_a_crash_with_its_answers(tmp_path: Path) -> None:
    with keeping(tmp_path / "data", "--fsync", "interval", *QUIET) as keeper:
        keeper.start()
        async with kv_client.connect(keeper.url(), timeout=20) as client:
            version, session = await client.set("key", 1), client.statistics().session
            for count in range(3):
                keeper.kill()
                keeper.wait()
                await keeper.start_soon()
                before, version = version, await client.set("key", 1)
                assert version > before
                assert client.statistics().connections == count + 2
                assert client.statistics().session == session
