"""The one gate that all output passes: nothing leaves before what it tells is as safe as the journal's mode promises.

Answers that wait for a sync wait until nothing is left to run, or a little time is over, so that many share one. While
syncs are quick, they are done in the loop: to hand one over costs more than to wait for it. Else the committer's thread
does them, and what is computed meanwhile waits for the next. When the disk fails, answers that were held become errors,
and the engine goes on reading only.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Final

from kv_protocol.errors import KvError, NotKept, ReadOnly
from kv_server.durability.disk import Disk
from kv_server.durability.journal import ALWAYS, FAILED, FULL, WELL, Journal, Sync
from kv_server.engine.engine import Engine
from kv_server.engine.gates import CLOSED
from kv_server.net.committer import Committer
from kv_server.net.connections import Connections
from kv_server.spec.command import Flag
from kv_server.surfaces.events import events_of

__all__ = ["Gate"]

_GATHER_S: Final = 0.004  # how long answers wait for others to share their sync
_QUICK_S: Final = 0.002
_APART: Final = (
    16  # syncs that the thread does after one that was not quick; twice as many if the next one is not either
)
_MOST_APART: Final = 1 << 16

log = events_of("kv.log")


class Gate:
    """Writes what *engine* changed to *journal*, and lets the output of *connections* out when it may leave."""

    def __init__(
        self,
        engine: Engine,
        journal: Journal,
        disk: Disk,
        connections: Connections,
        committer: Committer,
        timer: Callable[[], float] = perf_counter,
    ) -> None:
        self.journal = journal
        self._engine = engine
        self._disk = disk
        self._connections = connections
        self._committer = committer
        self._timer = timer
        self._gather_until = 0.0
        self._apart = 0
        """How many syncs the thread does, before one is tried in the loop again."""
        self._next_apart = _APART
        self._reads_only = ~engine.catalog.bits(Flag.WRITE)
        self.fd = self._committer.fd
        journal.on_state = self._turned

    def let_out(self, *, more: bool = False) -> None:
        """Write what was changed, then send what may be sent. *more*: this is called again after other calls."""
        engine, journal = self._engine, self.journal
        elapsed_ms = engine.elapsed_ms
        if more and journal.pending and (journal.mode == ALWAYS or engine.tx.urgent) and self._gathers():
            return
        self._gather_until = 0.0
        if journal.pending:
            journal.write(engine.now_ms, elapsed_ms, urgent=engine.tx.urgent)
            engine.tx.urgent = False
        if journal.may_send(elapsed_ms):
            self._connections.flush()
            due_ms = journal.sync_due_ms(elapsed_ms)
            if due_ms is not None and due_ms <= elapsed_ms:
                self._begin(journal.begin_sync(elapsed_ms))
        elif not journal.syncing:
            sync = journal.begin_sync(elapsed_ms)
            if self._apart:
                self._apart -= 1
                self._connections.seal()
                self._begin(sync)
            else:
                journal.end_sync(sync, self._try(sync), elapsed_ms)
                self._connections.flush()

    def _gathers(self) -> bool:
        """Whether there is time for what is pending to grow."""
        now = self._timer()
        self._gather_until = self._gather_until or now + _GATHER_S
        return now < self._gather_until

    def _begin(self, sync: Sync) -> None:
        self._syncing = sync
        self._committer.start(lambda: sync.run(self._disk))

    def _try(self, sync: Sync) -> OSError | None:
        """Sync here and now, and see how long that takes."""
        began = self._timer()
        try:
            sync.run(self._disk)
        except OSError as error:
            return error
        if self._timer() - began > _QUICK_S:
            self._apart, self._next_apart = self._next_apart, min(2 * self._next_apart, _MOST_APART)
        else:
            self._next_apart = _APART
        return None

    def synced(self) -> None:
        """The committer is done: send what waited for it, and go on with what came meanwhile. Some of that has not even
        been written: only `let_out` may send it.
        """
        self.journal.end_sync(self._syncing, self._committer.take(), self._engine.elapsed_ms)
        self._connections.release()
        self.let_out()

    def due_ms(self) -> int | None:
        """When `let_out` next has something to do, although nothing came in."""
        return self.journal.sync_due_ms(self._engine.elapsed_ms)

    def tend(self) -> None:
        """Once a second: see whether a full disk has room again."""
        if self.journal.state == FULL:
            self.journal.reserve()

    def close(self) -> None:
        """Write and sync all there is. Raises `OSError`."""
        if self.journal.syncing:
            self.journal.end_sync(self._syncing, self._committer.take(), self._engine.elapsed_ms)
        self._committer.close()
        self.journal.close(self._engine.now_ms, self._engine.elapsed_ms)

    # ---- trouble
    def _turned(self) -> None:
        """The state of the journal has changed."""
        engine, journal = self._engine, self.journal
        reason = str(journal.error.strerror) if journal.error is not None else ""
        if journal.state == WELL:
            log.info("the disk takes writes again")
            if engine.served != CLOSED:
                engine.reopen()
            return
        if journal.state == FULL:
            log.error("the disk is full: only reads are served", reason=reason)
        else:
            log.critical("the disk failed: only reads are served until a snapshot could be written", reason=reason)
        if engine.served != CLOSED:
            engine.shut(self._reads_only, lambda: _refusal(journal, reason))
        if journal.state == FAILED:
            doubtful = journal.doubt(engine.sessions)
            held = self._connections.retract(lambda: NotKept(f"the disk failed: {reason}"))
            log.critical("answers were held back", connections=held, kept_answers=doubtful)


def _refusal(journal: Journal, reason: str) -> KvError:
    if journal.state == FULL:
        return ReadOnly(f"the disk is full ({reason}): nothing was written; make room and try again")
    return ReadOnly(f"the disk failed ({reason}): nothing was written; the server tries to write a snapshot")
