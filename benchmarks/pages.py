"""Writes tables into README.md, each between the two comments that name it."""

from __future__ import annotations

import re
from typing import Final

from processes import HERE

PAGE: Final = HERE / "README.md"


def replace(name: str, text: str) -> None:
    """Let *text* stand in the place called *name*."""
    page = PAGE.read_text("utf-8")
    place = re.compile(rf"(<!-- {name}: [^>]*-->\n).*?(<!-- end of {name} -->)", re.DOTALL)
    found = place.search(page)
    if found is None:
        raise LookupError(f"README.md has no place called {name}")
    PAGE.write_text(f"{page[: found.end(1)]}{text}\n{page[found.start(2) :]}", "utf-8")
