"""`kv-server check`: says file by file what lies in a data folder, what a start would do with it, and repairs it."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from kv_server.app.offline import Unusable, data_folder, recovered
from kv_server.app.progress import Progress
from kv_server.durability.check import DROPPED, Check, Drop, Examined
from kv_server.durability.survey import Survey, Unreadable, survey
from kv_server.net.disk import Folder

__all__ = ["check"]


def check(path: str, *, repair: bool) -> int:
    """Check the folder at *path*, and drop what is damaged if *repair*; 0 if it is well (then), else 1."""
    with data_folder(path) as folder:
        try:
            checked = _checked(folder)
        except Unreadable as error:
            raise Unusable(f"{error}; a repair can do nothing about that") from error
        _say(_report(checked))
        if checked.drops and repair:
            checked.repair()
            _say(["", "repaired: what was dropped lies beside the rest, as *" + DROPPED, ""])
            checked = _checked(folder)
            _say(_report(checked))
        return 1 if checked.drops or not _starts(folder, checked.survey) else 0


def _checked(folder: Folder) -> Check:
    made = Check(folder, survey(folder))
    progress = Progress("checking")
    for _ in made.steps():
        progress.at(made.done_bytes, made.total_bytes)
    progress.end()
    return made


def _starts(folder: Folder, found: Survey) -> bool:
    """Read the folder as a start would, to see that it can."""
    if found.origin is None:
        return True
    try:
        recovery = recovered(folder, found, found.origin)
    except Unreadable as error:
        _say([f"a start would fail: {error}"])
        return False
    keys = sum(map(len, recovery.engine.store.namespaces.values()))
    _say([f"tried: it has {keys:,} keys and {len(recovery.engine.sessions):,} sessions then"])
    return True


def _say(lines: list[str]) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def _report(checked: Check) -> list[str]:
    origin = checked.survey.origin
    if origin is None and not checked.drops:
        return ["the folder holds no data: a start would begin with nothing"]
    store = "" if origin is None else f", shards {origin.shards}, epoch {origin.epoch}"
    files = [*checked.snapshots, *checked.logs]
    return [
        f"{len(files)} files{store}",
        *(f"  {_file(each)}" for each in files),
        *(f"  {name}: was never completed; a start removes it" for name in checked.survey.unfinished),
        *_damages(checked),
        *_outlook(checked),
    ]


def _file(each: Examined) -> str:
    name, size = each.file.name, f"{each.file.size:,} bytes"
    if name.startswith("snapshot"):
        held = f"revision {each.file.revision}, {each.keys:,} keys, {each.locks:,} locks, {each.sessions:,} sessions"
    elif each.commits:
        held = f"revisions {each.first} to {each.last}, {each.commits:,} commits"
    else:
        held = f"no commits after revision {each.file.revision}"
    state = "damaged" if each.broken else "torn" if each.damage else "whole"
    return f"{name}: {held}, {size}, {state}"


def _damages(checked: Check) -> Iterator[str]:
    for each in (*checked.snapshots, *checked.logs):
        if each.damage is not None and each.damage is not checked.cut:
            yield f"{'damage' if each.broken else 'torn'}: {each.damage}, after revision {each.end}"
    for drop in checked.drops:
        yield f"--repair would drop {_dropped(drop)}"


def _dropped(drop: Drop) -> str:
    what = drop.file.name if not drop.at else f"{drop.file.name} from byte {drop.at:,} on"
    return f"{what} ({drop.bytes:,} bytes, {drop.commits:,} commits that nothing else holds): {drop.why}"


def _outlook(checked: Check) -> Iterator[str]:
    """What a start would do."""
    then = "after a repair a start" if checked.drops else "a start"
    begin = f"reads {checked.snapshot.file.name}" if checked.snapshot is not None else "begins with nothing"
    if checked.cut is not None:
        cut = checked.cut
        size = next(each.file.size for each in checked.logs if each.file.name == cut.name) - cut.at
        torn = f"{size:,} bytes of {cut.name} from byte {cut.at:,} on"
        yield f"{then} cuts off {torn}, where a write was interrupted: {cut.why}"
    for file in checked.beyond:
        yield f"{then} removes {file.name} ({file.size:,} bytes), which is behind that place"
    yield f"{then} {begin}, then {checked.commits:,} commits, up to revision {checked.revision}"
    if checked.drops:
        commits, size = sum(each.commits for each in checked.drops), sum(each.bytes for each in checked.drops)
        yield f"in all {len(checked.drops)} files, {size:,} bytes and at least {commits:,} commits would be dropped"
