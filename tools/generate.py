"""Writes every file derived from the command table: the client's methods, the words of its shell, the page of
commands, the golden catalog; the blocking client, from the async one; the page of what differs from Redis, from the
classes that the contest with it allows.

`python tools/generate.py` writes them, `--check` fails if a file on disk differs from what would be written.
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), *(str(source) for source in sorted(ROOT.glob("packages/*/src")))]

from tools.emitters import blocking, client, differences, handles, pages, table, words  # noqa: E402

from kv_server.spec.catalog import Catalog  # noqa: E402

EMITTERS = {
    "packages/kv-client/src/kv_client/_records.py": client.emit_records,
    "packages/kv-client/src/kv_client/_replies.py": client.emit_replies,
    "packages/kv-client/src/kv_client/_batched.py": client.emit_batched,
    "packages/kv-client/src/kv_client/_async/commands.py": client.emit,
    "packages/kv-client/src/kv_client/_async/handles.py": handles.emit,
    **blocking.EMITTERS,
    "packages/kv-client/src/kv_client/shell/words.json": words.emit,
    "docs/commands.md": pages.emit,
    "docs/differences.md": differences.emit,
    "schemas/catalog.json": table.emit,
}


def generated(catalog: Catalog) -> dict[str, str]:
    """The text of every generated file, by its path below the workspace."""
    return {path: emit(catalog) for path, emit in EMITTERS.items()}


def stale(texts: dict[str, str], root: Path) -> list[str]:
    """The files that are missing or differ."""
    found = []
    for path, text in texts.items():
        file = root / path
        if not file.exists() or file.read_text("utf-8") != text:
            found.append(path)
    return found


def main(arguments: list[str] | None = None) -> int:
    """Write or check all files; the exit code."""
    from kv_server.commands import CATALOG

    parser = argparse.ArgumentParser(description="Write the files that are derived from the command table.")
    parser.add_argument("--check", action="store_true", help="write nothing, fail if a file differs")
    check = parser.parse_args(arguments).check
    texts = generated(CATALOG)
    changed = stale(texts, ROOT)
    for path in changed:
        if check:
            print(f"{path} is not what tools/generate.py writes")
        else:
            (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / path).write_text(texts[path], "utf-8")
            print(f"wrote {path}")
    return 1 if check and changed else 0


if __name__ == "__main__":
    sys.exit(main())
