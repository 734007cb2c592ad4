"""What a module looks like from outside: its docstring, its size, its name, and that somebody uses it."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import PurePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.house.conftest import Module

LONGEST_MODULE = 400
LONGEST_FUNCTION = 70
VAGUE = {"util", "utils", "helper", "helpers", "common", "base", "manager", "misc", "tools"}
ENTRANCES = {
    "kv_server.app.ahead",
    "kv_server.app.cli",
    "kv_server.__main__",
    "kv_server.testing",
    "kv_server.pytest_plugin",
    "kv_client.aio",
    "kv_pool.aio",
    "kv_pool.sync",
    "kv_client.sync",
    "kv_client.shell.__main__",
}


def test_a_module_says_what_it_owns(file: Module) -> None:
    text = ast.get_docstring(file.tree) or ""
    assert len(text.split()) >= 4, f"{file.name} needs a docstring that says what it owns"


def test_a_module_fits_in_the_head(file: Module) -> None:
    length = file.source.count("\n")
    exempt = file.is_generated or file.name.startswith("tests/")
    assert exempt or length <= LONGEST_MODULE, f"{file.name} has {length} lines: split it by noun"


def test_a_function_fits_on_a_screen(file: Module) -> None:
    if file.is_generated:
        return
    for node in ast.walk(file.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= LONGEST_FUNCTION, f"{file.name}:{node.lineno} {node.name} has {length} lines"


def test_a_module_is_named_after_something(file: Module) -> None:
    vague = {part.strip("_") for part in PurePath(file.name).with_suffix("").parts[1:]} & VAGUE
    assert not vague, f"{file.name}: {vague} says nothing about what is in there"


def test_every_module_is_used(modules: list[Module], root: Path) -> None:
    leaves = "".join(path.read_text() for path in root.glob("packages/*/src/**/*.pyx"))
    reached = {target for module in modules for _, target in module.imports()}
    reached |= set(re.findall(r"^from (\S+) import", leaves, re.MULTILINE))
    used = reached | {target.rpartition(".")[0] for target in reached} | ENTRANCES
    packages = {module.name for module in modules if module.path.name == "__init__.py"}
    dead = {module.name for module in modules} - packages - used
    assert not dead, f"no module of the packages imports {sorted(dead)}"


def test_a_module_with_a_layout_is_compiled(root: Path) -> None:
    for project in root.glob("packages/*/pyproject.toml"):
        compiled = tomllib.loads(project.read_text())["tool"].get("kv", {}).get("compile", [])
        source = project.parent / "src"
        laid_out = [path for path in source.glob("**/*.pxd") if path.stem != "__init__"]
        for path in [path.with_suffix(".py").relative_to(source) for path in laid_out]:
            leaf = (source / path).with_suffix(".pyx").exists()
            alone = not (source / path).exists()  # it says what a header holds
            assert leaf or alone or any(map(path.match, compiled)), f"{path} would be read with the layout of another"


def test_every_package_is_typed_and_licensed(root: Path) -> None:
    text = (root / "LICENSE").read_bytes()
    for package in sorted(root.glob("packages/*")):
        assert (package / "LICENSE").read_bytes() == text, f"{package.name} ships another licence than the project"
        assert list(package.glob("src/*/py.typed")), f"{package.name} has no py.typed"
        assert (package / "README.md").read_text().startswith("# "), f"{package.name} has no README"
