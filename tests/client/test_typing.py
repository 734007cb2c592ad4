"""Types of the client are what a type checker is told they are: of its calls, and of everything the documents show."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from tools.emitters.blocking import blocking

from tests.client.examples import blocks, statements
from tests.client.test_examples import EXAMPLES, PAGES, ROOT

HEAD = """
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from dataclasses import dataclass

import kv_client
from kv_client import BitOperation, Client
"""


def checked(file: Path) -> str:
    """What mypy says about *file*."""
    options = ["--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", os.devnull, "--no-error-summary"]
    command = [sys.executable, "-m", "mypy", *options, str(file)]
    outcome = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return outcome.stdout + outcome.stderr


CALLS = (ROOT / "tests" / "client" / "typed_calls.py").read_text("utf-8")


@pytest.fixture(params=["kv_client", "kv_client.aio", "kv_client.sync"])
def calls(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The calls on a face."""
    file = tmp_path / "calls.py"
    text = CALLS.replace("from kv_client import", f"from {request.param} import")
    file.write_text(blocking(text, "") if request.param.endswith("sync") else text)
    return file


def test_calls_have_the_types_that_mypy_is_told(calls: Path) -> None:
    assert checked(calls) == ""


def test_calls_have_the_types_that_pyright_is_told(calls: Path) -> None:
    settings = {
        "typeCheckingMode": "strict",
        "extraPaths": [str(path) for path in (ROOT / "packages").glob("*/src")],
        "reportUnnecessaryTypeIgnoreComment": "error",
    }
    (calls.parent / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable]
    outcome = subprocess.run(command, cwd=calls.parent, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stdout


def test_a_wrong_type_is_found(tmp_path: Path) -> None:
    file = tmp_path / "wrong.py"
    file.write_text(f"{HEAD}\nasync def wrong(client: Client) -> str:\n    return await client.incr('n')\n")
    assert "Incompatible return value type" in checked(file)


@pytest.mark.parametrize("source", ["docstrings", "pages"])
def test_what_is_shown_is_typed(source: str, tmp_path: Path) -> None:
    texts = list(EXAMPLES.values())
    if source == "pages":
        texts = ["".join(blocks(page)) for page in PAGES]
    lines = [HEAD]
    for number, text in enumerate(texts):
        lines += [f"async def example_{number}(client: Client) -> None:"]
        lines += [textwrap.indent(statement, "    ") for statement in statements(text)]
    file = tmp_path / "shown.py"
    file.write_text("\n".join(lines))
    assert checked(file) == ""
