"""`kv-server dump` and `kv-server load`: a log, a snapshot or a whole folder as lines of JSON, and back."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator
from typing import Any, Final

from msgpack import Unpacker

from kv_server.app.offline import Unusable, data_folder, recovered, still_engine
from kv_server.durability.frames import Damage, Stamp
from kv_server.durability.lines import head_line, lines_of, lines_of_file
from kv_server.durability.load import Load, WrongLine
from kv_server.durability.snapshot import Snapshot, Writer
from kv_server.durability.survey import survey
from kv_server.engine.engine import Engine

__all__ = ["dump", "load"]

_BATCH: Final = 1_000  # lines that are written at once

_encode = json.JSONEncoder(ensure_ascii=False, separators=(", ", ": "), check_circular=False).encode


def dump(path: str) -> int:
    """Print the log, the snapshot, or the folder at *path*. Who reads it may stop when it has seen enough."""
    try:
        _dump(path)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _dump(path: str) -> None:
    if os.path.isdir(path):
        with data_folder(path) as folder:
            found = survey(folder)
            if found.origin is None:
                raise Unusable(f"{path}: the folder holds no data")
            recovery = recovered(folder, found, found.origin)
            engine = recovery.engine
            stamp = Stamp(recovery.revision, 0, engine.now_ms, engine.elapsed_ms)
            _print([head_line("state", found.origin, stamp)])
            _print(_state(engine, recovery.revision), end=True)
            return
    place, name = os.path.split(os.path.abspath(path))
    with data_folder(place, lock=False) as folder:
        try:
            _print(lines_of_file(folder, name))
        except Damage as damage:
            raise Unusable(f"{damage}; what is before it was printed") from damage


def _state(engine: Engine, revision: int) -> Iterator[Any]:
    """The lines of all there is in *engine*."""
    snapshot = Snapshot(engine, revision)
    while (piece := snapshot.step()) is not None:
        things = Unpacker(max_buffer_size=0, strict_map_key=False, unicode_errors="surrogateescape")
        things.feed(piece)
        for thing in things:
            yield from lines_of(thing)
    snapshot.end()


def _print(lines: Iterable[Any], *, end: bool = False) -> None:
    """Write *lines*, and how many they were if they have no *end* of their own."""
    write, waiting, count = sys.stdout.buffer.write, [], 0
    try:
        for line in lines:
            waiting.append(_encode(line))
            if len(waiting) == _BATCH:
                count += _BATCH
                write(_octets(waiting))
                waiting.clear()
    finally:
        count += len(waiting)
        if end:
            waiting.append(_encode({"end": count}))
        write(_octets(waiting))
        sys.stdout.buffer.flush()


def _octets(lines: list[str]) -> bytes:
    text = "\n".join([*lines, ""])
    try:
        return text.encode()
    except UnicodeEncodeError:  # half a character, which JSON can only escape
        return "".join(json.dumps(json.loads(line)) + "\n" for line in lines).encode()


def load(path: str) -> int:
    """Make a data folder at *path* from the lines of the standard input."""
    with data_folder(path, make=True) as folder:
        found = survey(folder, heads=False)
        if found.snapshots or found.logs:
            raise Unusable(f"{path}: the folder holds data already")
        made = Load(folder, still_engine)
        try:
            for line in sys.stdin.buffer:
                made.read(line)
            engine, origin = made.finish()
        except WrongLine as error:
            raise Unusable(f"{error}; nothing was made") from None
        snapshot = Snapshot(engine, engine.revision)
        writer = Writer(folder, origin, snapshot)
        try:
            while (piece := snapshot.step()) is not None:
                writer.add(piece)
            writer.finish(snapshot)
        except BaseException:
            writer.give_up()
            raise
        sys.stdout.write(
            f"{snapshot.keys:,} keys, {snapshot.locks:,} locks, {snapshot.sessions:,} sessions at revision "
            f"{snapshot.revision}: {writer.bytes:,} bytes in {path}\n"
        )
    return 0
