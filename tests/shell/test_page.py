"""What docs/shell.md shows is so: its commands are run at a terminal, one after the other, and answer as it says."""

from __future__ import annotations

import os
import pty
import re
import shlex
import subprocess
import sys
from pathlib import Path

import kv_client.sync
from kv_client.shell._toolbox import TOOLS

PAGE = Path(__file__).parents[2] / "docs" / "shell.md"
TEXT = PAGE.read_text("utf-8")


def shown() -> list[tuple[str, str]]:
    """Each command of the page with what it writes."""
    found = []
    for block in re.findall(r"^```console\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, answer = part.partition("\n")
            found.append((command, answer))
    return found


def at_a_terminal(command: str, url: str) -> str:
    """What *command* writes where its output is a terminal."""
    ours, theirs = pty.openpty()
    program = shlex.join([sys.executable, "-m", "kv_client.shell"])
    script = f'kv() {{ {program} "$@"; }}\n{command}'
    kept = {name: text for name, text in os.environ.items() if not name.startswith("KV_")}
    process = subprocess.Popen(
        ["bash", "-c", script], stdin=subprocess.DEVNULL, stdout=theirs, stderr=subprocess.DEVNULL,
        env={**kept, "KV_URL": url},
    )  # fmt: skip
    os.close(theirs)
    said = b""
    while True:
        try:
            data = os.read(ours, 65_536)
        except OSError:
            break
        if not data:
            break
        said += data
    process.wait(30)
    os.close(ours)
    return said.decode().replace("\r\n", "\n")


def test_the_commands_of_the_page_answer_as_it_says(server: str) -> None:
    wrong = []
    for command, answer in shown():
        said = at_a_terminal(command, server)
        pattern = ".+".join(map(re.escape, answer.split("...")))
        if not re.fullmatch(pattern, said):
            wrong.append(f"$ {command}\n{said}instead of\n{answer}")
    assert not wrong, "\n".join(wrong)
    assert len(shown()) > 15
    with kv_client.sync.connect(server) as client:
        assert client.get("a") == 5


def test_the_page_names_every_tool_and_every_option() -> None:
    for name in TOOLS:
        assert f"| `kv {name}" in TEXT
    for option in ("--url", "--namespace", "--timeout", "--ca", "--cert", "--key", "--json", "--text", "--fence"):
        assert f"`{option}" in TEXT
