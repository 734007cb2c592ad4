"""Metrics, health and readiness over HTTP: what they say, of a real server, and to whom."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as plain_metrics

import kv_client.sync
from tests.app.program import Running, running
from tests.faults.durable import Keeper, keeping

HOST = "127.0.0.1"
OPEN_METRICS = "application/openmetrics-text; version=1.0.0"
SECRET = "planted-secret"
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def http_port(ready: str) -> int:
    found = re.search(r", http on 127\.0\.0\.1:(\d+)\)", ready)
    assert found is not None, ready
    return int(found[1])


@contextmanager
def observed(*words: str, **variables: str) -> Iterator[tuple[Running, int]]:
    """A server, and where it serves HTTP."""
    with running("--http", "127.0.0.1:0", *words, **variables) as server:
        yield server, http_port(server.ready)


def get(
    port: int, path: str, headers: dict[str, str] | None = None, method: str = "GET"
) -> tuple[http.client.HTTPResponse, str]:
    with closing(http.client.HTTPConnection(HOST, port, timeout=20)) as line:
        line.request(method, path, headers=headers or {})
        answer = line.getresponse()
        return answer, answer.read().decode()


def facts(port: int, path: str) -> tuple[int, dict[str, Any]]:
    answer, body = get(port, path)
    assert body.count("\n") == 1
    return answer.status, json.loads(body)


def samples(port: int) -> Samples:
    """Every sample by name and labels, in both formats, which must agree in names."""
    answer, text = get(port, "/metrics")
    assert answer.status == 200 and answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    found = check(plain_metrics(text))
    answer, text = get(port, "/metrics", {"accept": OPEN_METRICS})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert text.endswith("# EOF\n") and text.count("# EOF") == 1
    assert {name for name, _ in check(open_metrics(text))} == {name for name, _ in found}
    return found


def check(families: Iterable[Any]) -> Samples:
    """The samples of *families*, which keep the rules for names, units and help."""
    found: Samples = {}
    names = set()
    for family in families:
        assert family.name not in names, f"{family.name} comes twice"
        names.add(family.name)
        assert re.fullmatch(r"kv_[a-z0-9_]+", family.name) and len(family.documentation) > 5
        assert not re.search(r"_(ms|us|milliseconds|kib|mib|count|sum|bucket)$", family.name)
        assert ("total" in family.name) <= (family.type == "counter")
        for sample in family.samples:
            assert not (family.type == "gauge" and sample.name.endswith("_total"))
            key = sample.name, tuple(sorted(sample.labels.items()))
            assert key not in found, f"{key} comes twice"
            found[key] = sample.value
    return found


def labels(found: Samples, name: str, label: str) -> dict[str, float]:
    return {dict(pairs)[label]: value for (each, pairs), value in found.items() if each == name}


# ---- what it says
def test_metrics_tell_what_was_done_through_both_doors() -> None:
    with observed() as (server, port):
        before = samples(port)
        with kv_client.sync.connect(f"kv://{server.place}/shop") as client:
            for number in range(50):
                client.set(f"{SECRET} {number}", SECRET, ttl=600)
            for number in range(30):
                client.get(f"{SECRET} {number}")
            with pytest.raises(Exception, match="int"):
                client.incr(f"{SECRET} 1")
            with client.lock(SECRET), closing(socket.create_connection((HOST, server.port))) as line:
                line.sendall(b"INCR counter\r\n" * 20 + b"HGET counter x\r\n")
                said = b""
                while b"WRONGTYPE" not in said:
                    said += line.recv(4096)
                after = samples(port)
        value = lambda name: after[name, ()] - before.get((name, ()), 0.0)  # noqa: E731
        assert value("kv_calls_total") >= 101 and value("kv_keys") == 51 and value("kv_expiring_keys") == 50
        assert value("kv_connections") == 2 and value("kv_connections_accepted_total") == 2
        assert value("kv_received_bytes_total") > 1_000 and value("kv_sent_bytes_total") > 1_000
        assert value("kv_locks") == 1 and after["kv_writable", ()] == 1
        assert after["kv_memory_resident_bytes", ()] > after["kv_memory_accounted_bytes", ()] > 0
        assert abs(after["kv_start_time_seconds", ()] - time.time()) < 120
        assert labels(after, "kv_namespace_keys", "namespace") == {"shop": 50, "0": 1}
        assert labels(after, "kv_namespace_locks", "namespace") == {"shop": 1, "0": 0}
        calls = labels(after, "kv_command_calls_total", "command")
        assert calls["set"] >= 50 and calls["get"] >= 30 and calls["incr"] >= 20
        assert labels(after, "kv_command_failures_total", "command")["hget"] >= 1
        assert labels(after, "kv_errors_total", "code")["WRONG_TYPE"] >= 1
        for name in calls:
            buckets = [
                (float(dict(pairs)["le"]), count)
                for (each, pairs), count in after.items()
                if each == "kv_command_duration_seconds_bucket" and dict(pairs)["command"] == name
            ]
            counts = [count for _, count in sorted(buckets)]
            assert counts == sorted(counts) and counts[-1] == calls[name] and len(counts) > 8
        assert SECRET not in get(port, "/metrics")[1]


def test_metrics_are_whole_while_there_is_load() -> None:
    with observed() as (server, port):
        done = threading.Event()

        def load(number: int) -> None:
            with kv_client.sync.connect(f"kv://{server.place}/load{number}") as client:
                while not done.is_set():
                    for at in range(50):
                        client.set(f"{at}", at)

        threads = [threading.Thread(target=load, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        last = 0.0
        for _ in range(10):
            now = samples(port)["kv_calls_total", ()]
            assert now >= last
            last = now
        done.set()
        for thread in threads:
            thread.join()
        assert last > 0


def test_of_many_namespaces_the_largest_are_named_and_strange_names_escaped() -> None:
    strange = ['a"b', "c\\d", "e\nf", "g{h}=,i", "other"]
    with observed() as (server, port):
        with kv_client.sync.connect(f"kv://{server.place}/0") as client:
            for number in range(150):
                client.ns(f"many{number}").set("a", 1)
            for name in strange:
                space = client.ns(name)
                space.set("a", 1)
                space.set("b", 1)
        with closing(socket.create_connection((HOST, server.port))) as line:
            line.sendall(b"*2\r\n$6\r\nSELECT\r\n$2\r\n\xff\xfe\r\nSET a 1\r\nSET b 1\r\n")
            said = b""
            while said.count(b"+OK\r\n") < 3:
                said += line.recv(100)
            found = labels(samples(port), "kv_namespace_keys", "namespace")
        assert len(found) <= 101
        assert sum(found.values()) == 150 + 2 * len(strange) + 2
        assert {name: found[name] for name in strange if name != "other"} == {
            name: 2 for name in strange if name != "other"
        }
        assert found["\\xff\\xfe"] == 2
        assert found["other"] > 2


def test_health_and_readiness_are_facts_in_one_line() -> None:
    with observed() as (_, port):
        status, said = facts(port, "/health")
        assert status == 200 and said["alive"] is True and said["uptime_seconds"] >= 0
        status, said = facts(port, "/ready")
        assert status == 200
        assert said == said | {"ready": True, "reason": "", "loading": False, "draining": False, "writable": True}
        assert 0 <= said["loop_lag_seconds"] < 1


# ---- when it is not ready
def stored(folder: Path, keys: int) -> None:
    with keeping(folder) as keeper:
        keeper.start()
        with kv_client.sync.connect(keeper.url()) as client:
            for start in range(0, keys, 1_000):
                with client.batch() as batch:
                    for number in range(start, start + 1_000):
                        batch.set(f"{number}", "x" * 50)
        keeper.stop()


def test_it_is_not_ready_while_it_reads_its_data(tmp_path: Path) -> None:
    stored(tmp_path / "data", 60_000)
    keeper = Keeper(tmp_path / "data", "--http", f"{HOST}:{(port := free())}")
    process = keeper.launch()
    try:
        seen = []
        while True:
            try:
                status, said = facts(port, "/ready")
            except ConnectionError:
                assert process.poll() is None
                continue
            seen.append((status, said))
            if status == 200:
                break
        assert seen[0][0] == 503 and seen[0][1]["loading"] is True and seen[0][1]["writable"] is False
        assert "reading its data" in seen[0][1]["reason"]
        assert facts(port, "/health")[0] == 200
        keeper.wait_ready()
        assert samples(port)["kv_keys", ()] == 60_000
    finally:
        keeper.kill()
        keeper.wait()


def free() -> int:
    with socket.create_server((HOST, 0)) as sock:
        return int(sock.getsockname()[1])


def test_it_is_not_ready_while_the_disk_takes_no_writes(tmp_path: Path) -> None:
    order = tmp_path / "order"
    words = ("--fsync", "always", "--http", f"{HOST}:{(port := free())}")
    with keeping(tmp_path / "data", *words, through=("breaker.py", str(order))) as keeper:
        keeper.start()
        assert samples(port)["kv_disk_well", ()] == 1 and facts(port, "/ready")[0] == 200
        order.write_text("write ENOSPC\nreserve ENOSPC")
        with kv_client.sync.connect(keeper.url()) as client:
            with pytest.raises(Exception, match="disk"):
                for number in range(100):
                    client.set(f"{SECRET} {number}", "x" * 1_000_000)
            status, said = facts(port, "/ready")
            assert status == 503 and said["writable"] is False and not said["loading"]
            assert "disk" in said["reason"] and SECRET not in said["reason"]
            found = samples(port)
            assert found["kv_disk_well", ()] == 0 and found["kv_writable", ()] == 0 and found["kv_persistent", ()] == 1
            assert facts(port, "/health")[0] == 200
        order.unlink()
        while facts(port, "/ready")[0] != 200:
            pass


def test_it_is_not_ready_while_it_drains() -> None:
    with observed("--drain-timeout", "30s") as (server, port):
        with closing(socket.create_connection((HOST, server.port))) as line:
            line.sendall(b"SET big %b\r\n" % (b"x" * 20_000) + b"GET big\r\n" * 2_000)
            line.recv(1)  # and not the rest: the drain waits for it
            server.signal(signal.SIGTERM)
            while (answer := facts(port, "/ready"))[0] == 200:
                pass
            assert answer[1]["draining"] is True and "shutting down" in answer[1]["reason"]
            assert facts(port, "/health")[0] == 200
        assert server.wait().status == 0


# ---- to whom
@pytest.mark.parametrize(
    "method, path, headers, status",
    [
        ("GET", "/", {}, 404),
        ("GET", "/metrics/", {}, 404),
        ("GET", "/../etc/passwd", {}, 404),
        ("GET", f"/{SECRET}", {}, 404),
        ("POST", "/metrics", {}, 405),
        ("DELETE", "/health", {}, 405),
        ("OPTIONS", "/metrics", {"Origin": "http://example.com"}, 403),
        ("GET", "/metrics", {"Origin": "null"}, 403),
        ("GET", "/metrics", {"Host": "example.com"}, 421),
        ("GET", "/metrics", {"Host": "127.0.0.1.example.com"}, 421),
        ("GET", "/metrics", {"Host": "localhost.example.com:7441"}, 421),
        ("GET", "/metrics", {"Host": "[::1"}, 421),
        ("GET", "/metrics", {"Host": ""}, 421),
        ("GET", "/metrics", {"Host": "localhost"}, 200),
        ("GET", "/metrics", {"Host": "localhost:1"}, 200),
        ("GET", "/metrics", {"Host": "127.0.0.1:99"}, 200),
        ("GET", "/metrics", {"Host": "[::1]:7441"}, 200),
        ("HEAD", "/metrics", {}, 200),
        ("GET", "/metrics?name[]=kv_keys", {}, 200),
    ],
)
def test_who_gets_an_answer(shared: int, method: str, path: str, headers: dict[str, str], status: int) -> None:
    answer, body = get(shared, path, headers, method)
    assert answer.status == status
    assert answer.headers["cache-control"] == "no-store" and answer.headers["server"] is None
    assert (body == "") == (method == "HEAD")
    assert SECRET not in body and "Traceback" not in body
    if status >= 400 and body:
        assert list(json.loads(body)) == ["error"]
    assert (answer.headers["allow"] == "GET, HEAD") == (status == 405)


@pytest.fixture(scope="module")
def shared() -> Iterator[int]:
    """A server for questions that leave no trace."""
    with observed() as (_, port):
        yield port


@pytest.mark.parametrize(
    "data, status",
    [
        (b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: %b\r\n\r\n" % (b"x" * 100_000), b"431"),
        (b"GET /%b HTTP/1.1\r\nHost: localhost\r\n\r\n" % (b"x" * 100_000), b"431"),
        (b"GET /metrics HTTP/1.1\r\n\r\n", b"400"),
        (b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: example.com\r\n\r\n", b"400"),
        (b"GET /metrics HTTP/9.9\r\nHost: localhost\r\n\r\n", b""),
        (b"\x00\x01\x02\x03\r\n\r\n", b"400"),
        (b"*1\r\n$4\r\nPING\r\n\r\n", b"400"),
        (b"POST /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\nx", b"405"),
    ],
)
def test_what_is_no_request_ends_its_connection(shared: int, data: bytes, status: bytes) -> None:
    with closing(socket.create_connection((HOST, shared), timeout=20)) as line:
        line.sendall(data)
        said = b""
        with suppress(ConnectionResetError):
            while part := line.recv(65_536):
                said += part
        assert said.split(b" ")[1:2] == ([status] if status else said.split(b" ")[1:2])
        assert b"Traceback" not in said
    assert facts(shared, "/health")[0] == 200


def test_a_websocket_is_not_spoken(shared: int) -> None:
    headers = {
        "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }  # fmt: skip
    assert get(shared, "/metrics", headers)[0].status == 403


def test_many_connections_and_slow_ones_cost_nobody_else_anything() -> None:
    """Beyond the limit they are closed at once; clients of the store notice nothing; and room comes back."""
    with observed() as (server, port), kv_client.sync.connect(f"kv://{server.place}/0") as client:
        crowd = [socket.create_connection((HOST, port), timeout=20) for _ in range(100)]
        for line in crowd:
            with suppress(OSError):
                line.sendall(b"GET /metrics HTTP/1.1\r\n")
        ended = 0
        for line in crowd:
            line.settimeout(0.2)
            try:
                ended += not line.recv(1)
            except ConnectionResetError:
                ended += 1
            except TimeoutError:
                pass
        assert 100 - 64 <= ended < 60
        began = time.perf_counter()
        for number in range(1_000):
            client.set("a", number)
        assert time.perf_counter() - began < 10
        for line in crowd:
            line.close()
        while True:
            try:
                assert facts(port, "/health")[0] == 200
                break
            except (ConnectionError, http.client.HTTPException):
                continue
        server.signal(signal.SIGTERM)
        assert server.wait().status == 0


def test_a_reader_that_does_not_read_holds_up_no_end() -> None:
    with observed() as (server, port):
        with kv_client.sync.connect(f"kv://{server.place}/0") as client:
            for number in range(100):
                client.ns(f"{number}" + "x" * 20_000).set("a", 1)
        lines = []
        for _ in range(8):
            line = socket.socket()
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            line.connect((HOST, port))
            line.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
            lines.append(line)
        assert facts(port, "/health")[0] == 200
        server.signal(signal.SIGTERM)
        ended = server.wait()
        for line in lines:
            line.close()
        assert ended.status == 0 and ended.seconds < 5 and "Traceback" not in ended.err


def test_who_has_gone_takes_no_place(shared: int) -> None:
    for _ in range(200):
        assert facts(shared, "/health")[0] == 200
    for _ in range(200):
        socket.create_connection((HOST, shared)).close()
    assert facts(shared, "/health")[0] == 200


def test_a_connection_serves_one_request_after_the_other(shared: int) -> None:
    with closing(http.client.HTTPConnection(HOST, shared, timeout=20)) as line:
        for _ in range(1_100):
            line.request("GET", "/health")
            assert line.getresponse().read()
