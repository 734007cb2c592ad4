"""Facts that stand in two places stay equal: errors, limits, versions, the two commands, the words of commands."""

from __future__ import annotations

import ast
import inspect
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from kv_protocol import errors
from kv_server.engine import rows
from kv_server.engine.tx import EFFECTS

if TYPE_CHECKING:
    from tests.house.conftest import Module

HANDSHAKE = {"HELLO", "CANCEL", "CREDIT"}  # what the native surface answers itself, by protocol.md


def classes(root: type[errors.KvError] = errors.KvError, depth: int = 0) -> dict[str, tuple[int, str, bool]]:
    """Name -> (depth in the tree, own code or empty, retryable)."""
    found = {root.__name__: (depth, str(vars(root).get("code", "")), root.retryable)}
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:
            found.update(classes(child, depth + 1))
    return found


def drawn_tree() -> dict[str, tuple[int, str, bool]]:
    """Name -> (depth, code or empty, only at the client), as the docstring of errors.py draws it."""
    rows = re.findall(r"^((?:    )*)([A-Z]\w+)(?:  +(\S.*))?$", errors.__doc__ or "", re.MULTILINE)
    drawn = {}
    for indent, name, rest in rows:
        code = re.match(r"[A-Z_]{4,}\b", rest)
        drawn[name] = (len(indent) // 4, code.group() if code else "", rest.startswith("(client only)"))
    return drawn


def test_the_error_tree_is_drawn_as_it_is() -> None:
    drawn = drawn_tree()
    real = classes()
    assert drawn.keys() == real.keys()
    for name, (depth, code, _) in real.items():
        if name != "KvError":
            assert drawn[name][0] == depth, name
            assert drawn[name][2] or drawn[name][1] == code, name


def test_protocol_md_lists_every_error_of_the_wire(root: Path) -> None:
    page = (root / "protocol.md").read_text("utf-8")
    section = page[page.index("## 9. Errors") : page.index("## 10.")]
    rows = re.findall(r"^\| ([A-Z_]+) \| (yes)? ?\|", section, re.MULTILINE)
    listed = {code: retry == "yes" for code, retry in rows}
    at_client = {name for name, (_, _, only) in drawn_tree().items() if only}
    real = {
        code: retryable
        for name, (_, code, retryable) in classes().items()
        if code and name not in at_client and name != "KvError"
    }
    assert listed == real


def test_every_limit_is_enforced_somewhere(modules: list[Module]) -> None:
    limits = next(module for module in modules if module.name == "kv_protocol.limits")
    declared = {node.target.id for node in limits.tree.body if isinstance(node, ast.AnnAssign)}  # type: ignore[union-attr]
    used = set()
    for module in modules:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                used.add(node.id)
            elif isinstance(node, ast.Attribute):
                used.add(node.attr)
    assert declared <= used, f"limits that nothing enforces: {sorted(declared - used)}"


def test_surfaces_and_net_know_no_command(modules: list[Module]) -> None:
    declaring = [module for module in modules if module.name.startswith("kv_server.commands")]
    words = {word for module in declaring for word in declared_words(module)}
    for module in modules:
        if module.name.startswith(("kv_server.surfaces", "kv_server.net")):
            for node in ast.walk(module.tree):
                if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
                    text = node.value if isinstance(node.value, str) else node.value.decode("latin-1")
                    known = text in words and text not in HANDSHAKE
                    assert not known, f"{module.name}:{node.lineno} names the command {text}: use its declaration"


def declared_words(module: Module) -> set[str]:
    """The wire names of the commands that *module* declares."""
    words = set()
    for node in module.tree.body:
        if not isinstance(node, ast.FunctionDef):
            continue
        for decorator in node.decorator_list:
            if isinstance(decorator, ast.Call) and ast.unparse(decorator.func).rpartition(".")[2] == "command":
                names = [word.value for word in decorator.keywords if word.arg == "name"]
                given = names[0].value if names and isinstance(names[0], ast.Constant) else None
                words.add(str(given or node.name.strip("_").upper()))
    return words


def test_the_packages_carry_one_version(root: Path) -> None:
    versions = set()
    for path in root.glob("packages/*/pyproject.toml"):
        versions.add(tomllib.loads(path.read_text())["project"]["version"])
    for path in root.glob("packages/*/src/*/__init__.py"):
        versions.update(re.findall(r'^__version__(?:: Final)? = "(.+)"', path.read_text(), re.MULTILINE))
    assert len(versions) == 1, versions


def test_the_two_commands_are_the_same_everywhere(root: Path) -> None:
    commands = ("python3 dev.py serve", "python3 dev.py test")
    for page in ("README.md", "CONTRIBUTING.md"):
        text = (root / page).read_text("utf-8")
        assert all(command in text for command in commands), page
    assert "dev.py test" in (root / ".ci" / "run").read_text()


def test_architecture_md_lists_every_effect_with_its_arguments(root: Path) -> None:
    page = (root / "ARCHITECTURE.md").read_text("utf-8")
    listed = {
        int(number, 16): (name, len(arguments.split()))
        for number, name, arguments in re.findall(r"^\| `(0x[0-9A-F]{2}) ([A-Z_]+) ([a-z_ ]+)` \|", page, re.MULTILINE)
    }
    names = {value: name for name, value in vars(rows).items() if type(value) is int and value > 0x10}
    real = {
        opcode: (names[opcode], len(inspect.signature(method).parameters) - 1) for opcode, method in EFFECTS.items()
    }
    assert listed == real


def test_all_packages_are_compiled_by_one_recipe(root: Path) -> None:
    recipes = {path.read_text("utf-8") for path in root.glob("packages/*/hatch_build.py")}
    assert len(recipes) == 1
