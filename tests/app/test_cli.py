"""The command line: what it prints, and that whatever is wrong ends it with status 2 and one line."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from kv_server import __version__
from kv_server.app.config import SETTINGS
from kv_server.app.kinds import SECRET
from kv_server.app.node import BUILD
from tests.app.program import run


def test_the_version_names_the_build() -> None:
    ended = run("--version")
    assert (ended.status, ended.out, ended.err) == (0, f"kv-server {__version__} ({BUILD} build)\n", "")


def test_help_lists_every_setting_with_its_default() -> None:
    text = " ".join(run("--help").out.split())
    for name, setting in SETTINGS.items():
        if setting.kind is SECRET:
            assert f"--{name.replace('_', '-')} " not in text, "a secret is no flag"
            continue
        assert f"--{name.replace('_', '-')}" in text
        assert setting.help in text
        if setting.kind.shape:
            assert f"[default: {setting.kind.show(setting.default)}]" in text


def test_config_prints_every_setting_with_its_origin(tmp_path: Path) -> None:
    (tmp_path / "kv.toml").write_text("max_frame = '1MiB'\n")
    words = [
        "--config",
        str(tmp_path / "kv.toml"),
        "config",
        "--shards",
        "4",
        "--bind",
        "127.0.0.1:1",
        "--bind",
        "unix:/x",
    ]
    ended = run(*words, KV_MAX_BATCH="5000")
    assert (ended.status, ended.err) == (0, "")
    rows = {row[0]: row[1:] for row in (line.split(None, 2) for line in ended.out.splitlines())}
    assert list(rows) == list(SETTINGS)
    assert rows["shards"] == ["4", "flag --shards"]
    assert rows["bind"] == ["127.0.0.1:1,unix:/x", "flag --bind"]
    assert rows["max_batch"] == ["5000", "environment KV_MAX_BATCH"]
    assert rows["max_frame"] == ["1MiB", f"file {tmp_path / 'kv.toml'}"]
    assert rows["drain_timeout"] == ["5s", "default"]


def test_a_configuration_can_be_checked_without_serving() -> None:
    ended = run("--check-config", "--bind", "127.0.0.1:1")
    assert (ended.status, ended.out, ended.err) == (0, "the configuration is valid\n", "")
    ended = run("--check-config", "--shards", "3")
    assert (ended.status, ended.out) == (2, "")


@pytest.mark.parametrize(
    "words, said",
    [
        (["--shrads", "4"], "no option is called --shrads; did you mean --shards?"),
        (["--qqqqqqq"], "no option is called --qqqqqqq"),
        (["--shards"], "--shards"),
        (["--shards", "3"], "shards: must be a power of two"),
        (["--bind", "0.0.0.0:1"], "add --insecure"),
        (["--bind", "nonsense:port"], "the port must be a number"),
        (["--config", "/nowhere/kv.toml"], "cannot read /nowhere/kv.toml"),
        (["confgi"], "confgi"),
        (["config", "--max-frame", "1"], "max_frame: must be a size"),
    ],
)
def test_a_wrong_command_line_is_status_2_and_one_line(words: list[str], said: str) -> None:
    ended = run(*words)
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.startswith("kv-server: ") and ended.err.count("\n") == 1
    assert said in ended.err
    assert ended.seconds < 2  # promised is one second; machines that run tests may stall


def test_a_wrong_environment_is_status_2_and_one_line() -> None:
    ended = run(KV_SHARD="4")
    assert (ended.status, ended.out) == (2, "")
    assert ended.err == "kv-server: no setting is called KV_SHARD (environment); did you mean KV_SHARDS?\n"


def test_a_taken_port_is_status_2_and_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = run("--bind", f"unix:{tmp_path / 'kv.sock'}", "--bind", place)
    assert (ended.status, ended.out) == (2, "")
    assert ended.err == f"kv-server: cannot listen on {place}: another server listens there\n"
    assert not (tmp_path / "kv.sock").exists()
