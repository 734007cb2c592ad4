"""The data folder of a server under test: a crash ends all writing, and no clock runs while the disk is waited for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import trio

from kv_server.net.committer import Committer
from kv_server.net.disk import Folder

__all__ = ["AtOnce", "Mortal", "at_once"]

Outcome = TypeVar("Outcome")


class AtOnce(Committer):
    """Does its work where it is told to."""

    def start(self, work: Callable[[], None]) -> None:
        self._do(work)


async def at_once(work: Callable[..., Outcome], *args: object) -> Outcome:
    """Do *work*, in the place of another thread."""
    await trio.lowlevel.checkpoint()
    return work(*args)


class Mortal(Folder):
    """A folder that a process has until it is *dead*."""

    dead = False

    def write(self, handle: int, data: bytes, at: int) -> None:
        if not self.dead:
            super().write(handle, data, at)

    def reserve(self, handle: int, size: int) -> None:
        if not self.dead:
            super().reserve(handle, size)

    def truncate(self, handle: int, size: int) -> None:
        if not self.dead:
            super().truncate(handle, size)

    def sync(self, handle: int) -> None:
        if not self.dead:
            super().sync(handle)

    def rename(self, old: str, new: str) -> None:
        if not self.dead:
            super().rename(old, new)

    def remove(self, name: str) -> None:
        if not self.dead:
            super().remove(name)

    def sync_folder(self) -> None:
        if not self.dead:
            super().sync_folder()
