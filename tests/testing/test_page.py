"""The page on testing is true: its examples are run as they stand, and its tests by pytest."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import trio

import kv_client
from kv_server.testing import server
from tests.client.examples import blocks, failures
from tests.testing.test_plugin import outcome

PAGE = Path(__file__).parents[2] / "docs" / "testing.md"


async def test_what_the_page_shows_is_so(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    found: list[str] = []
    async with server() as s, kv_client.connect(s.url, dial=s.dial, name="one") as client:
        space: dict[str, Any] = {"folder": str(tmp_path)}
        for number, block in enumerate(blocks(PAGE), 1):
            space |= {"s": s, "client": client}
            found += await failures(block, f"{PAGE.name}, block {number}", client, space)
    assert not found, "\n".join(found)


def test_the_tests_that_the_page_shows_pass(tmp_path: Path) -> None:
    [shown] = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    said = outcome(tmp_path, test_shown=shown)
    assert "2 passed" in said, said
