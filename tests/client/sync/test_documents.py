"""What the docstrings of the blocking client show is so, and typed, as are the calls of the async faces."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import trio
from tools.emitters.blocking import blocking

import kv_client.sync
from kv_client._sync import commands, handles, keyspace, limiter, typed, walk
from kv_client.sync import Client
from tests.client.examples import KNOWN, documented, failures, statements
from tests.client.sync.peers import SECONDS
from tests.client.test_examples import EXAMPLES as ASYNC_EXAMPLES
from tests.client.test_examples import ROOT
from tests.client.test_typing import CALLS, HEAD, checked
from tests.faults.processes import Server

EXAMPLES = dict(documented(commands, handles, keyspace, limiter, typed, walk))


def in_threads(text: str) -> bool:
    """Whether an example is one of the blocking client."""
    return "await " not in text and "async " not in text


async def found_wrong(client: Client, texts: dict[str, str]) -> list[str]:
    found: list[str] = []
    for number, (name, doc) in enumerate(texts.items()):
        space = {**KNOWN, **vars(kv_client.sync), "client": client.ns(f"example {number}")}
        found += await failures(doc, name, client, space)
    return found


def test_everything_has_the_examples_that_it_has_on_the_async_faces() -> None:
    assert EXAMPLES.keys() == ASYNC_EXAMPLES.keys()
    assert all(map(in_threads, EXAMPLES.values()))


def test_what_docstrings_show_is_so(client: Client) -> None:
    found = trio.run(found_wrong, client, EXAMPLES)
    assert not found, "\n".join(found)


def test_what_the_page_shows_runs_and_is_typed(server: Server, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "clients.md").read_text("utf-8")
    (shown,) = [text for text in re.findall(r"^```python\n(.*?)^```", page, re.M | re.S) if "kv_client.sync" in text]
    file = tmp_path / "shown.py"
    file.write_text(shown.replace(":7440", f":{server.port}"))
    assert checked(file) == ""
    outcome = subprocess.run([sys.executable, file], capture_output=True, text=True, check=True, timeout=SECONDS)
    assert outcome.stdout == "{'name': 'Ada'} 1 ['user:1']\nset user:2 {'name': 'Bob'}\n"
    assert not outcome.stderr


def test_what_docstrings_show_is_typed(tmp_path: Path) -> None:
    lines = [HEAD.replace("from kv_client import", "from kv_client.sync import")]
    for number, text in enumerate(EXAMPLES.values()):
        lines += [f"def example_{number}(client: Client) -> None:"]
        lines += [textwrap.indent(statement, "    ") for statement in statements(text)]
    file = tmp_path / "shown.py"
    file.write_text("\n".join(lines))
    assert checked(file) == ""


def test_calls_have_the_types_that_are_told(tmp_path: Path) -> None:
    file = tmp_path / "calls.py"
    file.write_text(blocking(CALLS, "typed_calls").replace("from kv_client import", "from kv_client.sync import"))
    assert "await" not in file.read_text()
    assert checked(file) == ""


def test_a_wrong_type_is_found(tmp_path: Path) -> None:
    file = tmp_path / "wrong.py"
    file.write_text(
        "from kv_client.sync import Client\n\ndef wrong(client: Client) -> str:\n    return client.incr('n')\n"
    )
    assert "Incompatible return value type" in checked(file)
