"""A terminal of its own, by tmux: typed at like a person would, read as a person sees it."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

LIMIT_S = 60.0
TMUX = shutil.which("tmux")
WITHOUT_TMUX = "tmux is not installed (Debian, Ubuntu: apt-get install tmux)"


class Terminal:
    """One window of a tmux server that nobody else knows."""

    def __init__(self, name: str) -> None:
        self._name = name

    def type(self, *keys: str) -> None:
        """Press *keys*, each a text or the name of a key: `Enter`, `Tab`, `C-c`."""
        self._tmux("send-keys", *keys)

    def line(self, line: str) -> None:
        self._tmux("send-keys", "-l", line)
        self._tmux("send-keys", "Enter")

    def screen(self) -> str:
        return self._tmux("capture-pane", "-p")

    def wait_for(self, sign: str) -> str:
        """The screen, as soon as the pattern *sign* is on it; fails if it does not come."""
        return self._wait(lambda screen: re.search(sign, screen, re.MULTILINE) is not None, sign)

    def wait_until_gone(self, sign: str) -> str:
        return self._wait(lambda screen: re.search(sign, screen, re.MULTILINE) is None, f"no {sign}")

    def cursor_is_visible(self) -> bool:
        return self._tmux("display-message", "-p", "#{cursor_flag}").strip() == "1"

    def in_full_screen(self) -> bool:
        """Whether a program has the alternate screen."""
        return self._tmux("display-message", "-p", "#{alternate_on}").strip() == "1"

    def child(self) -> int:
        """The process that the plain shell runs now."""
        shell = self._tmux("display-message", "-p", "#{pane_pid}").strip()
        return int(Path(f"/proc/{shell}/task/{shell}/children").read_text().split()[0])

    def resize(self, columns: int, rows: int) -> None:
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def _wait(self, fits: object, what: str) -> str:
        ends = time.monotonic() + LIMIT_S
        while not fits(screen := self.screen()):  # type: ignore[operator]
            assert time.monotonic() < ends, f"{what!r} does not come:\n{screen}"
        return screen

    def _tmux(self, *words: str) -> str:
        done = subprocess.run(["tmux", "-L", self._name, *words], capture_output=True, text=True, check=True)
        return done.stdout


@contextlib.contextmanager
def terminal(command: str, *, columns: int = 80, rows: int = 24, **variables: str) -> Iterator[Terminal]:
    """*command* at a terminal, in a plain shell that is still there when it has ended."""
    assert TMUX is not None, WITHOUT_TMUX
    name = f"kv-{uuid.uuid4().hex}"
    environment = {key: text for key, text in os.environ.items() if not key.startswith(("KV_", "TMUX"))}
    environment = {key: text for key, text in environment.items() if key not in ("COLUMNS", "LINES")}
    environment |= {"PS1": "$ ", "LC_ALL": "C.UTF-8", **variables}
    words = ["tmux", "-L", name, "-f", os.devnull, "new-session", "-d", "-x", str(columns), "-y", str(rows)]
    subprocess.run([*words, "bash", "--norc", "--noprofile"], check=True, env=environment)
    try:
        opened = Terminal(name)
        opened.wait_for(r"^\$$")
        opened.line(command)
        yield opened
    finally:
        subprocess.run(["tmux", "-L", name, "kill-server"], check=False, capture_output=True)


def kv(*words: str) -> str:
    """The command line that runs `kv` with *words*."""
    return shlex.join([sys.executable, "-m", "kv_client.shell", *words])
