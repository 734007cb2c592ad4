"""The first page is true: its server starts as it says, its client runs as printed, its figures hold."""

from __future__ import annotations

import gc
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kv_server.model.entry import SCALAR, Loose
from kv_server.model.store import Store

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
DEFAULT_ADDRESS = "127.0.0.1:7440"


def block(language: str) -> str:
    """The one code block of the first page in *language*."""
    found = re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert len(found) == 1, f"{len(found)} blocks of {language}"
    return str(found[0])


def serving_command() -> list[str]:
    """The first command of the page; where dev.py made this environment it is run literally, else its last step is."""
    words = block("console").splitlines()[0].partition("#")[0].split()
    assert words == ["$", "python3", "dev.py", "serve"]
    if Path(sys.prefix) == ROOT / ".venv":
        return [sys.executable, *words[2:]]
    return [sys.executable, "-m", "kv_server"]


@pytest.fixture
def address() -> Iterator[str]:
    """Where a server listens that was started by the page's command, on a free port; it must end well on SIGTERM."""
    command = [*serving_command(), "--bind", "127.0.0.1:0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            ready = server.stdout.readline()
            assert " ready on 127.0.0.1:" in ready, ready
            yield ready.split(" ready on ")[1].split()[0]
            server.send_signal(signal.SIGTERM)
            assert server.wait(timeout=30) == 0
        finally:
            server.kill()


def test_the_client_of_the_first_page_prints_what_the_page_says(address: str, tmp_path: Path) -> None:
    program = block("python")
    assert DEFAULT_ADDRESS in program
    example = tmp_path / "example.py"
    example.write_text(program.replace(DEFAULT_ADDRESS, address))
    environment = {**os.environ, "PYTHONWARNINGS": "error"}
    outcome = subprocess.run([sys.executable, example], capture_output=True, text=True, env=environment, timeout=60)
    assert outcome.stderr == ""
    assert outcome.stdout == block("text")
    assert outcome.returncode == 0


def test_the_default_address_is_the_servers() -> None:
    shown = subprocess.run([sys.executable, "-m", "kv_server", "config"], capture_output=True, text=True, check=True)
    assert re.search(rf"^bind +{re.escape(DEFAULT_ADDRESS)} +default$", shown.stdout, re.MULTILINE), shown.stdout


@pytest.mark.long
def test_a_full_collection_costs_what_the_page_says() -> None:
    """Within a factor of three: the figure is for a quiet machine."""
    said = float(re.findall(r"about ([0-9.]+) seconds for each million keys", README)[0])
    keys = 500_000
    table = Store(1, b"").namespace(b"n").table()
    for number in range(keys):
        table.put(b"key:%012d" % number, Loose(SCALAR, bytes(100), number, 0))
    began = time.perf_counter()
    gc.collect()
    assert time.perf_counter() - began < 3 * said * keys / 1_000_000
