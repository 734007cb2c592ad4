"""One command of `kv`: what it writes for people, for programs and as JSON, and the status it ends with."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import kv_client.sync
from kv_client.shell import _line
from kv_client.shell._notation import parsed
from kv_client.shell._replies import ABSENT, made, on_screen, piped
from kv_client.shell._table import table
from kv_client.shell._target import target
from kv_protocol.frames import pack
from tests.app.program import running
from tests.shell.conftest import Run

Program = Callable[..., "subprocess.CompletedProcess[bytes]"]
NEVER = {"trio", "asyncio", "rich", "prompt_toolkit", "attr", "attrs", "msgspec", "argparse", "shlex", "ssl", "inspect",
         "dataclasses", "logging", "kv_client._core.session", "kv_client._sync", "kv_client.sync"}  # fmt: skip


# ---- what it does
def test_commands_reach_the_server(kv: Run, client: kv_client.sync.Client) -> None:
    assert kv("set", "user:1", '{"name": "Ada", "born": 1815}', "--ttl", "1h").status == 0
    assert client.get("user:1") == {"name": "Ada", "born": 1815}
    assert 3590 < client.ttl("user:1") <= 3600  # type: ignore[operator]
    assert kv("get", "user:1").out == '{"name": "Ada", "born": 1815}\n'
    assert kv("incr", "visits", "--by", "2").out == "2\n"
    assert kv("hset", "cart", "apples", "2", "pears", "3").out == "2\n"
    assert client.hgetall("cart") == {"apples": 2, "pears": 3}
    assert kv("del", "user:1", "visits", "nothing").out == "2\n"


def test_a_value_keeps_its_class(kv: Run, client: kv_client.sync.Client) -> None:
    values: list[Any] = [
        5,
        5.0,
        "5",
        True,
        None,
        b"\x00\xff",
        Decimal("1.50"),
        datetime(2026, 1, 31, tzinfo=UTC),
        [1, {"a": b""}],
    ]
    for number, value in enumerate(values):
        client.set(f"v{number}", value)
        shown = kv("--json", "get", f"v{number}").out.strip()
        assert kv("set", f"w{number}", shown).status == 0
        back = client.get(f"w{number}")
        assert (back, type(back)) == (value, type(value))


def test_text_is_forced(kv: Run, client: kv_client.sync.Client) -> None:
    kv("set", "a", "5", "--text")
    kv("--text", "set", "b", "true")
    assert (client.get("a"), client.get("b")) == ("5", "true")


def test_bytes_come_from_a_file_or_a_pipe_and_go_there(
    kv: Run, program: Program, client: kv_client.sync.Client, tmp_path: Path
) -> None:
    (tmp_path / "picture").write_bytes(b"\x89PNG\n\xff")
    kv("set", "file", f"@{tmp_path / 'picture'}")
    assert program("set", "pipe", "-", given=b"\xffpiped").returncode == 0
    kv("set", "text", f"@{tmp_path / 'picture'}", "--text")
    assert (client.get("file"), client.get("pipe")) == (b"\x89PNG\n\xff", b"\xffpiped")
    assert client.get("text") is None
    assert program("get", "file").stdout == b"\x89PNG\n\xff"


def test_what_is_dumped_is_restored(kv: Run, program: Program, tmp_path: Path) -> None:
    kv("rpush", "list", "1", "two")
    (tmp_path / "dumped").write_bytes(program("dump", "list").stdout)
    kv("restore", "again", f"@{tmp_path / 'dumped'}")
    assert kv("lrange", "again", "0", "-1").out == '1\n"two"\n'


def test_names_that_are_no_text_go_there_and_back(program: Program) -> None:
    assert program("set", b"\xff\xfe".decode("utf-8", "surrogateescape"), "5").returncode == 0
    assert program("keys", "*").stdout == b"\xff\xfe\n"


def test_a_fence_is_sent(kv: Run, client: kv_client.sync.Client) -> None:
    token = client.acquire_lock("job", ttl=60).token
    assert kv("set", "a", "1", "--fence", "job", str(token)).status == 0
    refused = kv("set", "a", "2", "--fence", "job", str(token + 1))
    assert refused.status == 1
    assert refused.err.startswith("kv: STALE_FENCE: ")


def test_the_namespace_and_the_server_are_chosen(kv: Run, server: str, client: kv_client.sync.Client) -> None:
    kv("-n", "chosen", "set", "a", "1")
    assert client.ns("chosen").get("a") == 1
    assert kv("--url", f"{server}/chosen", "get", "a").out == "1\n"
    assert kv("-u", f"{server}/other", "--namespace=chosen", "get", "a").out == "1\n"


def test_capitals_are_commands_and_small_letters_may_be_tools(kv: Run, client: kv_client.sync.Client) -> None:
    client.set("a", 1)
    assert kv("scan").out == "a\n"
    assert json.loads(kv("SCAN", "0", "--json").out) == {"cursor": 0, "keys": ["a"]}


# ---- status
def test_statuses(kv: Run, program: Program, client: kv_client.sync.Client) -> None:
    client.set("text", "hello")
    assert kv("get", "text").status == 0
    refused = kv("incr", "text")
    assert (refused.status, refused.err) == (1, "kv: NOT_NUMBER: the value is a str, which spells no int\n")
    wrong = kv("gett", "text")
    assert (wrong.status, wrong.err) == (2, "kv: there is no command 'gett'; did you mean GET?\n")
    assert kv("--tiemout", "5", "get", "a").err == "kv: no option is called --tiemout; did you mean --timeout?\n"
    assert kv("--timeout", "never", "ping").status == 2
    assert kv("-u", "http://x", "ping").status == 2
    assert kv("-n").status == 2


def test_nothing_there_is_told_apart_from_null(kv: Run, client: kv_client.sync.Client) -> None:
    client.set("null", None)
    assert kv("get", "null") == (0, "null\n", "")
    assert kv("get", "nothing") == (1, "", "")
    assert kv("get", "nothing", "--json") == (1, "null\n", "")
    assert kv("lpop", "nothing").status == 1
    assert kv("exists", "nothing") == (0, "0\n", "")
    assert kv("hgetall", "nothing") == (0, "", "")


def test_nobody_there_is_status_3(kv: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        silent = kv("--timeout", "0.05", "-u", f"kv://127.0.0.1:{port}", "ping")
    assert (silent.status, silent.err.split(": ")[1]) == (3, "TIMEOUT")
    gone = kv("-u", f"kv://127.0.0.1:{port}", "ping")
    assert gone.status == 3
    assert gone.err == f"kv: CONNECTION_LOST: no connection to kv://127.0.0.1:{port}: Connection refused\n"
    assert kv("-u", "kv://host.invalid", "ping").status == 3
    assert kv("-u", "kv+unix:///nowhere/kv.sock", "ping").status == 3


def test_a_unix_socket_is_a_server_too(kv: Run, tmp_path: Path) -> None:
    with running("--bind", f"unix:{tmp_path}/kv.sock"):
        assert kv("-u", f"kv+unix://{tmp_path}/kv.sock", "ping").out == "PONG\n"


def test_a_reader_that_has_enough_is_no_error(program: Program, url: str) -> None:
    with kv_client.sync.connect(url) as client:
        client.rpush("long", *("x" * 1000 for _ in range(1000)))
    words = [sys.executable, "-m", "kv_client.shell", "-u", url, "lrange", "long", "0", "-1"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert (process.wait(20), process.stderr.read()) == (0, b"")


# ---- who asks
def test_secrets_come_from_the_environment_and_from_files(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret\nmore")
    file = str(tmp_path / "secret")
    assert target({}, {"KV_TOKEN": "t"}).credentials == {"token": "t"}
    assert target({}, {"KV_TOKEN_FILE": file}).credentials == {"token": "s3cret"}
    assert target({}, {"KV_PASSWORD_FILE": file}).credentials == {"password": "s3cret"}
    named = target({}, {"KV_URL": "kv://ada:old@host", "KV_PASSWORD_FILE": file})
    assert named.credentials == {"user": "ada", "password": "s3cret"}
    assert target({"url": "kv://ada:p%40ss@host"}, {}).credentials == {"user": "ada", "password": "p@ss"}


def test_what_is_secret_is_in_no_option_of_a_tool_that_the_prompt_runs(tmp_path: Path) -> None:
    where = target({"url": "kv://ada:secret@host", "timeout": "3"}, {"KV_TOKEN": "other"})
    assert where.words == ("--timeout", "3")


def test_a_secret_file_that_is_not_there_is_told(kv: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KV_TOKEN_FILE", "/nowhere")
    failed = kv("ping")
    assert failed.status == 2
    assert "KV_TOKEN_FILE: /nowhere cannot be read" in failed.err


def test_hello_says_who_asks(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[Any] = []

    def listened(message: Any) -> bytes:
        said.append(message)
        return pack([1, "NOTHING", []])

    monkeypatch.setattr(_line, "pack", listened)
    with pytest.raises(kv_client.sync.KvError):
        _line.Line(target({"url": server, "namespace": "n"}, {"KV_TOKEN": "t"}))
    assert said[0][3] == {"namespace": "n", "token": b"t", "client": "kv"}


# ---- how replies look
SCREENS: list[tuple[str, Any, list[str]]] = [
    ("GET", "5", ['"5"']),
    ("GET", 5, ["5"]),
    ("GET", ABSENT, ["(nil)"]),
    ("RENAME", None, ["OK"]),
    ("SMEMBERS", [], ["(empty)"]),
    ("SMEMBERS", ["plain", "a b", "\udcff", "\x1b[m"], ["1) plain", '2) "a b"', '3) "\\udcff"', '4) "\\u001b[m"']),
    ("MGET", ["a", ABSENT, None], ['1) "a"', "2) (nil)", "3) null"]),
    ("HGETALL", {"a": 1, "bc": "x"}, ["a   1", 'bc  "x"']),
    ("INFO", {"one": {"a": 1}, "two": {"b": "x"}}, ["# one", "a  1", "", "# two", "b  x"]),
    ("ZRANGE", [{"score": 1.5, "member": "a"}], ["score  member", "1.5    a"]),
    ("GETENTRY", {"value": "x", "version": 7, "ttl": ABSENT}, ['value    "x"', "version  7", "ttl      (nil)"]),
    ("TTL", 1.5, ["1.5"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "reply", "lines"), SCREENS, ids=lambda each: str(each)[:20])
def test_on_a_screen(name: str, reply: Any, lines: list[str]) -> None:
    assert on_screen(table()[name]["reply"], reply) == lines


PIPES: list[tuple[str, Any, list[str]]] = [
    ("GET", "a\tb", ["a\tb"]),
    ("GET", ABSENT, []),
    ("RENAME", None, []),
    ("LRANGE", ["a", 5], ['"a"', "5"]),
    ("HGETALL", {"a": "x"}, ['a\t"x"']),
    ("ZRANGE", [{"score": 1.5, "member": "a b"}], ["1.5\ta b"]),
    ("INFO", {"one": {"a": 1}}, ["one.a\t1"]),
]


@pytest.mark.parametrize(("name", "reply", "lines"), PIPES, ids=lambda each: str(each)[:20])
def test_in_a_pipe(name: str, reply: Any, lines: list[str]) -> None:
    assert piped(table()[name]["reply"], reply) == lines


def test_every_reply_has_a_form_that_is_known(kv: Run) -> None:
    def check(form: Any) -> None:
        if isinstance(form, dict):
            ((kind, parts),) = form.items()
            assert kind in ("maybe", "list", "map", "record", "tuple")
            for part in parts.values() if kind == "record" else parts if kind == "tuple" else [parts]:
                check(part)
        else:
            assert form in ("name", "value", "seconds", "moment", "plain", "nothing")

    for row in table().values():
        check(row["reply"])
    with pytest.raises(ValueError, match="unknown form"):
        made("other", 5)


def test_json_has_one_document_for_each_reply(kv: Run, client: kv_client.sync.Client) -> None:
    client.zadd("z", {"a": 1.5})
    client.xadd("s", {"f": Decimal("1.0")}, id="1-0")
    client.set("k", "v", ttl=100)
    assert json.loads(kv("zrange", "z", "0", "-1", "--json").out) == [{"score": 1.5, "member": "a"}]
    assert parsed(kv("--json", "xrange", "s", "-", "+").out) == [{"id": "1-0", "fields": {"f": Decimal("1.0")}}]
    entry = json.loads(kv("--json", "getentry", "k").out)
    assert entry["value"] == "v"
    assert 99 < entry["ttl"] <= 100
    assert json.loads(kv("--json", "ping").out) == "PONG"
    assert json.loads(kv("--json", "rename", "k", "l").out) is None
    assert json.loads(kv("--json", "mget", "l", "nothing").out) == ["v", None]
    assert "engine" in json.loads(kv("--json", "info").out)


# ---- lines from a pipe
def test_commands_come_through_a_pipe(program: Program, client: kv_client.sync.Client) -> None:
    given = b"set a 1 # one\n\nincr a --by 2\nuse other\nset b '\"x y\"'\nget b\n"
    done = program(given=given)
    assert (done.returncode, done.stderr) == (0, b"")
    entry = client.ns("other").get_entry("b")
    assert entry is not None
    assert done.stdout.splitlines()[1:] == [b"3", str(entry.version).encode(), b"x y"]


def test_a_line_that_fails_is_told_with_its_number_and_the_rest_is_done(program: Program) -> None:
    done = program(given=b"set a text\nincr a\ngett a\nget 'a\nset b -\nget nothing\nget a\n")
    assert done.returncode == 1
    assert done.stdout.splitlines()[1:] == [b"text"]
    assert [line.split(b": ")[1] for line in done.stderr.splitlines()] == [b"line 2", b"line 3", b"line 4", b"line 5"]


def test_lines_may_hold_any_bytes(program: Program) -> None:
    done = program(given=b"set \xff 1\nexists \xff\n")
    assert (done.returncode, done.stdout.splitlines()[1:]) == (0, [b"1"])


def test_who_loses_the_server_in_a_pipe_ends_with_status_3(program: Program) -> None:
    assert program("-u", "kv://127.0.0.1:1", given=b"ping\n").returncode == 3


# ---- help
def test_help_is_there_without_a_server(kv: Run) -> None:
    everything = kv("help")
    assert everything.status == 0
    assert "kv help [COMMAND]" in everything.out
    assert "hgetall" in everything.out
    assert "-u, --url URL" in kv("--help").out
    assert kv("help", "hset").out == kv("hset", "--help").out == kv("--help", "HSET").out
    assert "usage: kv client list" in kv("help", "client", "list").out
    assert "xgroup create KEY" in kv("help", "xgroup").out
    assert "lpush KEY" in kv("help", "list").out
    assert kv("help", "hsett").err == "kv: there is no command 'hsett'; did you mean HSET?\n"
    assert kv("--version").out.startswith("kv 0.")


# ---- what one command costs
def test_one_command_imports_little(url: str) -> None:
    """benchmarks/shell.py measures the time; this holds what it comes of."""
    script = (
        "import sys; from kv_client.shell._program import main; main(sys.argv[1:]); "
        f"print(sorted(set(sys.modules) & {NEVER!r}), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", script, "-u", url, "set", "a", "1"],
        capture_output=True,
        env={"PYTHONPATH": ":".join(path for path in sys.path if path)},
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == "[]\n"
