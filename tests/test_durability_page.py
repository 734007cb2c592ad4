"""The page on durability is true: its backup and its restore are run as they are printed, its formats are read by its
own words.
"""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest
import trio
from msgpack import Unpacker, unpackb

import kv_client
from tests.app import rich_folder
from tests.app.program import Running, environment, running

PAGE = (Path(__file__).parents[1] / "docs" / "durability.md").read_text("utf-8")
DEFAULT_ADDRESS = "127.0.0.1:7440"


def blocks(section: str, language: str) -> list[str]:
    """The code blocks of a section in *language*."""
    text = PAGE.split(f"\n## {section}\n")[1].split("\n## ")[0]
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def typed(block: str, folder: Path, *, but_last: bool = False) -> str:
    """Type the commands of a console block in *folder*; what they print."""
    lines = [line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ ")]
    python = shlex.quote(sys.executable)
    head = f'set -e\npython3() {{ {python} "$@"; }}\nkv-server() {{ {python} -m kv_server "$@"; }}\n'
    done = subprocess.run(
        ["/bin/bash", "-c", head + "\n".join(lines[:-1] if but_last else lines)],
        cwd=folder, env=environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


async def write(url: str, *words: str) -> None:
    async with kv_client.connect(url) as client:
        for word in words:
            await client.set(word, word)


async def read(url: str, *words: str) -> list[Any]:
    async with kv_client.connect(url) as client:
        return [await client.get(word) for word in words]


def end(server: Running) -> None:
    server.signal(signal.SIGTERM)
    assert server.wait().status == 0


def test_a_backup_is_taken_and_restored_as_the_page_says(tmp_path: Path) -> None:
    (program,) = blocks("Backup and restore", "python")
    backup, restore = blocks("Backup and restore", "console")
    assert restore.splitlines()[-1] == "$ kv-server --data-dir data"
    data = str(tmp_path / "data")
    with running("--data-dir", data) as server:
        trio.run(write, f"kv://{server.place}", "before", "also before")
        assert DEFAULT_ADDRESS in program
        (tmp_path / "snapshot.py").write_text(program.replace(DEFAULT_ADDRESS, server.place))
        assert "a start reads snapshot-" in typed(backup, tmp_path)
        trio.run(write, f"kv://{server.place}", "after")
        end(server)
    typed(restore, tmp_path, but_last=True)
    with running("--data-dir", data) as server:
        assert trio.run(read, f"kv://{server.place}", "before", "also before", "after") == [
            "before",
            "also before",
            None,
        ]
        end(server)


def test_a_store_becomes_text_and_a_store_again_as_the_page_says(tmp_path: Path) -> None:
    rich_folder.make(tmp_path / "data")
    typed(blocks("As text", "console")[0], tmp_path)
    assert (tmp_path / "store.jsonl").read_text().startswith('{"kv": 1, "part": "state", ')
    assert list((tmp_path / "copy").glob("snapshot-*.kvsnap"))


# ---- the formats, read by nothing but the page
def frames(data: bytes) -> list[tuple[int, int, bytes]]:
    """Kind, revision and payload of each frame."""
    found, at, begun = [], 0, b""
    while at < len(data) and any(data[at : at + 48]):
        head = data[at : at + 48]
        number = lambda start, size, head=head: int.from_bytes(head[start : start + size], "big")  # noqa: E731
        assert head[:4] == bytes.fromhex("6b76f00a")
        payload = data[at + 48 : at + 48 + number(8, 4)]
        assert number(4, 4) == zlib.crc32(head[8:] + payload, at & 0xFFFFFFFF)
        assert number(14, 2) == 0
        begun += payload
        if not number(13, 1):
            found.append((number(12, 1), number(16, 8), begun))
            begun = b""
        at += 48 + len(payload)
    return found


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rich_folder.make(tmp_path_factory.mktemp("formats") / "data")


def test_a_log_can_be_read_by_the_page(rich: Path) -> None:
    (path,) = rich.glob("log-*.kvlog")
    (first, *groups, last) = frames(path.read_bytes())
    head = unpackb(first[2])
    assert (first[0], head["kv"], head["file"], head["revision"]) == (1, 1, "log", int(path.stem.split("-")[1], 16))
    assert head.keys() == {"kv", "file", "revision", "epoch", "seed", "shards"}
    assert (last[0], last[2]) == (4, b"")
    revisions: list[int] = []
    effects: list[Any] = []
    for kind, revision, payload in groups:
        assert kind == 2
        these, now_ms, elapsed_ms, namespaces, commits = unpackb(payload)
        revisions += these
        effects += [effect for commit in commits for effect in commit]
        assert revisions[-1] == revision
        assert type(now_ms) is type(elapsed_ms) is int or len(these) > 1
        assert namespaces in (b"0", b"shop", b"gone") or len(namespaces) == len(these)
    assert revisions == sorted(set(revisions))
    assert [0x11, b"int", b"\x07", 0] in effects


def test_a_snapshot_can_be_read_by_the_page(rich: Path) -> None:
    (path,) = rich.glob("snapshot-*.kvsnap")
    (first, *blocks, last) = frames(path.read_bytes())
    assert unpackb(first[2])["file"] == "snapshot"
    things: list[Any] = []
    for kind, _, payload in blocks:
        assert kind == 3
        unpacker = Unpacker(strict_map_key=False)
        unpacker.feed(zlib.decompress(payload) if payload.startswith(b"\x78") else payload)
        things += unpacker
    scalars = {key: blob for thing in things if thing[0] == 1 for key, blob in zip(thing[3], thing[4], strict=True)}
    collections = {row[1]: row for thing in things if thing[0] == 2 for row in thing[3]}
    assert scalars[b"int"] == b"\x07"
    assert (collections[b"cart"][0], collections[b"cart"][2][:2]) == (2, [b"apples", b"\x02"])
    assert collections[b"board"][2][1] == [70.5, float("-inf")]
    counts = unpackb(last[2])
    assert counts == {"keys": len(scalars) + len(collections), "locks": 0, "sessions": 1}
