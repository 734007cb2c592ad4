"""A thread that waits for the disk so that the loop need not. It takes one piece of work at a time, and says when it is
done through a descriptor that the loop watches.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread

__all__ = ["Committer"]


class Committer:
    """`start` hands work over; once `fd` is readable, `take` says what became of it."""

    def __init__(self) -> None:
        self.fd, self._bell = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._outcome: SimpleQueue[OSError | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name="kv-committer", daemon=True)
        self._thread.start()

    def start(self, work: Callable[[], None]) -> None:
        """Do *work*, which may raise `OSError`. The last must have been taken."""
        self._work.put(work)

    def take(self) -> OSError | None:
        """The outcome of the work that is done; None if it went well."""
        with contextlib.suppress(BlockingIOError):
            os.read(self.fd, 64)
        return self._outcome.get()

    def close(self) -> None:
        """End the thread once what it has begun is done."""
        self._work.put(None)
        self._thread.join()
        os.close(self.fd)
        os.close(self._bell)

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            self._do(work)

    def _do(self, work: Callable[[], None]) -> None:
        try:
            work()
        except OSError as error:
            self._outcome.put(error)
        else:
            self._outcome.put(None)
        os.write(self._bell, b"!")
