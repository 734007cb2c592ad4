"""The data folder of a server: opened before anybody is heard, read while they are told to wait, closed last."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Final

import trio

from kv_protocol.errors import Loading
from kv_server.app.config import Config
from kv_server.app.progress import Progress
from kv_server.durability.journal import Journal, Origin
from kv_server.durability.recovery import Recovery
from kv_server.durability.survey import Unreadable, survey
from kv_server.engine.engine import Engine
from kv_server.net.committer import Committer
from kv_server.net.disk import Folder, FolderInUse
from kv_server.net.gate import Gate
from kv_server.net.keeper import Apart, Keeper, SnapshotRules
from kv_server.net.server import Server
from kv_server.spec.command import Flag
from kv_server.surfaces.events import events_of

__all__ = ["CannotStart", "Storage"]

_SLICE_S: Final = 0.005  # of reading, before those who ask meanwhile are answered
_UNSEEN: Final = 1 << 22  # revisions that may have been given out after the last that is known

log = events_of("kv.storage")


class CannotStart(Exception):
    """The data folder cannot be used; the text is for the operator."""


class Storage:
    """What *config* says is kept, and where. Raises `CannotStart`.

    *committer* and *apart* wait for the disk, in the place of the loop.
    """

    def __init__(
        self,
        config: Config,
        folder: Callable[[str], Folder] = Folder,
        committer: Callable[[], Committer] = Committer,
        apart: Apart = trio.to_thread.run_sync,
    ) -> None:
        self.config = config
        self._committer = committer
        self._apart = apart
        self.keeper: Keeper | None = None
        self.journal: Journal | None = None
        self.recovery: Recovery | None = None
        self.read_ms = 0
        self._gate: Gate | None = None
        try:
            self.disk = folder(config.data_dir)
        except (FolderInUse, OSError) as error:
            raise CannotStart(_told(config.data_dir, error)) from error
        try:
            self.found = survey(self.disk)
        except (Unreadable, OSError) as error:
            self.disk.close_folder()
            raise CannotStart(_told(config.data_dir, error)) from error

    @property
    def floor(self) -> tuple[int, int]:
        """Wall and elapsed time in milliseconds, below which no clock may begin."""
        return self.found.now_ms, self.found.elapsed_ms

    def bar(self, engine: Engine) -> None:
        """Let *engine* refuse what is about keys until they are there."""
        engine.last_session = max(engine.revision, self.found.revision + _UNSEEN)  # above the sessions there were
        about_keys = sum(
            1 << command.bit
            for command in engine.catalog.commands.values()
            if command.place == "tx" or command.flags & Flag.WRITE
        )
        engine.shut(~about_keys, lambda: Loading(f"the server is reading its data, {self.percent} % so far"))
        engine.loading = True

    @property
    def percent(self) -> int:
        recovery = self.recovery
        return 100 * recovery.done_bytes // max(1, recovery.total_bytes) if recovery is not None else 0

    async def recover(self, server: Server, origin: Origin) -> None:
        """Read what there is, then keep what comes. Raises `CannotStart`."""
        engine, began = server.engine, perf_counter()
        recovery = self.recovery = Recovery(self.disk, self.found, engine)
        try:
            await self._read(recovery)
            recovery.secure()
            for name in self.found.unfinished:
                self.disk.remove(name)
            self.read_ms = round((perf_counter() - began) * 1000)
            _report(recovery, self.read_ms)
            config = self.config
            journal = Journal(self.disk, origin, config.fsync, config.fsync_interval, config.segment_size)
            if recovery.revision:
                engine.tx.revision += _UNSEEN
            engine.raise_revision(engine.now_ms)
            journal.open(recovery.revision, engine.revision, engine.now_ms, engine.elapsed_ms)
        except (Unreadable, OSError) as error:
            raise CannotStart(_told(self.config.data_dir, error)) from error
        self.journal = journal
        engine.journal = journal.pending
        engine.loading = False
        engine.reopen()
        self._gate = Gate(engine, journal, self.disk, server.connections, self._committer())
        server.loop.guard(self._gate)
        self.keeper = Keeper(engine, journal, self.disk, server.loop, rules_of(config), self._apart)

    async def _read(self, recovery: Recovery) -> None:
        progress = Progress("reading the data", lambda percent: log.info("reading the data", percent=percent))
        until = perf_counter() + _SLICE_S
        for _ in recovery.steps():
            if perf_counter() >= until:
                await trio.lowlevel.checkpoint()
                until = perf_counter() + _SLICE_S
                progress.at(recovery.done_bytes, recovery.total_bytes)
        progress.end()

    def follow(self, config: Config) -> None:
        """Let what may change while the server runs be as *config* says."""
        self.config = config
        if self.journal is not None:
            self.journal.interval_ms = config.fsync_interval
        if self.keeper is not None:
            self.keeper.follow(rules_of(config))

    def close(self, server: Server) -> None:
        """Write what has not been written, and let others have the folder."""
        server.loop.unguard()
        try:
            if self._gate is not None:
                self._gate.close()
        except OSError as error:
            log.critical("the log could not be completed", reason=error.strerror)
        finally:
            self.disk.close_folder()


def rules_of(config: Config) -> SnapshotRules:
    """When snapshots are taken."""
    return SnapshotRules(config.snapshot_interval, config.snapshot_commits, config.snapshot_log)


def _told(folder: str, error: Exception) -> str:
    if isinstance(error, OSError):
        return f"the data folder {folder}: {error.strerror or error}"
    return str(error)


def _report(recovery: Recovery, took_ms: int) -> None:
    for damage in recovery.passed_over:
        log.warning("a snapshot was passed over for an older one", reason=str(damage))
    if recovery.cut is not None:
        log.warning(
            "a torn end of the log was cut off",
            file=recovery.cut.name, at=recovery.cut.at, bytes=recovery.cut_bytes,
        )  # fmt: skip
    log.info(
        "read the data",
        snapshot=recovery.snapshot.name if recovery.snapshot is not None else "none",
        keys=recovery.keys, commits=recovery.commits, revision=recovery.revision, ms=took_ms,
    )  # fmt: skip
