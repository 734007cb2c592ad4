"""Data folders without a server: opened, read into an engine that serves nobody, and their troubles in one line."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Final

from kv_server.app.progress import Progress
from kv_server.app.sources import WrongSetting
from kv_server.commands import CATALOG
from kv_server.durability.journal import Origin
from kv_server.durability.recovery import Recovery
from kv_server.durability.survey import Survey, Unreadable
from kv_server.engine.engine import Engine, Limits, Start
from kv_server.net.disk import Folder, FolderInUse

__all__ = ["Unusable", "data_folder", "recovered", "still_engine"]

_ANY: Final = 1 << 40


class Unusable(WrongSetting):
    """A folder, a file or a line is not what it has to be."""


@contextmanager
def data_folder(path: str, *, make: bool = False, lock: bool = True) -> Iterator[Folder]:
    """The folder at *path*, which nobody else gets meanwhile, unless without *lock*. Raises `Unusable`."""
    try:
        folder = Folder(path, make=make, lock=lock)
    except FolderInUse:
        raise Unusable(f"{path}: a server, or another tool, has this data folder") from None
    except OSError as error:
        raise Unusable(f"{path}: {error.strerror}") from error
    enabled = gc.isenabled()
    gc.disable()  # nothing that is read becomes garbage, and there is much of it
    try:
        yield folder
    except Unreadable as error:
        raise Unusable(str(error)) from error
    except BrokenPipeError:
        raise
    except OSError as error:
        raise Unusable(f"{os.path.join(path, error.filename or '')}: {error.strerror}") from error
    finally:
        if enabled:
            gc.enable()
        folder.close_folder()


def still_engine(origin: Origin) -> Engine:
    """An engine for the store *origin*, in which no time passes."""
    start = Start(0, 0, origin.epoch, origin.seed, Random(0))
    return Engine(CATALOG, start=start, shards=origin.shards, limits=Limits(namespaces=_ANY))


def recovered(folder: Folder, found: Survey, origin: Origin) -> Recovery:
    """What a start would read from *folder*; nothing is changed in there. Raises `Unreadable`, or `OSError`."""
    recovery = Recovery(folder, found, still_engine(origin))
    progress = Progress("reading the data")
    for _ in recovery.steps():
        progress.at(recovery.done_bytes, recovery.total_bytes)
    progress.end()
    recovery.engine.set_clocks(found.now_ms, found.elapsed_ms)
    return recovery
