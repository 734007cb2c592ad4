"""What lies in a data folder: which snapshots and segments, of which store, and how far its clocks had come."""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

from msgpack import unpackb

from kv_server.durability.disk import Disk
from kv_server.durability.frames import HEAD, Damage, Frame, read_frames
from kv_server.durability.journal import FORMAT, TEMPORARY, Origin, log_name
from kv_server.durability.snapshot import snapshot_name

__all__ = ["File", "Survey", "Unreadable", "head_of", "survey"]

_LOG: Final = re.compile(r"log-([0-9a-f]{16})\.kvlog")
_SNAPSHOT: Final = re.compile(r"snapshot-([0-9a-f]{16})\.kvsnap")


class Unreadable(Exception):
    """The data cannot be read as it is; the text says where, why, and what can be done."""


class File(NamedTuple):
    """A file of the folder, with the revision it is of, or begins after."""

    name: str
    revision: int
    size: int


class Survey(NamedTuple):
    """Snapshots and segments, oldest first, and files that were never completed; the store they are of, None if there
    are none; and the clocks as they last were.
    """

    snapshots: list[File]
    logs: list[File]
    unfinished: list[str]
    origin: Origin | None
    now_ms: int
    elapsed_ms: int
    revision: int = 0
    """The last that any of the files tells of."""


def survey(disk: Disk, *, heads: bool = True) -> Survey:
    """Look at the folder, and unless told otherwise into the files. Raises `Unreadable`, or `OSError`."""
    snapshots, logs, unfinished = [], [], []
    for name in sorted(disk.names()):
        whole = name.removesuffix(TEMPORARY)
        if whole != name and (_LOG.fullmatch(whole) or _SNAPSHOT.fullmatch(whole)):
            unfinished.append(name)
        elif found := _LOG.fullmatch(name):
            logs.append(File(name, int(found[1], 16), disk.size(name)))
        elif found := _SNAPSHOT.fullmatch(name):
            snapshots.append(File(name, int(found[1], 16), disk.size(name)))
    origin: Origin | None = None
    now_ms = elapsed_ms = revision = 0
    for file in (*snapshots, *logs) if heads else ():
        told = _stamp_of(disk, file)
        if told is None:
            continue
        theirs, frame = told
        if origin is not None and (theirs.epoch, theirs.seed) != (origin.epoch, origin.seed):
            raise Unreadable(f"{file.name} belongs to another store than the files beside it: move it away")
        origin = theirs
        now_ms, elapsed_ms = max(now_ms, frame.stamp.now_ms), max(elapsed_ms, frame.stamp.elapsed_ms)
        revision = max(revision, frame.stamp.revision)
    for file in reversed(logs) if heads else ():
        end = 0
        try:
            for frame in read_frames(disk, file.name, file.revision):
                now_ms, elapsed_ms = max(now_ms, frame.stamp.now_ms), max(elapsed_ms, frame.stamp.elapsed_ms)
                revision, end = max(revision, frame.stamp.revision), frame.end
        except Damage:
            pass  # whoever reads the file will say so
        if end:
            break  # what is older has older clocks
    return Survey(snapshots, logs, unfinished, origin, now_ms, elapsed_ms, revision)


def _stamp_of(disk: Disk, file: File) -> tuple[Origin, Frame] | None:
    """What the head of *file* says; None if it cannot be read."""
    try:
        frame = next(read_frames(disk, file.name), None)
    except Damage:
        return None
    return None if frame is None else (head_of(file.name, frame)[0], frame)


def head_of(name: str, frame: Frame) -> tuple[Origin, int]:
    """The store that the file *name* is of, and its revision. Raises `Unreadable` if this version cannot read it."""
    try:
        head: dict[str, Any] = unpackb(frame.payload) if frame.kind == HEAD else {}
        if head["kv"] > FORMAT:
            raise Unreadable(
                f"{name} is of format {head['kv']}; this version reads formats up to {FORMAT}: start the newer version"
            )
        revision, called = head["revision"], (log_name if head["file"] == "log" else snapshot_name)(head["revision"])
        origin = Origin(head["epoch"], head["seed"], head["shards"])
    except (ValueError, KeyError, TypeError):
        raise Unreadable(f"{name} is no file of kv") from None
    if name.removesuffix(TEMPORARY) != called:
        raise Unreadable(f"{name} has another name than its head says: {called}")
    return origin, revision
