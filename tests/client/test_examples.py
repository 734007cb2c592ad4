"""What the documentation of the client shows is so: its examples are run against a server, and their types checked."""

from __future__ import annotations

from pathlib import Path

import pytest
from tools.emitters.examples import examples

import kv_client
from kv_client._async import commands, handles, keyspace, limiter, typed, walk
from kv_server.commands import CATALOG
from kv_server.spec.command import NATIVE_DOOR
from tests.client.examples import blocks, documented, failures
from tests.client.test_with_server import opened, served

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    *(
        ROOT / "docs" / page
        for page in ("types.md", "coordination.md", "clients.md", "start.md", "locks.md", "observing.md")
    ),
]
EXAMPLES = dict(documented(commands, handles, keyspace, limiter, typed, walk))
WITHOUT_DATA = {"namespace", "lock", "server"}


def test_every_command_on_data_has_an_example() -> None:
    data = [entry for entry in CATALOG if entry.declaration.doors & NATIVE_DOOR and entry.place == "tx"]
    assert not [entry.name for entry in data if entry.group not in WITHOUT_DATA and not examples(entry.doc)]


async def test_what_docstrings_show_is_so() -> None:
    found = []
    async with served() as url, opened(url) as client:
        for number, (name, doc) in enumerate(EXAMPLES.items()):
            found += await failures(doc, name, client.ns(f"example {number}"))
    assert not found, "\n".join(found)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
async def test_what_pages_show_is_so(page: Path) -> None:
    found: list[str] = []
    shown = blocks(page)
    async with served() as url, opened(url) as client:
        space = {"client": client, "kv_client": kv_client}
        for number, block in enumerate(shown, 1):
            found += await failures(block, f"{page.name}, block {number}", client, space)
    assert shown, f"{page.name} has no examples"
    assert not found, "\n".join(found)
