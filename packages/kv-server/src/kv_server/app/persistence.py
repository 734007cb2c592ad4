"""The section `persistence` of INFO: what was read at the start, how far the log is, what became of snapshots."""

from __future__ import annotations

from typing import TypeAlias

from kv_server.app.storage import Storage
from kv_server.durability.journal import Journal
from kv_server.durability.recovery import Recovery
from kv_server.net.keeper import Keeper

__all__ = ["persistence"]

Facts: TypeAlias = dict[str, int | float | str]


def persistence(storage: Storage | None) -> Facts:
    """What there is to know of *storage*; of none, that nothing is kept."""
    if storage is None:
        return {"kept": 0}
    facts: Facts = {"kept": 1, "folder": storage.disk.path, "fsync": storage.config.fsync}
    recovery, journal, keeper = storage.recovery, storage.journal, storage.keeper
    if recovery is not None:
        facts |= {**_read(recovery), "read_ms": storage.read_ms}
    if recovery is None or journal is None or keeper is None:
        return {**facts, "state": "loading"}
    taken = keeper.taken
    before = taken.commits if taken.count else -recovery.commits
    return {**facts, **_log(journal), "changes_since_snapshot": journal.commits - before, **_snapshots(keeper)}


def _read(recovery: Recovery) -> Facts:
    return {
        "read_bytes": recovery.done_bytes,
        "read_bytes_in_all": recovery.total_bytes,
        "read_keys": recovery.keys,
        "read_commits": recovery.commits,
        "torn_bytes_cut": recovery.cut_bytes,
    }


def _log(journal: Journal) -> Facts:
    return {
        "state": journal.state,
        "disk_error": "" if journal.error is None else journal.error.strerror or str(journal.error),
        "revision_written": journal.written,
        "revision_synced": journal.durable,
        "log_commits": journal.commits,
        "log_groups": journal.groups,
        "log_bytes": journal.bytes,
        "log_syncs": journal.syncs,
        "log_syncing": int(journal.syncing),
        "log_bytes_since_snapshot": journal.since_snapshot,
    }


def _snapshots(keeper: Keeper) -> Facts:
    taken = keeper.taken
    return {
        "snapshot_saving": int(keeper.saving),
        "snapshot_began_ms": keeper.began_ms,
        "snapshots": taken.count,
        "snapshots_failed": taken.failed,
        "snapshot_error": taken.last_error,
        "snapshot_revision": taken.last_revision,
        "snapshot_unix_ms": taken.last_unix_ms,
        "snapshot_ms": taken.last_duration_ms,
        "snapshot_bytes": taken.last_bytes,
        "snapshot_keys": taken.last_keys,
        "snapshot_longest_step_ms": round(taken.longest_step_ms, 3),
    }
