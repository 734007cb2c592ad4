"""The one gate that all output passes: nothing leaves before what it tells is as safe as the journal's mode promises.

What is computed while a sync is under way waits for the next. A sync that answers wait for runs in the loop if nobody
else wants to be served meanwhile, else in the committer's thread. When the disk fails, answers that were held become
errors, and the engine goes on reading only.
"""

from __future__ import annotations

import logging

from kv_protocol.errors import KvError, NotKept, ReadOnly
from kv_server.durability.disk import Disk
from kv_server.durability.journal import FAILED, FULL, WELL, Journal, Sync
from kv_server.engine.engine import Engine
from kv_server.engine.gates import CLOSED
from kv_server.net.committer import Committer
from kv_server.net.connections import Connections
from kv_server.spec.command import Flag

__all__ = ["Gate"]

log = logging.getLogger("kv.log")


class Gate:
    """Writes what *engine* changed to *journal*, and lets the output of *connections* out when it may leave."""

    def __init__(self, engine: Engine, journal: Journal, disk: Disk, connections: Connections) -> None:
        self.journal = journal
        self._engine = engine
        self._disk = disk
        self._connections = connections
        self._committer = Committer()
        self._reads_only = ~engine.catalog.bits(Flag.WRITE)
        self.fd = self._committer.fd
        journal.on_state = self._turned

    def let_out(self, *, idle: bool) -> None:
        """Write what was changed, then send what may be sent. *idle*: nobody waits for the loop."""
        engine, journal = self._engine, self.journal
        elapsed_ms = engine.elapsed_ms
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
            if idle:
                journal.end_sync(sync, self._try(sync), elapsed_ms)
                self._connections.flush()
            else:
                self._connections.seal()
                self._begin(sync)

    def _begin(self, sync: Sync) -> None:
        self._syncing = sync
        self._committer.start(lambda: sync.run(self._disk))

    def _try(self, sync: Sync) -> OSError | None:
        try:
            sync.run(self._disk)
        except OSError as error:
            return error
        return None

    def synced(self) -> None:
        """The committer is done: send what waited for it, and go on with what came meanwhile. Some of that has not even
        been written: only `let_out` may send it.
        """
        self.journal.end_sync(self._syncing, self._committer.take(), self._engine.elapsed_ms)
        self._connections.release()
        self.let_out(idle=False)

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
            if engine.open != CLOSED:
                engine.reopen()
            return
        if journal.state == FULL:
            log.error("the disk is full: only reads are served reason=%r", reason)
        else:
            log.critical("the disk failed: only reads are served until a snapshot could be written reason=%r", reason)
        if engine.open != CLOSED:
            engine.shut(self._reads_only, lambda: _refusal(journal, reason))
        if journal.state == FAILED:
            doubtful = journal.doubt(engine.sessions)
            held = self._connections.retract(lambda: NotKept(f"the disk failed: {reason}"))
            log.critical("answers were held back connections=%d kept_answers=%d", held, doubtful)


def _refusal(journal: Journal, reason: str) -> KvError:
    if journal.state == FULL:
        return ReadOnly(f"the disk is full ({reason}): nothing was written; make room and try again")
    return ReadOnly(f"the disk failed ({reason}): nothing was written; the server tries to write a snapshot")
