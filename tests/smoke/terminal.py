"""A program at a terminal of its own, typed at and read as a person would."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import selectors
import struct
import subprocess
import termios
import time
from collections.abc import Iterator

LIMIT_S = 20.0
SIZE = (50, 200)
CONTROLS = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[()][A-Z0-9]")


class Terminal:
    """What stands on the screen since the last look."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._seen = ""

    def type(self, line: str) -> None:
        os.write(self._descriptor, line.encode() + b"\r")

    def wait_for(self, sign: str) -> str:
        """What appears up to *sign*, a pattern; fails if it does not come."""
        ends = time.monotonic() + LIMIT_S
        with selectors.DefaultSelector() as ready:
            ready.register(self._descriptor, selectors.EVENT_READ)
            while (found := re.search(sign, self._seen)) is None:
                assert ready.select(max(ends - time.monotonic(), 0)), f"{sign!r} does not appear:\n{self._seen}"
                try:
                    data = os.read(self._descriptor, 65_536)
                except OSError:
                    data = b""
                assert data, f"the program ended before {sign!r}:\n{self._seen}"
                self._seen = CONTROLS.sub("", self._seen + data.decode("utf-8", "replace"))
        said, self._seen = self._seen[: found.end()], self._seen[found.end() :]
        return said


@contextlib.contextmanager
def terminal(*words: str) -> Iterator[Terminal]:
    """*words*, run at a terminal; ended with the block."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", *SIZE, 0, 0))
    environment = {**os.environ, "TERM": "xterm", "HOME": os.devnull}
    process = subprocess.Popen(
        words, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
    )
    os.close(theirs)
    try:
        yield Terminal(ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
