"""Writes the binders of all commands as modules, one for each group, to be compiled: `python -m` this, and a folder."""

import sys
from pathlib import Path
from typing import Final

from kv_server.commands import CATALOG
from kv_server.spec import spelled
from kv_server.spec.binders import digest

__all__ = ["main"]

TYPED: Final = f"from kv_server.spec.spelled cimport {', '.join(spelled.__all__)}"


def main(folder: Path) -> None:
    """Write the modules; those that are as they should be are left alone, so that they are not compiled again."""
    folder.mkdir(parents=True, exist_ok=True)
    groups: dict[str, list[str]] = {}
    for command in CATALOG:
        groups.setdefault(command.group, []).append(command.source)
    for group, texts in groups.items():
        digests = [*map(digest, texts)]
        text = "\n\n".join((f'"""Binders of the group {group}."""', TYPED, f"DIGESTS = {digests!r}", *texts))
        path = folder / f"{group}.pyx"
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
    names = ", ".join(sorted(groups))
    (folder / "__init__.py").write_text(f'"""Binders, compiled ahead."""\n\nfrom kv_server.bound import {names}\n')


if __name__ == "__main__":
    main(Path(sys.argv[1]))
