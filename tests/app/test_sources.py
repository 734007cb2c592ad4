"""Where settings come from, who wins, and what is said about a wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest

from kv_server.app.config import SETTINGS, Config
from kv_server.app.sources import WrongSetting, load
from kv_server.net.address import Address

NO_BATCH = "max_batch: must be a whole number from 4096 to 10000000; it is '"


def written(folder: Path, text: str) -> str:
    path = folder / "kv.toml"
    path.write_text(text)
    return str(path)


def test_defaults_are_those_of_the_declarations() -> None:
    loaded = load({}, {"HOME": "/", "KVX": "1"})
    assert loaded.config == Config()
    assert set(loaded.origins) == set(SETTINGS) and set(loaded.origins.values()) == {"default"}
    assert loaded.config.bind == (Address("127.0.0.1", 7440),)


def test_every_default_can_be_read_as_it_is_shown() -> None:
    for name, setting in SETTINGS.items():
        assert setting.kind.read(setting.kind.show(setting.default)) == setting.default, name


def test_a_flag_wins_over_the_environment_that_over_the_file_that_over_the_default(tmp_path: Path) -> None:
    path = written(tmp_path, "shards = 2\nmax_batch = 5000\nmax_frame = '1MiB'\nbind = ['127.0.0.1:1', '[::1]:2']\n")
    environment = {"KV_CONFIG": path, "KV_SHARDS": "4", "KV_MAX_BATCH": "6000"}
    loaded = load({"shards": "8"}, environment)
    config, origins = loaded.config, loaded.origins
    assert (config.shards, origins["shards"]) == (8, "flag --shards")
    assert (config.max_batch, origins["max_batch"]) == (6000, "environment KV_MAX_BATCH")
    assert (config.max_frame, origins["max_frame"]) == (1 << 20, f"file {path}")
    assert (len(config.bind), origins["bind"]) == (2, f"file {path}")
    assert origins["max_parked"] == "default"


def test_the_file_named_by_a_flag_wins_over_the_one_named_by_the_environment(tmp_path: Path) -> None:
    path = written(tmp_path, "shards = 2")
    loaded = load({"config": path}, {"KV_CONFIG": "/nowhere"})
    assert loaded.config.shards == 2


@pytest.mark.parametrize(
    "environment, line",
    [
        ({"KV_SHARD": "4"}, "no setting is called KV_SHARD (environment); did you mean KV_SHARDS?"),
        ({"KV_QQQQ": "4"}, "no setting is called KV_QQQQ (environment)"),
        ({"KV_SHARDS": "5"}, "shards: must be a power of two from 1 to 16384; it is '5' (environment KV_SHARDS)"),
        ({"KV_MAX_BATCH": "9" * 200}, NO_BATCH + "9" * 77 + "...' (environment KV_MAX_BATCH)"),
        ({"KV_CONFIG": "/nowhere/kv.toml"}, "cannot read /nowhere/kv.toml: No such file or directory"),
        ({"KV_BIND": ":1"}, "bind: the host is missing: say 127.0.0.1, or 0.0.0.0"),
    ],
)  # fmt: skip
def test_a_wrong_environment_is_one_line(environment: dict[str, str], line: str) -> None:
    with pytest.raises(WrongSetting) as caught:
        load({}, environment)
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text, line",
    [
        ("shard = 4", "no setting is called 'shard' (file {path}); did you mean shards?"),
        ("config = 'x'", "no setting is called 'config' (file {path})"),
        ("[server]\nshards = 4", "no setting is called 'server' (file {path})"),
        ("shards = true", "shards: must be a power of two from 1 to 16384; it is 'True' (file {path})"),
        ("bind = 7440", "bind: must be an address or a list of addresses; it is '7440' (file {path})"),
        ("idle_timeout = nan", "idle_timeout: must be a time such as 5, 2.5s, 500ms or 10m; it is 'nan' (file {path})"),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path: Path, text: str, line: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(WrongSetting) as caught:
        load({"config": path}, {})
    assert str(caught.value) == line.format(path=path)


@pytest.mark.parametrize("text", ["shards = ", "\x00", "shards = 1\nshards = 2"])
def test_a_file_that_is_no_toml_is_one_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(WrongSetting, match="is not TOML: ") as caught:
        load({"config": written(tmp_path, text)}, {})
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_text_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "kv.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(WrongSetting, match="is not TOML: "):
        load({"config": str(tmp_path / "kv.toml")}, {})
    with pytest.raises(WrongSetting, match="Is a directory"):
        load({"config": str(tmp_path)}, {})


def test_variables_of_clients_and_of_kubernetes_are_not_ours() -> None:
    environment = {
        "KV_URL": "kv://x",
        "KV_TOKEN": "secret",
        "KV_TOKEN_FILE": "x",
        "KV_SERVICE_HOST": "10.0.0.1",
        "KV_SERVICE_PORT": "7440",
        "KV_SERVICE_PORT_NATIVE": "7440",
        "KV_PORT": "tcp://10.0.0.1:7440",
        "KV_PORT_7440_TCP": "tcp://10.0.0.1:7440",
        "KV_PORT_7440_TCP_ADDR": "10.0.0.1",
    }
    assert load({}, environment).config == Config()


@pytest.mark.parametrize("bind", ["0.0.0.0:7440", "[::]:7440", "127.0.0.1:1,10.0.0.5:7440"])
def test_a_bind_that_others_can_reach_needs_a_word(bind: str) -> None:
    with pytest.raises(WrongSetting, match=r"other machines can reach .* \(flag --bind\) .* or add --insecure"):
        load({"bind": bind.split(",")}, {})
    assert load({"bind": bind.split(","), "insecure": True}, {}).config.insecure
    assert load({"bind": bind.split(",")}, {"KV_INSECURE": "true"}).config.insecure
