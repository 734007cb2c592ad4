"""The log of the program: one event a line, text or JSON, whatever it is about, and never what clients sent."""

from __future__ import annotations

import json
import logging
import re
import signal
import socket
from contextlib import closing
from pathlib import Path

import pytest

import kv_client.sync
from kv_protocol.errors import KvError
from kv_server.app.logs import FORMATS
from kv_server.surfaces.events import events_of
from tests.app.program import running
from tests.app.test_http import get, http_port
from tests.redis.client import Connection

SECRET = "planted-secret"
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (DEBUG|INFO|WARNING|ERROR|CRITICAL) kv\.\w+ \S")


@pytest.fixture
def records() -> list[logging.LogRecord]:
    """What was logged as `kv.test` since."""
    kept: list[logging.LogRecord] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            kept.append(record)

    logger = logging.getLogger("kv.test")
    logger.handlers[:] = [Kept()]
    logger.setLevel("INFO")
    logger.propagate = False
    return kept


def test_an_event_is_one_line_of_words_and_fields(records: list[logging.LogRecord]) -> None:
    events_of("kv.test").warning("it went wrong", reason="no space left", bytes=5, whole=False)
    line = FORMATS["text"]().format(records[0])
    assert LINE.match(line) and line.endswith(
        'WARNING kv.test it went wrong reason="no space left" bytes=5 whole=false'
    )
    said = json.loads(FORMATS["json"]().format(records[0]))
    assert said.pop("time") == line[:24]
    assert said == {
        "level": "warning", "logger": "kv.test", "event": "it went wrong",
        "reason": "no space left", "bytes": 5, "whole": False,
    }  # fmt: skip


@pytest.mark.parametrize("text", ["a\nb", "a\r\nb", "\x1b[31mred", "\u2028", "\ud800", 'a"b', "a\\b", "ä"], ids=ascii)
def test_nothing_breaks_a_line(text: str) -> None:
    said = {"name": "kv.test", "levelname": "ERROR", "msg": f"words field={text}", "words": "words"}
    record = logging.makeLogRecord({**said, "fields": {"field": text}})
    assert FORMATS["text"]().format(record).isprintable()
    line = FORMATS["json"]().format(record)
    assert line.isprintable() and json.loads(line)["field"] == text


def test_words_are_no_template(records: list[logging.LogRecord]) -> None:
    events_of("kv.test").error("100 %d {}", field="%s {}")
    assert FORMATS["text"]().format(records[0]).endswith('100 %d {} field="%s {}"')


def test_what_is_below_the_level_is_not_made(records: list[logging.LogRecord]) -> None:
    class Dear:
        def __str__(self) -> str:
            raise AssertionError("nobody reads it")

    events_of("kv.test").debug("words", field=Dear())
    assert not records


@pytest.mark.parametrize("form", ["text", "json"])
def test_secrets_are_in_no_line_and_no_metric(tmp_path: Path, form: str) -> None:
    """Keys, values, fields, names of locks and channels, wrong calls, wrong bytes, through both doors."""
    words = ("--log-format", form, "--log-level", "debug", "--http", "127.0.0.1:0")
    with running(*words, "--data-dir", str(tmp_path / "data")) as server:
        with kv_client.sync.connect(f"kv://{server.place}/0", name="tester") as client:
            client.set(SECRET, SECRET)
            client.hset(SECRET + "h", {SECRET: SECRET})
            for wrong in (client.incr, client.hgetall, client.llen):
                with pytest.raises(KvError):
                    wrong(SECRET)
            with client.lock(SECRET):
                client.publish(SECRET, SECRET)
        for line in (
            f"SET {SECRET} {SECRET}", f"{SECRET} {SECRET}", f"AUTH {SECRET}", f"AUTH {SECRET} {SECRET}",
            f"CONFIG SET requirepass {SECRET}", f"HELLO 3 AUTH {SECRET} {SECRET}", f"EVAL {SECRET} 0",
            f"GET {SECRET} HTTP/1.1", f'SET "{SECRET}', f"*1\r\n${SECRET}", f"*{SECRET}", f"DEBUG {SECRET}", "BGSAVE",
        ):  # fmt: skip
            with closing(socket.create_connection(("127.0.0.1", server.port), timeout=20)) as sock:
                sock.sendall(line.encode() + b"\r\n")
                sock.recv(4096)
        port = http_port(server.ready)
        for path in ("/metrics", "/ready", "/health", f"/{SECRET}"):
            assert SECRET not in get(port, path, {"Authorization": SECRET, "X": SECRET})[1]
        server.signal(signal.SIGTERM)
        ended = server.wait()
    lines = ended.err.splitlines()
    assert ended.status == 0 and len(lines) >= 4
    assert SECRET not in ended.err and SECRET not in ended.out
    for line in lines:
        if form == "json":
            assert {"time", "level", "logger", "event"} <= json.loads(line).keys()
        else:
            assert LINE.match(line), line


def test_a_stderr_that_nobody_reads_stops_nobody(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("s:cret")
    password.chmod(0o600)
    with running("--password-file", str(password)) as server:
        line = Connection(server.port)
        for _ in range(2_000):  # each is a line, and the pipe takes 64 KiB of them
            assert line.call(b"AUTH", b"s:cret").value == b"OK"
        line.close()
        server.signal(signal.SIGTERM)
        ended = server.wait()
        assert ended.status == 0 and ended.err.count(" login ") > 100
