"""The tools of `kv` against a server: what they find, count and measure, and the status they end with."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

import kv_client.sync
from kv_client.shell._bench import TESTS
from kv_client.shell._figures import Figures
from kv_client.shell._flags import seconds_of, shown_bytes, shown_ms
from kv_client.shell._line import Line
from kv_client.shell._target import target
from kv_client.shell._toolbox import TOOLS
from kv_client.shell._top import Look, Tally, picture
from tests.shell.conftest import Run


@pytest.fixture
def keys(client: kv_client.sync.Client) -> dict[str, Any]:
    client.mset({f"user:{number}": "x" * number for number in range(300)})
    client.hset("cart", {f"field{number}": "y" * 50 for number in range(200)})
    client.rpush("list", *range(10))
    return {"user:": 300, "cart": 1, "list": 1}


# ---- keys
def test_scan_writes_every_key_once(kv: Run, keys: dict[str, Any]) -> None:
    found = kv("scan", "--page", "50").out.splitlines()
    assert sorted(found) == sorted([*(f"user:{number}" for number in range(300)), "cart", "list"])
    assert len(kv("scan", "user:*").out.splitlines()) == 300
    assert kv("scan", "--type", "hash").out == "cart\n"
    assert len(kv("scan", "--count", "7", "--page", "5").out.splitlines()) == 7
    assert json.loads(kv("--json", "scan", "car?").out) == "cart"
    assert kv("scan", "nothing*") == (0, "", "")


def test_bigkeys_names_the_largest(kv: Run, keys: dict[str, Any]) -> None:
    found = json.loads(kv("bigkeys", "--json", "--top", "3").out)
    assert list(found["types"]) == sorted(found["types"], key=lambda kind: -found["types"][kind]["bytes"])
    assert found["types"]["str"]["keys"] == 300
    assert found["types"]["str"]["largest"] == "user:299"
    assert found["types"]["list"] == {"keys": 1, "bytes": found["types"]["list"]["bytes"], "largest": "list"}
    assert found["largest"][0]["key"] == "cart"
    assert found["largest"][0]["bytes"] > 200 * 50
    assert len(found["largest"]) == 3
    shown = kv("bigkeys", "--match", "user:*").out
    assert "user:299" in shown
    assert "cart" not in shown
    assert kv("-n", "empty", "bigkeys").out == "(no keys)\n"


def test_memory_usage_is_a_command(kv: Run, client: kv_client.sync.Client) -> None:
    client.set("small", 1)
    client.set("large", "x" * 10_000)
    assert int(kv("memory", "usage", "large").out) - int(kv("memory", "usage", "small").out) >= 9_000
    assert kv("memory", "usage", "nothing").status == 1


# ---- figures
def test_stat_writes_a_line_each_time(kv: Run) -> None:
    lines = kv("stat", "--count", "2", "--interval", "0.05").out.splitlines()
    assert lines[0].split()[:2] == ["calls/s", "in/s"]
    assert len(lines) == 3
    rows = [json.loads(line) for line in kv("stat", "--json", "--count", "3", "--interval", "0.05").out.splitlines()]
    assert len(rows) == 3
    assert all(row["calls_per_s"] > 0 and row["memory"] > 0 and row["clients"] >= 1 for row in rows)


def test_latency_measures_round_trips(kv: Run) -> None:
    said = json.loads(kv("latency", "--json", "--count", "20", "--interval", "0.001").out)
    assert said["trips"] == 20
    assert 0 < said["min_ms"] <= said["p50_ms"] <= said["p99_ms"] <= said["max_ms"]
    assert "(5 round trips)" in kv("latency", "--count", "5", "--interval", "0.001").out


def test_health_is_a_status(kv: Run, server: str) -> None:
    assert kv("health").status == 0
    assert json.loads(kv("health", "--json").out)["ok"] is True
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    gone = kv("-u", f"kv://127.0.0.1:{port}", "health", "--json")
    assert gone.status == 3
    assert json.loads(gone.out) == {"ok": False, "server": f"kv://127.0.0.1:{port}", "code": "CONNECTION_LOST"}


# ---- locks
def test_locks_are_listed_and_broken(kv: Run, client: kv_client.sync.Client) -> None:
    assert kv("locks") == (0, "(no locks)\n", "")
    client.acquire_lock("invoice:7", ttl=60)
    client.acquire_lock("reader", ttl=60, shared=True)
    client.acquire_lock("pool", ttl=60, limit=3)
    heading, *rows = [line.split() for line in kv("locks").out.splitlines()]
    assert heading[:3] == ["lock", "kind", "owner"]
    assert sorted((row[0], row[1]) for row in rows) == [("invoice:7", "alone"), ("pool", "1"), ("reader", "shared")]
    refused = kv("locks", "--break", "invoice:7")
    assert refused.status == 2
    assert "--force" in refused.err
    assert kv("locks", "--break", "invoice:7", "--force") == (0, "broken\n", "")
    assert kv("locks", "--break", "invoice:7", "--force") == (1, "nobody held it\n", "")
    left = [json.loads(line) for line in kv("locks", "--json").out.splitlines()]
    assert {lock["lock"] for lock in left} == {"reader", "pool"}


# ---- monitor
@pytest.fixture
def watching(url: str) -> Iterator[subprocess.Popen[str]]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith("KV_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "kv_client.shell", "-u", url, "monitor"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=kept,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_monitor_shows_calls_as_they_come(watching: subprocess.Popen[str], client: kv_client.sync.Client) -> None:
    assert watching.stdout is not None
    while not _readable(watching):
        client.set("watched", "a b")
    assert re.search(r"test_monitor_shows\S* \S+\] SET watched ", watching.stdout.readline())
    watching.send_signal(signal.SIGINT)
    assert watching.wait(20) == 130


def test_monitor_grants_more_when_it_has_read(server: str, client: kv_client.sync.Client) -> None:
    """More calls than one window holds are all shown."""
    with Line(target({"url": server}, {})) as line:
        events = line.events("MONITOR", 8)
        assert next(events)[0] == "open"
        shown = []
        for number in range(50):
            client.set(f"key:{number}", 1)
            while (event := next(events))[0] != "call" or "SET" not in event[6][0].upper():
                pass
            shown.append(event[6][1])
        assert shown == [f"key:{number}" for number in range(50)]


def _readable(process: subprocess.Popen[str]) -> bool:
    import select

    assert process.stdout is not None
    return bool(select.select([process.stdout], [], [], 0.02)[0])


# ---- load
def test_bench_runs_every_test_and_leaves_nothing(kv: Run, client: kv_client.sync.Client) -> None:
    client.set("mine", 1)
    done = kv("bench", "-n", "60", "-c", "7", "-r", "10", "-d", "5", "-t", ",".join(TESTS), "--json")
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert done.status == 0
    assert [row["test"] for row in rows] == list(TESTS)
    for row in rows:
        assert row["calls"] == 60
        assert row["calls_per_s"] > 0
        assert row["p50_ms"] <= row["p95_ms"] <= row["p99_ms"] <= row["max_ms"]
    assert list(client.keys()) == ["mine"]


def test_bench_sends_batches_and_writes_csv(kv: Run) -> None:
    done = kv("bench", "-n", "105", "-c", "2", "-P", "10", "-t", "set,get", "--csv")
    rows = list(csv.DictReader(done.out.splitlines()))
    assert [(row["test"], row["calls"]) for row in rows] == [("set", "105"), ("get", "105")]


def test_bench_tells_what_is_wrong(kv: Run, client: kv_client.sync.Client) -> None:
    assert kv("bench", "-t", "sett").err == "kv: bench has no test 'sett'; did you mean set?\n"
    client.set("bench:list", 1)
    failed = kv("bench", "-n", "10", "-t", "lpush")
    assert (failed.status, failed.err.split(": ")[1]) == (1, "WRONG_TYPE")


# ---- use
@pytest.mark.parametrize("tool", TOOLS)
def test_every_tool_has_help_and_refuses_other_options(kv: Run, tool: str) -> None:
    shown = kv(tool, "--help")
    assert shown.status == 0
    assert shown.out.startswith(f"usage: kv {tool}")
    assert kv("help", tool).out == shown.out
    wrong = kv(tool, "--nonsense")
    assert (wrong.status, wrong.out) == (2, "")


def test_top_needs_a_terminal(kv: Run) -> None:
    refused = kv("top")
    assert refused.status == 2
    assert "kv stat" in refused.err


@pytest.mark.parametrize(("width", "height"), [(80, 24), (40, 10), (200, 60), (20, 3)])
def test_a_picture_fits_whatever_there_is(width: int, height: int) -> None:
    said = {"engine": {"calls": 100, "keys": 5}, "clock": {"uptime_ms": 90_061_000}, "process": {"memory": 5 << 20}}
    spaces = [
        {"namespace": f"n{number}", "keys": number, "expiring": 0, "locks": 0, "bytes": 1} for number in range(50)
    ]
    locks = [{"lock": f"l{number}", "owner": "o", "age": 1, "waiters": 0} for number in range(50)]
    commands = {f"c{number}": Tally(number, number * 10, {8: number}) for number in range(1, 50)}
    before = Look(Figures(0.0, {"engine": {"calls": 0}}), {}, [], [])
    lines = picture("kv://host:1", Look(Figures(2.0, said), commands, spaces, locks), before, height, width)
    assert len(lines) <= height
    assert "up 1d01h" in lines[0]
    if height >= 24:
        assert {"COMMAND", "NAMESPACE", "LOCK"} <= {line.split()[0] for line in lines if line}
        assert "50" in lines[1]


def test_numbers_are_shown_short() -> None:
    assert [shown_bytes(number) for number in (0, 1023, 1536, 5 << 30)] == ["0 B", "1023 B", "1.5 KiB", "5.0 GiB"]
    assert [shown_ms(ms) for ms in (0, 1500, 125_000, 11_400_000, 187_200_000)] == [
        "0.0s",
        "1.5s",
        "2m05s",
        "3h10m",
        "2d04h",
    ]
    assert [seconds_of([1.0, 2.0, 3.0, 4.0], share) for share in (0, 0.5, 0.99, 1)] == [1.0, 3.0, 4.0, 4.0]
