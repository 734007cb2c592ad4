"""What docs/production.md shows can be used as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import kv_client

PAGE = Path(__file__).parents[1] / "docs" / "production.md"
TEXT = PAGE.read_text("utf-8")


def test_the_configuration_of_the_page_is_one(tmp_path: Path) -> None:
    (settings,) = re.findall(r"^```toml\n(.*?)^```", TEXT, re.M | re.S)
    file = tmp_path / "kv.toml"
    file.write_text(settings)
    words = [sys.executable, "-m", "kv_server", "--config", str(file), "--check-config"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_error_of_the_page_is_one_that_clients_raise() -> None:
    section = TEXT.partition("## When it hurts")[2]
    named = re.findall(r"^\| `([A-Z]\w+)` \|", section, re.M)
    assert named
    assert all(issubclass(getattr(kv_client, name), kv_client.KvError) for name in named)
