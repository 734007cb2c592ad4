"""The files made from the command table: they are what the generator would write now, and their code runs."""

from __future__ import annotations

import ast
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import kv_client._async.names  # noqa: F401  # so that the sample's records do not get into the real ones
from kv_server.spec import Catalog

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    """`tools/generate.py` as a module."""
    spec = importlib.util.spec_from_file_location("generate", ROOT / "tools" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    path = list(sys.path)
    spec.loader.exec_module(module)
    sys.path[:] = path
    return module


def test_the_generated_files_are_fresh(generate: ModuleType) -> None:
    assert generate.main(["--check"]) == 0, "run `python tools/generate.py`"


def test_a_stale_or_missing_file_is_found_and_written(
    generate: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    assert generate.main(["--check"]) == 1
    assert "docs/commands.md is not what tools/generate.py writes" in capsys.readouterr().out
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
    (tmp_path / "docs" / "commands.md").write_text("edited")
    assert generate.stale(generate.generated(__import__("kv_server.commands").commands.CATALOG), tmp_path) == [
        "docs/commands.md"
    ]


def test_the_table_is_json_and_holds_every_command(generate: ModuleType, hard: Catalog) -> None:
    table = json.loads(generate.generated(hard)["schemas/catalog.json"])
    assert [row["name"] for row in table["commands"]] == [entry.name for entry in hard]
    assert table["commands"][0]["params"][2]["tokens"] == {"EX": 1000, "PX": 1}


def test_the_page_shows_every_command_on_every_door(generate: ModuleType, hard: Catalog) -> None:
    page = generate.generated(hard)["docs/commands.md"]
    for entry in hard:
        assert f"### {entry.name}\n" in page
        assert f"line:   {entry.usage}\n" in page
        assert f"native: {entry.native}\n" in page


class Recorder:
    """What the generated methods are called on: remembers the call, answers what it was told to."""

    def __init__(self, reply: Any) -> None:
        self.reply = reply
        self.asked: tuple[Any, ...] = ()

    async def _call(self, *asked: Any) -> Any:
        self.asked = asked
        return self.reply


@pytest.fixture(scope="module")
def methods(generate: ModuleType, hard: Catalog) -> SimpleNamespace:
    """The generated modules for the sample."""
    texts = generate.generated(hard)
    made = {f"kv_client.{name}": ModuleType(f"kv_client.{name}") for name in ("_records", "_replies", "_batched")}
    space: dict[str, Any] = {"__name__": "generated"}
    with pytest.MonkeyPatch.context() as patch:
        for name, module in made.items():
            patch.setitem(sys.modules, name, module)
        for name, names in (
            *((name, module.__dict__) for name, module in made.items()),
            ("kv_client._async.commands", space),
        ):
            text = texts[f"packages/kv-client/src/{name.replace('.', '/')}.py"]
            exec(compile(ast.parse(text), "generated", "exec"), names)
    space["BatchCommands"] = made["kv_client._batched"].BatchCommands
    return SimpleNamespace(**space)


async def ask(
    methods: SimpleNamespace, reply: Any, method: str, *args: Any, **options: Any
) -> tuple[Any, tuple[Any, ...]]:
    recorder = Recorder(reply)
    return await getattr(methods.Commands, method)(recorder, *args, **options), recorder.asked


async def test_a_method_sends_what_the_server_binds(methods: SimpleNamespace, hard: Catalog) -> None:
    answer, asked = await ask(methods, 7, "set", "k", "v", ttl=1.5, if_value=None, fence=None)
    assert answer == 7
    assert asked == ("SET", ("k", b"\xa1v"), {"ttl": 1500, "if_value": b"\xc0"}, 1, None)
    _, asked = await ask(methods, 7, "zadd", "z", (1, "a"), condition="NX", ch=True)
    assert asked == ("ZADD", ("z", (1, "a")), {"condition": "NX", "ch": True}, 1, None)
    _, asked = await ask(methods, 0, "zunionstore", "t", ["a", "b"], weights=[1, 2], aggregate="MAX")
    assert asked[1:3] == (("t", ["a", "b"]), {"weights": [1, 2], "aggregate": "MAX"})
    _, asked = await ask(methods, [], "sort", "l", gets=["#"], limit=(0, 5))
    assert asked[2] == {"gets": ["#"], "limit": (0, 5)}
    _, asked = await ask(methods, None, "blpop", "a", "b", timeout=2)
    assert asked == ("BLPOP", ("a", "b"), {"timeout": 2000}, 2 | 4, None)


async def test_a_method_decodes_what_the_server_presents(methods: SimpleNamespace) -> None:
    assert (await ask(methods, None, "getset", "k", 1, default="none"))[0] == "none"
    assert (await ask(methods, b"\xc0", "getset", "k", 1, default="none"))[0] is None
    assert (await ask(methods, ["k", b"\x07"], "blpop", "k", timeout=0))[0] == ("k", 7)
    assert (await ask(methods, [[1.5, b"\xff"]], "zrange", "z", b"0", b"1"))[0] == [(1.5, "\udcff")]
    found = (await ask(methods, [["m", 2.5, [1.0, 2.0]]], "geosearch", "g", any_=True))[0]
    assert found == [("m", 2.5, (1.0, 2.0))]
    assert type(found[0]).__name__ == "Found"


def test_a_batch_hands_the_decoder_along(methods: SimpleNamespace) -> None:
    class Gathering(methods.BatchCommands):  # type: ignore[name-defined, misc]
        def _add(self, word: str, args: Any, options: Any, kind: int, decode: Any, fence: Any = None) -> Any:
            return word, args, options, kind, decode

    word, args, options, kind, decode = Gathering().getset("k", "v", default=5)
    assert (word, args, options, kind) == ("GETSET", ("k", b"\xa1v"), None, 1)
    assert decode(None) == 5
    assert decode(b"\x01") == 1
