"""What a server does with a folder that it cannot use, or not yet: one line that says why, or LOADING until it can."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from msgpack import packb, unpackb

from kv_protocol.errors import Loading
from kv_protocol.frames import FrameReader, pack
from kv_server.durability import frames
from kv_server.durability.frames import GROUP, HEAD, Stamp
from kv_server.durability.journal import FORMAT, Origin, log_name
from kv_server.durability.snapshot import snapshot_name
from kv_server.engine.groups import Group
from kv_server.engine.rows import KEY_PUT
from tests.faults.crowd import plain
from tests.faults.durable import Keeper, keeping
from tests.redis.client import Connection

NOBODY = 65534
WRONG_USE = 2
KEYS = 400_000


def refused(keeper: Keeper) -> str:
    """What a server says that does not start: one line, and the exit status of a wrong use."""
    before = len(keeper.said())
    process = keeper.launch("--log-level", "error")
    assert process.stdout is not None
    assert process.stdout.read() == b""
    assert keeper.wait() == WRONG_USE
    (line,) = keeper.said()[before:].splitlines()
    assert line.startswith("kv-server: "), line
    return line


def fill(keeper: Keeper, count: int = 100) -> None:
    connection = Connection(keeper.port)
    try:
        for number in range(count):
            assert connection.call(b"SET", b"key:%d" % number, b"value").value == b"OK"
    finally:
        connection.close()


def keys_in(keeper: Keeper) -> int:
    connection = Connection(keeper.port)
    try:
        count = connection.call(b"DBSIZE").value
    finally:
        connection.close()
    assert isinstance(count, int)
    return count


# ---- folders that are not ours
def test_a_second_server_on_the_same_folder_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    with keeping(tmp_path / "data") as first, keeping(tmp_path / "data") as second:
        first.start()
        second.log = tmp_path / "second.log"
        assert refused(second) == f"kv-server: another server has the data folder {tmp_path / 'data'}"
        fill(first)
        assert first.stop()[0] == 0
        second.start()
        assert keys_in(second) == 100


@contextmanager
def open_folder(mode: int, owner: int) -> Iterator[Path]:
    """A folder that everybody can come to, with a folder in it that has *mode* and *owner*."""
    if os.getuid():
        pytest.skip("only root can be somebody else")
    outer = Path(tempfile.mkdtemp(prefix="kv-"))
    outer.chmod(0o755)
    inner = outer / "data"
    inner.mkdir()
    os.chown(inner, owner, owner)
    inner.chmod(mode)
    try:
        yield inner
    finally:
        shutil.rmtree(outer)


def test_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    with open_folder(0o700, owner=0) as folder, keeping(folder, through=("nobody.py", str(NOBODY))) as keeper:
        keeper.log = tmp_path / "log"
        line = refused(keeper)
        assert line == f"kv-server: the data folder {folder}: Permission denied"


def test_a_folder_that_is_read_only_is_refused(tmp_path: Path) -> None:
    with open_folder(0o500, owner=NOBODY) as folder, keeping(folder, through=("nobody.py", str(NOBODY))) as keeper:
        keeper.log = tmp_path / "log"
        line = refused(keeper)
        assert line == f"kv-server: the data folder {folder}: Permission denied"


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("something else")
    with keeping(tmp_path / "data") as keeper:
        assert refused(keeper).startswith(f"kv-server: the data folder {tmp_path / 'data'}: ")


def test_nobody_else_can_look_into_the_folder(tmp_path: Path) -> None:
    with keeping(tmp_path / "data") as keeper:
        keeper.start()
        fill(keeper)
        connection = Connection(keeper.port)
        assert connection.call(b"SAVE").value == b"OK"
        connection.close()
        assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
        modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "data").iterdir()}
        assert set(modes.values()) == {0o600}, modes
        assert any(name.endswith(".kvsnap") for name in modes)


# ---- symbolic links
def test_the_folder_may_be_a_link_but_its_files_may_not(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "data").symlink_to(tmp_path / "elsewhere")
    with keeping(tmp_path / "data") as keeper:
        keeper.start()
        fill(keeper)
        assert keeper.stop()[0] == 0
        keeper.start()
        assert keys_in(keeper) == 100
        assert keeper.stop()[0] == 0
        (segment, *_) = (tmp_path / "elsewhere").glob("log-*")
        segment.rename(tmp_path / "moved")
        segment.symlink_to(tmp_path / "moved")
        assert "Too many levels of symbolic links" in refused(keeper)
        assert (tmp_path / "moved").exists()


def test_a_link_in_the_place_of_the_lock_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "owner.lock").symlink_to(tmp_path / "made")
    with keeping(tmp_path / "data") as keeper:
        assert "Too many levels of symbolic links" in refused(keeper)
    assert not (tmp_path / "made").exists()


# ---- files that are not ours, or of another time
def test_files_of_a_newer_format_are_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    origin = Origin(1, b"seed", 256)
    for name, kind in ((log_name(0), "log"), (snapshot_name(7), "snapshot")):
        path = tmp_path / "data" / name
        head = origin.head(kind, int(kind == "snapshot") * 7) | {"kv": FORMAT + 1}
        path.write_bytes(frames.pack(HEAD, Stamp(7, 7, 1, 1), packb(head), 0))
        content = path.read_bytes()
        with keeping(tmp_path / "data") as keeper:
            line = refused(keeper)
        assert f"{name} is of format {FORMAT + 1}" in line
        assert f"reads formats up to {FORMAT}" in line
        assert path.read_bytes() == content
        path.unlink()


def test_files_of_other_names_are_none_of_our_business(tmp_path: Path) -> None:
    with keeping(tmp_path / "data") as keeper:
        keeper.start()
        fill(keeper)
        assert keeper.stop()[0] == 0
        others = {name: os.urandom(999) for name in ("notes.txt", "log-1.kvlog", "snapshot-.kvsnap", "log-xyz", "core")}
        for name, content in others.items():
            (tmp_path / "data" / name).write_bytes(content)
        (tmp_path / "data" / "folder").mkdir()
        keeper.start()
        assert keys_in(keeper) == 100
        assert {name: (tmp_path / "data" / name).read_bytes() for name in others} == others


def test_a_damaged_snapshot_is_passed_over_for_a_complete_log_and_a_damaged_log_is_refused(tmp_path: Path) -> None:
    with keeping(tmp_path / "data") as keeper:
        keeper.start()
        fill(keeper)
        connection = Connection(keeper.port)
        assert connection.call(b"SAVE").value == b"OK"
        connection.close()
        assert keeper.stop()[0] == 0
        (snapshot,) = (tmp_path / "data").glob("snapshot-*")
        damage(snapshot, snapshot.stat().st_size // 2)
        keeper.start()
        assert keys_in(keeper) == 100
        assert "passed over" in keeper.said()
        assert keeper.stop()[0] == 0
        damage(next(path for path in (tmp_path / "data").glob("log-*") if path.stat().st_size > 2_000), 1_000)
        before = keeper.files()
        line = refused(keeper)
        assert " at byte " in line
        assert "kv-server check" in line
        assert keeper.files() == before


def damage(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at : at + 20] = bytes(each ^ 0x55 for each in content[at : at + 20])
    path.write_bytes(content)


def test_a_file_that_is_not_complete_is_never_loaded_and_goes(tmp_path: Path) -> None:
    with keeping(tmp_path / "data") as keeper:
        keeper.start()
        fill(keeper)
        keeper.kill()
        keeper.wait()
        half = tmp_path / "data" / (snapshot_name(1 << 60) + ".new")
        half.write_bytes(os.urandom(5_000))
        keeper.start()
        assert keys_in(keeper) == 100
        assert not half.exists()


# ---- a folder that takes a while
@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with many keys, in a log and in a snapshot."""
    folder = tmp_path_factory.mktemp("big") / "data"
    folder.mkdir(mode=0o700)
    write_log(folder / log_name(0))
    return folder


def write_log(path: Path) -> None:
    origin = Origin(1, b"seed-of-16-bytes", 256)
    at = 0
    with path.open("wb") as file:
        for part in [None, *range(0, KEYS, 1_000)]:
            if part is None:
                data = frames.pack(HEAD, Stamp(0, 0, 1, 1), packb(origin.head("log", 0)), 0)
            else:
                group = Group()
                for number in range(part, part + 1_000):
                    group.append((number + 1, 1, 1, b"0", [(KEY_PUT, b"key:%d" % number, b"\xa5value", 0)]))
                data = frames.pack(GROUP, Stamp(part + 1_000, part, 1, 1), group.packed(), at)
            file.write(data)
            at += len(data)


def when_listening(keeper: Keeper) -> Connection:
    for _ in range(2_000):
        try:
            return Connection(keeper.port)
        except ConnectionRefusedError:
            time.sleep(0.005)
    raise AssertionError("nobody listens")


def hello(port: int) -> Any:
    """What a native client is told at once."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
        line.sendall(pack([1, "HELLO", [1]]))
        reader = FrameReader()
        while not (bodies := reader.feed(line.recv(65_536))):
            pass
        return unpackb(bodies[0], strict_map_key=False)


def test_both_doors_say_loading_until_the_data_is_there(big: Path, tmp_path: Path) -> None:
    shutil.copytree(big, tmp_path / "data")
    with keeping(tmp_path / "data") as keeper:
        keeper.launch("--log-level", "error")
        connection = when_listening(keeper)
        try:
            for words in ((b"GET", b"key:1"), (b"SET", b"key:1", b"lost")):
                assert plain(connection.call(*words)).startswith("-LOADING ")
            _, status, error = hello(keeper.port)
            assert status
            assert error[0] == Loading.code
            keeper.wait_ready()
            assert connection.call(b"GET", b"key:1").value == b"value"
            assert connection.call(b"DBSIZE").value == KEYS
            assert hello(keeper.port)[1] == 0
        finally:
            connection.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_loading_ends_the_server_at_once(big: Path, tmp_path: Path, number: signal.Signals) -> None:
    shutil.copytree(big, tmp_path / "data")
    with keeping(tmp_path / "data") as keeper:
        process = keeper.launch("--log-level", "error")
        when_listening(keeper).close()
        began = time.perf_counter()
        keeper.signal(number)
        assert process.wait(20) == 0
        assert time.perf_counter() - began < 1.0
        assert process.stdout is not None
        assert process.stdout.read() == b"", "it had loaded already"
        keeper.wait()
        keeper.start()
        assert keys_in(keeper) == KEYS
