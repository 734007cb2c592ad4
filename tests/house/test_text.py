"""What no file of the project may contain: places of one machine, package indexes, notes to oneself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

UNWANTED = {
    r"\bpyp[i]\.org|pythonhoste[d]\.org|--(extra-)?index-url[ =]|--find-links[ =]": "is for the installer's settings",
    r"(?<![\w.~$}*])/(home|root|Users|opt|tmp|work|workspace)/": "is a path of one machine",
    r"\b(TO[D]O|FIXM[E]|XX[X])\b": "is a note to oneself: do it, or open an issue",
    r"^(<{7}|>{7}) ": "is a merge conflict",
}


@pytest.mark.parametrize("pattern", UNWANTED, ids=["indexes", "machine paths", "notes", "conflicts"])
def test_no_file_contains(pattern: str, project_files: list[Path], root: Path) -> None:
    found = []
    for path in project_files:
        text = path.read_bytes().decode("utf-8", "replace")
        for match in re.finditer(pattern, text, re.MULTILINE):
            line = text.count("\n", 0, match.start()) + 1
            found.append(f"{path.relative_to(root)}:{line}: {match.group()!r} {UNWANTED[pattern]}")
    assert not found, "\n".join(found)


def test_every_requirement_is_pinned_with_hashes(root: Path) -> None:
    pins = sorted(root.glob("requirements/*.txt"))
    assert {path.stem for path in pins} == {path.stem for path in root.glob("requirements/*.in")}
    for path in pins:
        entries = re.sub(r"\\\n\s*", " ", path.read_text()).splitlines()
        loose = [entry for entry in entries if not re.match(r"[a-z0-9-]+==[^ ]+ .*--hash=sha256:[0-9a-f]{64}", entry)]
        assert not loose, f"{path.name}: {loose}"


def test_what_serves_is_pinned_alike_everywhere(root: Path) -> None:
    """An environment made for tests or benchmarks also serves."""
    pins = {path.stem: path.read_text() for path in root.glob("requirements/*.txt")}
    serving = set(re.findall(r"^([a-z0-9-]+==[^ ]+)", pins["serve"], re.MULTILINE))
    for name, text in pins.items():
        assert serving <= set(re.findall(r"^([a-z0-9-]+==[^ ]+)", text, re.MULTILINE)), f"requirements/{name}.txt"


def test_links_between_pages_lead_somewhere(project_files: list[Path], root: Path) -> None:
    broken = []
    for page in project_files:
        if page.suffix == ".md":
            for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
                if not (page.parent / target).exists():
                    broken.append(f"{page.relative_to(root)} -> {target}")
    assert not broken, "\n".join(broken)
