"""A data folder and the real server that keeps it: started, killed at any moment, stopped, and started again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import trio

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

START_S = 30
HERE = Path(__file__).parent


class DidNotStart(AssertionError):
    """The server ended, or said something else than that it is ready."""


class Keeper:
    """The server of *folder*, always on one port. *words* are options of every start. *through* is a program beside
    this one that becomes the server, with its own words.
    """

    def __init__(self, folder: Path, *words: str, through: Sequence[str] = ()) -> None:
        self.folder = folder
        self.words = words
        self.through = through
        self.port = free_port()
        self.log = folder.with_name(folder.name + ".log")
        self.process: subprocess.Popen[bytes] | None = None
        self.starts = 0

    def url(self, namespace: str = "0") -> str:
        return f"kv://127.0.0.1:{self.port}/{namespace}"

    def command(self, words: Sequence[str] = ()) -> list[str]:
        program = [str(HERE / self.through[0]), *self.through[1:]] if self.through else ["-m", "kv_server"]
        place = ["--bind", f"127.0.0.1:{self.port}", "--data-dir", str(self.folder)]
        return [sys.executable, *program, *place, *self.words, *words]

    def launch(self, *words: str, **how: Any) -> subprocess.Popen[bytes]:
        """Start the server without waiting for it; *how* is what `Popen` takes."""
        assert self.process is None
        self.starts += 1
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command(words), stdout=subprocess.PIPE, stderr=log, **how)
        return self.process

    def wait_ready(self) -> str:
        """The ready line."""
        assert self.process is not None
        line = _line_of(self.process.stdout)
        if " ready on " not in line:
            status = self.process.wait(START_S)
            raise DidNotStart(f"no ready line but {line!r}, status {status}: {self.said()[-2_000:]}")
        return line

    def start(self, *words: str) -> str:
        self.launch(*words)
        return self.wait_ready()

    async def start_soon(self, *words: str) -> str:
        """Start while other tasks go on."""
        self.launch(*words)
        return await trio.to_thread.run_sync(self.wait_ready)

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        """As a crash of the process ends it: at once, and in the middle of whatever it does."""
        assert self.process is not None
        self.process.kill()

    def wait(self, seconds: float = START_S) -> int:
        """The exit status."""
        assert self.process is not None
        process, self.process = self.process, None
        status = process.wait(seconds)
        if process.stdout is not None:
            process.stdout.close()
        return status

    def stop(self) -> tuple[int, float]:
        """SIGTERM; the status, and how long it took."""
        began = time.perf_counter()
        self.signal(signal.SIGTERM)
        return self.wait(), time.perf_counter() - began

    def said(self) -> str:
        """All it has logged."""
        return self.log.read_text() if self.log.exists() else ""

    def files(self) -> list[str]:
        return sorted(name for name in os.listdir(self.folder) if name.endswith((".kvlog", ".kvsnap", ".new")))


def _line_of(stream: IO[bytes] | None) -> str:
    assert stream is not None
    return stream.readline().decode()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def keeping(folder: Path, *words: str, through: Sequence[str] = ()) -> Iterator[Keeper]:
    """A server that has yet to be started; whatever becomes of it, it does not outlive the block."""
    keeper = Keeper(folder, *words, through=through)
    try:
        yield keeper
    finally:
        if keeper.process is not None:
            keeper.kill()
            keeper.wait()
