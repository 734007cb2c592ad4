"""Data folders without a server: `check` finds every damage and repairs it, `dump` and `load` lose nothing."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
import trio
from hypothesis import given, settings

import kv_client
from kv_protocol.values import encode
from kv_server.app.offline import data_folder, still_engine
from kv_server.durability.check import DROPPED, Check
from kv_server.durability.forms import value, value_form
from kv_server.durability.journal import ALWAYS, Journal, Origin
from kv_server.durability.recovery import Recovery
from kv_server.durability.snapshot import Snapshot, Writer
from kv_server.durability.survey import Unreadable, survey
from kv_server.engine.engine import Engine
from kv_server.net.disk import Folder
from tests.app import rich_folder
from tests.app.program import WAIT_S, Ended, command, environment, run, running
from tests.engine.rig import Rig, picture
from tests.protocol.test_canonical import values

SPOILED = 80


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that no test may change."""
    return rich_folder.make(tmp_path_factory.mktemp("rich") / "data")


@pytest.fixture
def folder(rich: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(rich, tmp_path / "data"))


def load(folder: Path, lines: str) -> Ended:
    done = subprocess.run(
        command("load", str(folder)), input=lines.encode(), capture_output=True, timeout=WAIT_S, env=environment(),
        check=False,
    )  # fmt: skip
    return Ended(done.returncode, done.stdout.decode(), done.stderr.decode(), 0.0)


def dump(path: Path) -> str:
    ended = run("dump", str(path))
    assert (ended.status, ended.err) == (0, "")
    return ended.out


def the_log(folder: Path) -> Path:
    (found,) = folder.glob("log-*")
    return found


def the_snapshot(folder: Path) -> Path:
    (found,) = folder.glob("snapshot-*")
    return found


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


# ---- check
def test_a_whole_folder_is_told_file_by_file_and_left_alone(folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    ended = run("check", str(folder))
    assert (ended.status, ended.err) == (0, "")
    assert f"{the_snapshot(folder).name}: revision " in ended.out
    assert f"{the_log(folder).name}: revisions " in ended.out
    assert "damage" not in ended.out
    assert "a start reads snapshot-" in ended.out
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_folder_without_data_is_well(tmp_path: Path) -> None:
    assert run("check", str(tmp_path)).status == 0


def test_damage_is_told_with_file_offset_and_revision_and_what_a_repair_would_drop(folder: Path) -> None:
    os.remove(the_snapshot(folder))
    log = the_log(folder)
    at = log.read_bytes().index(b"counter")
    flip(log, at)
    ended = run("check", str(folder))
    assert ended.status == 1
    assert f"damage: {log.name}: a checksum is wrong at byte " in ended.out
    assert ", after revision " in ended.out
    told = int(ended.out.split("wrong at byte ")[1].split(", after")[0].replace(",", ""))
    assert told < at
    assert f"--repair would drop {log.name} from byte {told:,} on ({log.stat().st_size - told:,} bytes, " in ended.out
    assert not list(folder.glob("*" + DROPPED)), "nothing was asked for"


def test_a_repair_puts_aside_what_it_drops_and_then_the_folder_is_well_and_starts(folder: Path) -> None:
    os.remove(the_snapshot(folder))
    log = the_log(folder)
    flip(log, log.stat().st_size // 2)
    before = log.read_bytes()
    ended = run("check", str(folder), "--repair")
    assert (ended.status, ended.err) == (0, "")
    (aside,) = folder.glob("*" + DROPPED)
    assert log.read_bytes() + aside.read_bytes() == before
    with running("--data-dir", str(folder)) as server:
        server.signal(signal.SIGTERM)
        assert server.wait().status == 0
    assert run("check", str(folder)).status == 0


def test_a_snapshot_that_is_damaged_is_put_aside_and_the_log_stands_in(folder: Path) -> None:
    whole = dump(folder)
    snapshot = the_snapshot(folder)
    flip(snapshot, 200)
    assert run("check", str(folder)).status == 1
    assert run("check", str(folder), "--repair").status == 0
    assert not snapshot.exists()
    assert same_lines(dump(folder), whole)


def test_a_log_with_a_gap_before_it_is_dropped_from_there_on(folder: Path) -> None:
    snapshot, log = the_snapshot(folder), the_log(folder)
    log.rename(log.with_name("log-00ffffffffffffff.kvlog"))
    ended = run("check", str(folder))
    assert ended.status == 2, "a name that its head does not have is nothing that a repair could mend"
    log.with_name("log-00ffffffffffffff.kvlog").rename(log)
    snapshot.unlink()
    log.unlink()
    with running("--data-dir", str(folder)) as server:
        server.signal(signal.SIGTERM)
        server.wait()
    assert run("check", str(folder)).status == 0


def test_what_a_newer_version_wrote_is_refused_and_never_repaired(folder: Path) -> None:
    from msgpack import packb, unpackb

    from kv_server.durability.frames import HEAD, pack, read_frames

    with_lock = Folder(str(folder))
    try:
        log = the_log(folder)
        head = next(read_frames(with_lock, log.name))
        newer = pack(HEAD, head.stamp, packb({**unpackb(head.payload), "kv": 2}), 0)
    finally:
        with_lock.close_folder()
    log.write_bytes(newer)
    for words in (["check"], ["check", "--repair"], ["dump"]):
        ended = run(*words, str(folder))
        assert ended.status == 2
        assert "is of format 2; this version reads formats up to 1: start the newer version" in ended.err
    ended = run("--data-dir", str(folder), "--bind", "127.0.0.1:0")
    assert ended.status != 0
    assert "start the newer version" in ended.err
    assert log.read_bytes() == newer


def segmented(path: Path, dice: Random) -> Path:
    """A folder with a log of several short segments and some snapshots, which may not have been closed."""
    rig, folder = Rig(shards=4), Folder(str(path))
    engine = rig.engine
    origin = Origin(engine.epoch, engine.store.seed, 4)
    journal = Journal(folder, origin, ALWAYS, 100, 600)
    journal.open(0, engine.revision, rig.now_ms, rig.elapsed_ms)
    engine.journal = journal.pending
    client = rig.connect()
    for number in range(dice.randrange(20, 60)):
        client.call("SET", f"key {dice.randrange(9)}", number)
        if dice.random() < 0.6:
            journal.write(rig.now_ms, rig.elapsed_ms, urgent=False)
            if dice.random() < 0.6:
                sync = journal.begin_sync(rig.elapsed_ms)
                sync.run(folder)
                journal.end_sync(sync, None, rig.elapsed_ms)
                if dice.random() < 0.1:
                    save(engine, folder, origin)
        rig.advance(1)
    if dice.random() < 0.5:
        journal.close(rig.now_ms, rig.elapsed_ms)
    folder.close_folder()
    return path


def save(engine: Engine, folder: Folder, origin: Origin) -> None:
    snapshot = Snapshot(engine, engine.revision)
    writer = Writer(folder, origin, snapshot)
    while (piece := snapshot.step()) is not None:
        writer.add(piece)
    writer.finish(snapshot)
    snapshot.end()


def spoil(folder: Path, dice: Random) -> str:
    """Do a file of the folder some harm; what it was."""
    path = dice.choice([path for path in sorted(folder.iterdir()) if path.stat().st_size])
    at = dice.randrange(min(path.stat().st_size, 4_000))
    match dice.randrange(5):
        case 0:
            path.unlink()
            return f"{path.name} removed"
        case 1:
            os.truncate(path, at)
            return f"{path.name} cut off at {at}"
        case 2:
            data = path.read_bytes()
            path.write_bytes(data[:at] + bytes(len(data) - at))
            return f"{path.name} is zeros from {at} on"
    flip(path, at)
    return f"{path.name} has another byte at {at}"


def test_whatever_was_damaged_the_check_agrees_with_a_start_and_a_repair_helps(rich: Path, tmp_path: Path) -> None:
    seed = 0 if "CI" in os.environ else Random().randrange(1 << 30)
    dice = Random(seed)
    work = tmp_path / "work"
    refused = 0
    for number in range(SPOILED):
        if number % 4:
            segmented(work, dice)
        else:
            shutil.copytree(rich, work)
        where = f"seed {seed}, number {number}: {[spoil(work, dice) for _ in range(dice.randrange(1, 3))]}"
        with data_folder(str(work)) as folder:
            refused += judged(folder, where)
        shutil.rmtree(work)
    assert 0 < refused < SPOILED


def judged(folder: Folder, where: str) -> bool:
    """Check and repair a folder, and start before and after that; whether the first start was refused."""
    begun = recovered(folder)
    check = checked(folder)
    if isinstance(begun, Unreadable):
        assert check.drops, f"{where}: {begun}"
    else:
        assert not any(drop.commits for drop in check.drops), where
        assert begun[1] == check.revision, where
    check.repair()
    again = checked(folder)
    assert not again.drops, where
    assert again.revision == check.revision, where
    after = recovered(folder)
    assert not isinstance(after, Unreadable), f"{where}: {after}"
    assert after[1] == check.revision, where
    if not isinstance(begun, Unreadable):
        assert picture(after[0].store) == picture(begun[0].store), where
    return isinstance(begun, Unreadable)


def recovered(folder: Folder) -> tuple[Engine, int] | Unreadable:
    """What a start would read, or why it would not."""
    found = survey(folder)
    try:
        recovery = Recovery(folder, found, still_engine(found.origin or Origin(1, b"", 4)))
        for _ in recovery.steps():
            pass
    except Unreadable as error:
        return error
    return recovery.engine, recovery.revision


def checked(folder: Folder) -> Check:
    made = Check(folder, survey(folder))
    for _ in made.steps():
        pass
    return made


# ---- dump and load
def same_lines(one: str, two: str) -> bool:
    """The same, but for the order of keys, and the time at which it was."""
    heads = [json.loads(text.partition("\n")[0]) for text in (one, two)]
    for head in heads:
        del head["now_ms"], head["elapsed_ms"]
    return heads[0] == heads[1] and sorted(one.splitlines()[1:]) == sorted(two.splitlines()[1:])


def test_a_dump_can_be_read_and_says_what_was_written(folder: Path) -> None:
    lines = [json.loads(line) for line in dump(folder).splitlines()]
    assert lines[0]["part"] == "state"
    assert lines[-1] == {"end": len(lines) - 2}
    found = {str(line["key"]): line for line in lines if "key" in line and line["namespace"] == "0"}
    assert found["int"]["value"] == 7
    assert found["decimal"]["value"] == {"decimal": "1.50"}
    assert found["bytes"]["value"] == {"base64": "AP8="}
    assert found["large"]["value"] == {"int": str(2**63 - 1)}
    assert found["map"]["value"] == {"b": 1, "a": {"map": {"base64": "no bytes"}}}
    assert found["time"]["value"] == {"datetime": "1815-12-10T11:30:00.000001+00:00"}
    assert found["cart"]["value"] == [["apples", 2], ["price", {"decimal": "0.30"}]]
    assert found["jobs"]["value"] == [None]
    assert ["bob", {"float": "-inf"}] in found["board"]["value"]
    assert [entry[1] for entry in found["events"]["value"]["entries"]] == [
        [["user", "ann"], ["n", 1]],
        [["user", "bob"], ["n", 2]],
    ]
    assert found["mortal"]["expires_ms"] > lines[0]["now_ms"]
    assert {line["lock"] for line in lines if "lock" in line} == {"forever"}


def test_a_folder_that_was_dumped_and_loaded_is_the_same_and_serves(folder: Path, tmp_path: Path) -> None:
    lines = dump(folder)
    copy = tmp_path / "copy"
    assert load(copy, lines).status == 0
    assert dump(copy) == lines
    assert run("check", str(copy)).status == 0
    assert {path.stat().st_mode & 0o777 for path in copy.iterdir()} == {0o600}
    assert copy.stat().st_mode & 0o777 == 0o700

    async def look(url: str) -> None:
        async with kv_client.connect(url) as client:
            for key, expected in rich_folder.VALUES.items():
                if key not in ("text", "true"):
                    assert await client.get(key) == expected
            assert [lock.lock for lock in await client.locks()] == ["forever"]

    with running("--data-dir", str(copy)) as server:
        trio.run(look, f"kv://{server.place}/0")
        server.signal(signal.SIGTERM)
        assert server.wait().status == 0


def test_a_snapshot_and_the_log_behind_it_load_as_the_folder_and_so_does_the_log_alone(
    folder: Path, tmp_path: Path
) -> None:
    whole = dump(folder)
    snapshot, log = dump(the_snapshot(folder)), dump(the_log(folder))
    assert load(tmp_path / "both", snapshot + log).status == 0
    assert same_lines(dump(tmp_path / "both"), whole)
    assert load(tmp_path / "log", log).status == 0
    assert same_lines(dump(tmp_path / "log"), whole)


@pytest.mark.parametrize(
    "spoil, said",
    [
        (lambda lines: lines[1:], "line 1: the first line must be the head"),
        (lambda lines: lines[:-1], "the lines end too soon"),
        (lambda lines: [*lines[:3], *lines[4:]], "lines were to come before the end"),
        (lambda lines: [*lines[:3], "{nonsense", *lines[3:]], "line 4: "),
        (lambda lines: [*lines[:3], lines[2], *lines[3:]], "line 4: the key came before"),
        (lambda lines: [lines[0].replace('"kv": 1', '"kv": 2'), *lines[1:]], "this version reads formats up to 1"),
        (lambda lines: [*lines[:2], lines[2].replace('"version"', '"wersion"')], "line 3: 'version' is missing"),
        (lambda lines: [*lines, *lines], "only a log of the same store"),
        (lambda lines: ["\x80"], "line 1: "),
        (lambda lines: [], "the lines end too soon"),
    ],
)
def test_lines_that_are_not_whole_make_nothing(
    spoil: Callable[[list[str]], list[str]], said: str, folder: Path, tmp_path: Path
) -> None:
    ended = load(tmp_path / "made", "\n".join(spoil(dump(folder).splitlines())))
    assert (ended.status, ended.out) == (2, "")
    assert said in ended.err
    assert "nothing was made" in ended.err
    assert ended.err.count("\n") == 1
    assert not list((tmp_path / "made").glob("*.kv*"))


@settings(max_examples=300)
@given(given_value=values)
def test_every_value_survives_as_json(given_value: Any) -> None:
    blob = encode(given_value)
    assert value(json.loads(json.dumps(value_form(blob), allow_nan=False))) == blob


def test_a_damaged_log_is_printed_up_to_the_damage_and_a_torn_one_to_its_end(folder: Path) -> None:
    log = the_log(folder)
    whole = dump(log).splitlines()
    data = log.read_bytes()
    log.write_bytes(data[:-60])  # the end, and some of the last group
    torn = dump(log).splitlines()
    assert torn[:-1] == whole[: len(torn) - 1]
    assert json.loads(torn[-1]) == {"end": len(torn) - 2}
    log.write_bytes(data)
    flip(log, data.index(b"counter"))
    ended = run("dump", str(log))
    assert ended.status == 2
    assert "a checksum is wrong at byte " in ended.err
    assert ended.out.splitlines() == whole[: len(ended.out.splitlines())]


def test_who_reads_a_dump_may_stop(folder: Path) -> None:
    with subprocess.Popen(
        ["/bin/sh", "-c", 'exec "$@" | head -1', "sh", *command("dump", str(folder))],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
    ) as process:  # fmt: skip
        out, err = process.communicate(timeout=WAIT_S)
    assert out.count(b"\n") == 1
    assert err == b""


# ---- whose folder it is
def test_the_folder_of_a_running_server_is_nobody_elses(rich: Path, folder: Path) -> None:
    lines = dump(rich)
    with running("--data-dir", str(folder)) as server:
        for ended in (
            run("check", str(folder)),
            run("check", str(folder), "--repair"),
            run("dump", str(folder)),
            load(folder, lines),
        ):
            assert (ended.status, ended.out) == (2, "")
            assert "has this data folder" in ended.err
        assert dump(the_snapshot(folder)).count("\n") > 10, "a file may be looked at"
        server.signal(signal.SIGTERM)
        server.wait()
    assert run("check", str(folder)).status == 0


@pytest.mark.parametrize(
    "words, said",
    [
        (["check", "nowhere"], "nowhere: No such file or directory"),
        (["dump", "nowhere"], "nowhere"),
        (["dump", "."], "the folder holds no data"),
        (["check"], "DIR"),
        (["check", ".", "--repare"], "--repare"),
    ],
)
def test_a_wrong_use_is_status_2_and_one_line(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = run(*words)
    assert (ended.status, ended.out) == (2, "")
    assert said in ended.err
    assert ended.err.count("\n") == 1
    assert not (tmp_path / "nowhere").exists()


def test_a_folder_with_data_is_not_loaded_into(folder: Path) -> None:
    ended = load(folder, dump(folder))
    assert ended.status == 2
    assert "holds data already" in ended.err


def test_something_else_than_a_file_of_kv_is_no_dump(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("buy milk\n")
    ended = run("dump", str(tmp_path / "notes.txt"))
    assert (ended.status, ended.out) == (2, "")
    assert "notes.txt is no file of kv" in ended.err
    with socket.socket(socket.AF_UNIX) as odd:
        odd.bind(str(tmp_path / "odd"))
        assert run("dump", str(tmp_path / "odd")).status == 2
