"""The source as the house rules see it: one `Module` for each Python file of the packages, parsed once."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SKIPPED = re.compile(r"\.(?!ci$|gitignore$)|__pycache__$|build$|dist$|node_modules$|.*\.egg-info$")


@dataclass(frozen=True)
class Module:
    """A file of the packages, or of the workspace around them, where *name* is its path."""

    name: str
    path: Path

    @functools.cached_property
    def source(self) -> str:
        return self.path.read_text("utf-8")

    @functools.cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.source, str(self.path))

    @property
    def package(self) -> str:
        return self.name.partition(".")[0]

    @property
    def is_generated(self) -> bool:
        return "GENERATED" in self.source[:400]

    def imports(self) -> Iterator[tuple[int, str]]:
        """Line and full name of everything imported at run time; `from a import b` is `a.b`."""
        unseen = list[ast.AST](self.tree.body)
        while unseen:
            node = unseen.pop()
            if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
                unseen += node.orelse
                continue
            unseen += ast.iter_child_nodes(node)
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{self.name}:{node.lineno}: import by the full name, not relatively"
                yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def read_modules() -> list[Module]:
    """Every module of every package, by its import name."""
    found = []
    for root in sorted(ROOT.glob("packages/*/src")):
        for path in sorted(root.rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            found.append(Module(".".join(part for part in parts if part != "__init__"), path))
    return found


def tracked_files() -> list[Path]:
    """Every file that belongs to the project: what a clone holds, without caches and environments."""
    found: list[Path] = []
    folders = [ROOT]
    while folders:
        for path in sorted(folders.pop().iterdir()):
            if SKIPPED.match(path.name):
                continue
            if path.is_dir():
                folders.append(path)
            else:
                found.append(path)
    return sorted(found)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes *module* runs once for each module of the packages, *file* once for each Python file."""
    if "module" in metafunc.fixturenames:
        metafunc.parametrize("module", read_modules(), ids=lambda module: module.name)
    if "file" in metafunc.fixturenames:
        files = [Module(str(path.relative_to(ROOT)), path) for path in tracked_files() if path.suffix == ".py"]
        metafunc.parametrize("file", files, ids=lambda file: file.name)


@pytest.fixture(scope="session")
def modules() -> list[Module]:
    """Every module of the packages."""
    return read_modules()


@pytest.fixture(scope="session")
def project_files() -> list[Path]:
    """Every file of the project."""
    return tracked_files()


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of the workspace."""
    return ROOT
