"""A server with a data folder, as its operator sees it: snapshots that are asked for, figures, settings, its end."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import pytest
import trio

import kv_client
from kv_protocol.errors import InvalidArgument
from tests.app.program import Running, running
from tests.redis.client import Connection, Reply

WAIT_S = 20.0


def end(server: Running) -> str:
    server.signal(signal.SIGTERM)
    ended = server.wait()
    assert ended.status == 0
    return ended.err


async def until(client: kv_client.Client, fact: str, least: int) -> dict[str, Any]:
    """INFO persistence, once *fact* is that much."""
    with trio.fail_after(WAIT_S):
        while True:
            figures = (await client.info("persistence"))["persistence"]
            if figures[fact] >= least:
                return figures
            await trio.sleep(0.02)


def test_snapshots_that_are_asked_for_are_there_when_the_answer_comes(tmp_path: Path) -> None:
    folder = tmp_path / "data"

    async def ask(url: str) -> None:
        revisions: list[int] = []

        async def one() -> None:
            revision = await client.snapshot()
            assert (folder / f"snapshot-{revision:016x}.kvsnap").exists()
            revisions.append(revision)

        async with kv_client.connect(url) as client:
            version = await client.set("a", 1)
            async with trio.open_nursery() as nursery:
                for _ in range(10):
                    nursery.start_soon(one)
            assert len(revisions) == 10
            assert min(revisions) >= version
            with trio.move_on_after(0):
                await client.snapshot()
            figures = await until(client, "snapshots", 1)
            assert figures["snapshot_keys"] == 1
            assert figures["snapshots_failed"] == 0
            assert [who.parked for who in await client.clients()] == [0]

    with running("--data-dir", str(folder), "--snapshot-interval", "0") as server:
        assert f"data in {folder}, fsync interval" in server.ready
        trio.run(ask, f"kv://{server.place}")
        end(server)


@pytest.mark.parametrize(
    "rule", [["--snapshot-commits", "50"], ["--snapshot-log", "4096"], ["--snapshot-interval", "1"]]
)
def test_a_snapshot_is_taken_by_itself_when_a_rule_says_so(rule: list[str], tmp_path: Path) -> None:
    async def write(url: str) -> None:
        async with kv_client.connect(url) as client:
            for number in range(60):
                await client.set("key", [number] * 20)
            figures = await until(client, "snapshots", 1)
            assert figures["changes_since_snapshot"] < 60

    words = [word for other in ("interval", "commits", "log") for word in (f"--snapshot-{other}", "0")]
    with running("--data-dir", str(tmp_path / "data"), *words, *rule) as server:
        trio.run(write, f"kv://{server.place}")
        end(server)


def test_the_figures_of_a_restart_say_what_was_read(tmp_path: Path) -> None:
    words = "--data-dir", str(tmp_path / "data"), "--fsync", "always", "--snapshot-interval", "0"

    async def write(url: str) -> None:
        async with kv_client.connect(url) as client:
            await client.mset({"a": 1, "b": 2})
            await client.snapshot()
            await client.set("c", 3)
            await client.delete("a")
            figures = await until(client, "changes_since_snapshot", 2)
            assert figures["revision_synced"] == figures["revision_written"]
            assert (figures["state"], figures["fsync"], figures["kept"]) == ("well", "always", 1)

    async def look(url: str) -> None:
        async with kv_client.connect(url) as client:
            figures = (await client.info("persistence"))["persistence"]
            assert figures["read_keys"] == 2
            assert figures["read_commits"] >= 2
            assert figures["changes_since_snapshot"] >= 2
            assert figures["torn_bytes_cut"] == 0

    with running(*words) as server:
        trio.run(write, f"kv://{server.place}")
        end(server)
    with running(*words) as server:
        trio.run(look, f"kv://{server.place}")
        end(server)


def test_without_a_folder_nothing_can_be_saved_and_everybody_is_told(tmp_path: Path) -> None:
    async def ask(url: str) -> None:
        async with kv_client.connect(url) as client:
            with pytest.raises(InvalidArgument, match="start it with --data-dir"):
                await client.snapshot()
            assert await client.info("persistence") == {"persistence": {"kept": 0}}

    with running() as server:
        assert "memory only" in server.ready
        trio.run(ask, f"kv://{server.place}")
        end(server)


def test_clients_of_redis_see_the_log_as_aof_and_snapshots_as_rdb(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with running("--data-dir", str(folder), "--fsync", "always") as server:
        line = Connection(server.port)
        began = int(time.time())
        assert ask(line, "SET a 1").value == b"OK"
        assert facts(line)["rdb_changes_since_last_save"] == "1"
        assert ask(line, "SAVE").value == b"OK"
        assert ask(line, "LASTSAVE").value >= began - 1
        found = facts(line)
        expected = {
            "loading": "0",
            "aof_enabled": "1",
            "aof_last_write_status": "ok",
            "rdb_saves": "1",
            "rdb_last_bgsave_status": "ok",
            "rdb_bgsave_in_progress": "0",
            "rdb_changes_since_last_save": "0",
        }
        assert {name: found[name] for name in expected} == expected
        assert int(found["rdb_last_save_time"]) == ask(line, "LASTSAVE").value
        settings = {"dir": str(folder), "appendonly": "yes", "appendfsync": "always", "save": "300 1"}
        for name, value in settings.items():
            assert [part.value for part in ask(line, f"CONFIG GET {name}").value] == [name.encode(), value.encode()]
        line.close()
        end(server)


def ask(line: Connection, words: str) -> Reply:
    return line.call(*words.encode().split())


def facts(line: Connection) -> dict[str, str]:
    text = ask(line, "INFO persistence").value.decode()
    return dict(row.split(":", 1) for row in text.splitlines() if ":" in row)
