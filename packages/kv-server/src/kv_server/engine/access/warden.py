"""What the world does for access: slow hashes, and the file of users. The app floor does it beside the loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

from kv_protocol.errors import InvalidArgument
from kv_server.engine.access.secrets import Job, hashed, matching

__all__ = ["Alone", "Told", "Warden", "no_file"]

Told: TypeAlias = Callable[[object], None]
"""Hears what came of it, or the `KvError` that it failed with; perhaps at once."""


class Warden(Protocol):
    """Nothing here waits: each tells when it is done."""

    keeps: bool
    """There is a file of users."""

    def hash(self, jobs: list[Job], told: Told) -> None:
        """Make the hashes of *jobs*; a map of them is told."""

    def verify(self, address: str, password: bytes, kept: tuple[str, ...], told: Told) -> None:
        """Which of the hashes *kept* is that of *password*, which came from *address*; None if none is."""

    def write(self, lines: list[bytes], told: Told) -> None:
        """Let the file of users have these *lines*, and no moment know less than all old or all new ones."""

    def read(self, told: Told) -> None:
        """What the file of users says: a `Table` is told."""


class Alone:
    """The warden of an engine that no server surrounds: everything is done at once."""

    keeps = False

    def hash(self, jobs: list[Job], told: Told) -> None:
        told({job: hashed(job) for job in jobs})

    def verify(self, address: str, password: bytes, kept: tuple[str, ...], told: Told) -> None:
        told(matching(password, kept))

    def write(self, lines: list[bytes], told: Told) -> None:
        told(no_file())

    def read(self, told: Told) -> None:
        told(no_file())


def no_file() -> InvalidArgument:
    return InvalidArgument(
        "This server is not configured to use an ACL file: start it with --users FILE to keep users over a restart"
    )
