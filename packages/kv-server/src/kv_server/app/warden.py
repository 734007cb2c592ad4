"""What access needs of the world, beside the loop: slow hashes in a thread, few at a time, and the file of users.

Of one address at most ten logins a second may fail; then answers are delayed, then refused. Who has shown a password
before is let in at once: of that a tag is kept which only this process can make.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any, Final

import trio

from kv_protocol.errors import Busy, InternalError, InvalidArgument, KvError
from kv_server.app.config import Config
from kv_server.app.users import WrongUsers, users_of, write_users
from kv_server.engine.access.rules import Book
from kv_server.engine.access.secrets import Job, hashed, matching
from kv_server.engine.access.warden import Told, no_file
from kv_server.net.loop import Loop
from kv_server.surfaces.events import events_of

__all__ = ["Attempts", "ServerWarden"]

_EACH_S: Final = 0.1  # of failures, in the long run
_BURST_S: Final = 1.0  # failures that cost nothing, in the time that they stand for
_PATIENCE_S: Final = 1.0  # the longest delay
_MOST_ADDRESSES: Final = 10_000
_MOST_WAITING: Final = 64  # logins that wait for a hash, or for their delay
_MOST_KNOWN: Final = 10_000

log = events_of("kv.audit")


class Attempts:
    """Logins that failed, by address: until when each has used up its share."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def delay(self, address: str, now_s: float) -> float | None:
        """How long a login from *address* has to wait; None if too many wait already."""
        owed = self._until.get(address, now_s) - now_s
        return None if owed > _BURST_S + _PATIENCE_S else max(0.0, owed - _BURST_S)

    def charge(self, address: str, now_s: float) -> None:
        if len(self._until) >= _MOST_ADDRESSES:
            self._until = {one: until for one, until in self._until.items() if until > now_s}
        self._until[address] = max(self._until.get(address, now_s), now_s) + _EACH_S

    def pay_back(self, address: str) -> None:
        if address in self._until:
            self._until[address] -= _EACH_S


class ServerWarden:
    """The warden of a server whose loop is *loop*."""

    def __init__(self, config: Config, book: Book, dice: Random, loop: Loop) -> None:
        self.keeps = bool(config.users)
        self._loop = loop
        self._config = config
        self._book = book
        self._dice = dice
        self._key = dice.randbytes(32)
        self._attempts = Attempts()
        self._known: dict[bytes, str] = {}
        self._asked: dict[bytes, list[tuple[str, Told]]] = {}
        self._hashing = trio.CapacityLimiter(1)
        self._writing = trio.CapacityLimiter(1)
        self._nursery: trio.Nursery

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Do what is asked for, until cancelled."""
        async with trio.open_nursery() as self._nursery:
            task_status.started()
            await trio.sleep_forever()

    # ---- hashes
    def hash(self, jobs: list[Job], told: Told) -> None:
        self._nursery.start_soon(self._do, self._hashing, lambda: {job: hashed(job) for job in jobs}, told)

    def verify(self, address: str, password: bytes, kept: tuple[str, ...], told: Told) -> None:
        host = address.rpartition(":")[0] or address
        delay_s = self._attempts.delay(host, trio.current_time())
        tag = hmac.digest(self._key, b"\0".join([*map(str.encode, kept), password]), "sha256")
        if delay_s is None or len(self._asked) >= _MOST_WAITING:
            told(Busy("too many logins that failed, or wait: try again in a second", {"limit": int(1 / _EACH_S)}))
        elif tag in self._known and not delay_s:
            told(self._known[tag])
        elif tag in self._asked:
            self._asked[tag].append((host, told))
        else:
            self._asked[tag] = [(host, told)]
            self._attempts.charge(host, trio.current_time())
            self._nursery.start_soon(self._verify, tag, password, kept, delay_s)

    async def _verify(self, tag: bytes, password: bytes, kept: tuple[str, ...], delay_s: float) -> None:
        await trio.sleep(delay_s)
        found = self._known.get(tag)
        if found is None:
            found = await trio.to_thread.run_sync(matching, password, kept, limiter=self._hashing)
        asked = self._asked.pop(tag)
        if found is None:
            for host, _ in asked[1:]:
                self._attempts.charge(host, trio.current_time())
        else:
            self._attempts.pay_back(asked[0][0])
            if len(self._known) >= _MOST_KNOWN:
                del self._known[next(iter(self._known))]
            self._known[tag] = found
        self._tell([told for _, told in asked], found)

    # ---- the file
    def write(self, lines: list[bytes], told: Told) -> None:
        if self.keeps:
            work = partial(write_users, self._config.users, lines)
            self._nursery.start_soon(self._do, self._writing, work, told)
        else:
            told(no_file())

    def read(self, told: Told) -> None:
        if self.keeps:
            work = partial(users_of, self._config, self._book, self._dice.randbytes(16))
            self._nursery.start_soon(self._do, self._writing, work, told)
        else:
            told(no_file())

    async def _do(self, limiter: trio.CapacityLimiter, work: Callable[[], Any], told: Told) -> None:
        """Do *work* in a thread and tell what comes of it."""
        outcome: object
        try:
            outcome = await trio.to_thread.run_sync(work, limiter=limiter)
        except (WrongUsers, KvError) as error:
            outcome = error if isinstance(error, KvError) else InvalidArgument(str(error))
        except OSError as error:
            log.error("the file of users was not written", reason=error.strerror)
            outcome = InternalError(f"the file of users was not written, and nothing was changed: {error.strerror}")
        self._tell([told], outcome)

    def _tell(self, asked: list[Told], outcome: object) -> None:
        self._loop.set_clocks()
        for told in asked:
            told(outcome)
        self._loop.ring()
        self._loop.look()
