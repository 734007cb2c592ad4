"""The data folder as it is: files of this process's user alone, and a lock that no second server gets."""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import Final

__all__ = ["Folder", "FolderInUse"]

_OWNER: Final = "owner.lock"


class FolderInUse(Exception):
    """Another server has the folder."""


class Folder:
    """The files of a folder, which is made if it is not there. Raises `OSError`, or `FolderInUse`.

    Who only looks (*make*, *lock*) makes no folder, or does not mind that somebody else has it.
    """

    def __init__(self, path: str, *, make: bool = True, lock: bool = True) -> None:
        if make:
            os.makedirs(path, mode=0o700, exist_ok=True)
        self.path = os.path.abspath(path)
        self._folder = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._lock = -1
        try:
            if lock:
                self._take_lock()
        except BaseException:
            self.close_folder()
            raise

    def _take_lock(self) -> None:
        self._lock = os.open(_OWNER, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600, dir_fd=self._folder)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FolderInUse(f"another server has the data folder {self.path}") from None

    def close_folder(self) -> None:
        """Let others have it."""
        for descriptor in (self._lock, self._folder):
            if descriptor >= 0:
                with contextlib.suppress(OSError):
                    os.close(descriptor)
        self._lock = self._folder = -1

    def names(self) -> list[str]:
        return os.listdir(self._folder)

    def size(self, name: str) -> int:
        return os.stat(name, dir_fd=self._folder, follow_symlinks=False).st_size

    def read(self, name: str, at: int, size: int) -> bytes:
        handle = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=self._folder)
        try:
            parts = []
            while size > 0 and (part := os.pread(handle, size, at)):
                parts.append(part)
                at += len(part)
                size -= len(part)
            return b"".join(parts)
        finally:
            os.close(handle)

    def create(self, name: str) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
        return os.open(name, flags, 0o600, dir_fd=self._folder)

    def open(self, name: str) -> int:
        return os.open(name, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=self._folder)

    def write(self, handle: int, data: bytes, at: int) -> None:
        done = os.pwrite(handle, data, at)
        while done < len(data):
            done += os.pwrite(handle, memoryview(data)[done:], at + done)

    def reserve(self, handle: int, size: int) -> None:
        now = os.fstat(handle).st_size
        if size > now:
            os.posix_fallocate(handle, now, size - now)

    def truncate(self, handle: int, size: int) -> None:
        os.ftruncate(handle, size)

    def sync(self, handle: int) -> None:
        os.fdatasync(handle)

    def close(self, handle: int) -> None:
        os.close(handle)

    def rename(self, old: str, new: str) -> None:
        os.rename(old, new, src_dir_fd=self._folder, dst_dir_fd=self._folder)

    def remove(self, name: str) -> None:
        os.remove(name, dir_fd=self._folder)

    def sync_folder(self) -> None:
        os.fsync(self._folder)
