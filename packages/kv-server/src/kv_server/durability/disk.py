"""What durability asks of a folder of files. The net floor does it with the real one, tests with one that fails."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Disk"]


class Disk(Protocol):
    """A folder that belongs to one server. Every method raises `OSError` as the system does."""

    def names(self) -> list[str]:
        """The files of the folder."""

    def size(self, name: str) -> int:
        """How long a file is."""

    def read(self, name: str, at: int, size: int) -> bytes:
        """At most *size* bytes of a file, fewer at its end only."""

    def create(self, name: str) -> int:
        """A handle to a file that is new, or empty from now on."""

    def open(self, name: str) -> int:
        """A handle to a file that is there."""

    def write(self, handle: int, data: bytes, at: int) -> None:
        """Put all of *data* into a file."""

    def reserve(self, handle: int, size: int) -> None:
        """See to it that there is room for a file of *size* bytes; what was not written reads as zeros."""

    def truncate(self, handle: int, size: int) -> None:
        """Cut a file off."""

    def sync(self, handle: int) -> None:
        """Return when the file is on the medium, as long as it is."""

    def close(self, handle: int) -> None:
        """Give the handle back."""

    def rename(self, old: str, new: str) -> None:
        """Give a file another name, in the place of any of that name."""

    def remove(self, name: str) -> None:
        """Take a file away."""

    def sync_folder(self) -> None:
        """Return when the names of the files are on the medium."""
