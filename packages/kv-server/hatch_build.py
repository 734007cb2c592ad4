"""Compiles the package while its wheel is built: what `[tool.kv] compile` lists, and every leaf in Cython.

Needs Cython and a C compiler. Where one of them is missing, or PURE_PYTHON=1 is set, the wheel is plain Python and
serves as well, only slower. An editable installation is always plain.
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

COMMON = {"language_level": 3, "binding": True}
DIRECTIVES = {  # a leaf minds its own; what is one source is to fail as Python does
    "leaf": {},
    "bound": {"infer_types": True},
    "source": {"nonecheck": True, "annotation_typing": False},
}
FLAGS = ["-O2", "-g0", "-fwrapv", "-fno-semantic-interposition", "-Wno-unused-function", "-Wno-unreachable-code"]

CLOSURES = (ast.Lambda, ast.GeneratorExp, ast.FunctionDef)
FUTURE = "from __future__ import annotations"
TX = "from kv_server.engine.tx import Tx"

# Reads the table of commands from the sources, also where older extensions lie beside them.
AHEAD = """
import runpy, sys
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, SourceFileLoader
root = sys.argv[1]
def plain(path):
    if not path.startswith(root):
        raise ImportError
    return FileFinder(path, (SourceFileLoader, SOURCE_SUFFIXES))
sys.path_hooks.insert(0, plain)
sys.path.insert(0, root)
sys.modules["kv_server.bound"] = None
del sys.argv[1]
runpy.run_module("kv_server.app.ahead", run_name="__main__")
"""


class NativeHook(BuildHookInterface[Any]):
    """Adds extensions to the wheel, if they can be built."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable" or os.environ.get("PURE_PYTHON"):
            return
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            shutil.copytree(Path(self.root, "src"), root, dirs_exist_ok=True)
            try:
                made = build(root, wanted(Path(self.root, "pyproject.toml")))
            except Unbuildable as reason:
                self.app.display_warning(f"a plain Python wheel: {reason}")
                return
            kept = Path(self.root, "build", "extensions")
            shutil.rmtree(kept, ignore_errors=True)
            for path in made:
                target = kept / path.relative_to(root)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, target)
                build_data["force_include"][str(target)] = str(path.relative_to(root))
        build_data["pure_python"] = False
        build_data["infer_tag"] = True


class Unbuildable(Exception):
    """There will be no extensions; its text says why."""


def wanted(pyproject: Path) -> list[str]:
    """The patterns of modules to compile, as paths below `src`."""
    with pyproject.open("rb") as file:
        found: list[str] = tomllib.load(file)["tool"]["kv"]["compile"]
    return found


def build(root: Path, patterns: Iterable[str], only: Iterable[str] = ()) -> list[Path]:
    """Compile the modules under *root* that match, beside their sources; *only* some of them, by dotted name."""
    try:
        from Cython.Build import cythonize
        from Cython.Compiler import Options
        from setuptools import Distribution, Extension
        from setuptools.command.build_ext import build_ext
        from setuptools.errors import BaseError
    except ImportError as missing:
        raise Unbuildable(f"{missing.name} is not installed") from None
    write_binders(root, only)
    write_typed(root)
    Options.error_on_unknown_names = False  # what binders name is given to them at run time
    names = set(only)
    modules = {dotted(root, path): path for path in sources(root, patterns)}
    jobs = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    extensions = [
        Extension(name, [os.path.relpath(path, root)], extra_compile_args=flags(name))
        for name, path in sorted(modules.items())
        if not names or name in names
    ]
    before = os.getcwd()
    os.chdir(root)
    try:
        made = []
        for kind, directives in DIRECTIVES.items():
            alike = [extension for extension in extensions if kind_of(Path(extension.sources[0])) == kind]
            if alike:
                made += cythonize(alike, nthreads=jobs, quiet=True, compiler_directives={**COMMON, **directives})
        command = build_ext(Distribution({"ext_modules": made}))
        command.inplace, command.parallel, command.build_temp = True, jobs, str(root / ".objects")
        command.ensure_finalized()
        command.run()
        return [root / command.get_ext_fullpath(extension.name) for extension in made]
    except BaseError as error:
        raise Unbuildable(f"the C compiler failed: {error}") from None
    finally:
        os.chdir(before)


def write_binders(root: Path, only: Iterable[str]) -> None:
    """Have the package write the modules that are made from its table of commands, if it has one."""
    if only or not (root / "kv_server").exists():
        return
    words = [sys.executable, "-c", AHEAD, str(root), str(root / "kv_server" / "bound")]
    search = os.pathsep.join(path for path in sys.path if path)
    done = subprocess.run(words, env={**os.environ, "PYTHONPATH": search}, capture_output=True, text=True)
    if done.returncode:
        raise Unbuildable(f"the table of commands cannot be read: {done.stderr.strip().rpartition(chr(10))[2]}")


def sources(root: Path, patterns: Iterable[str]) -> Iterator[Path]:
    """The files to compile: of twins, the leaf."""
    for path in root.rglob("*.pyx"):
        yield path
    for pattern in patterns:
        for path in root.glob(pattern):
            if path.name not in ("__init__.py", "__main__.py") and not path.with_suffix(".pyx").exists():
                yield path


def kind_of(path: Path) -> str:
    """Of which of the kinds of modules this one is."""
    if path.parent.name == "bound":
        return "bound"
    return "leaf" if path.read_text("utf-8").startswith("# cython:") else "source"


def write_typed(root: Path) -> None:
    """Write beside each module of commands the same, line by line, with functions that know the class of `tx`."""
    for path in root.glob("kv_server/commands/*.py"):
        leaf = path.with_suffix(".pyx")
        if leaf.exists() and kind_of(leaf) == "leaf":
            continue
        text = typed(path.read_text("utf-8"))
        if text is None:
            leaf.unlink(missing_ok=True)
        elif not leaf.exists() or leaf.read_text("utf-8") != text:
            leaf.write_text(text, "utf-8")


def typed(text: str) -> str | None:
    """The source *text* with a line that tells the class of `tx` in place of the empty one before each function."""
    lines = text.split("\n")
    functions = [
        node for node in ast.parse(text).body
        if isinstance(node, ast.FunctionDef) and getattr(first_annotation(node), "id", None) == "Tx"
        and not any(isinstance(part, CLOSURES) for each in node.body for part in ast.walk(each))
    ]  # fmt: skip
    places = [min([node.lineno, *(each.lineno for each in node.decorator_list)]) - 2 for node in functions]
    future = lines.index(FUTURE) if FUTURE in lines else -1
    if not places or future < 0 or any(lines[place] for place in (*places, future + 1)):
        return None
    lines[lines.index(TX)] += "; cimport cython"
    for place in places:
        lines[place] = "@cython.locals(tx=Tx)"
    lines[future + 1] = TX.replace(" import ", " cimport ")
    return "\n".join(lines)


def first_annotation(function: ast.FunctionDef) -> ast.expr | None:
    given = function.args.posonlyargs + function.args.args
    return given[0].annotation if given else None


def dotted(root: Path, path: Path) -> str:
    return ".".join(path.relative_to(root).with_suffix("").parts)


def flags(name: str) -> list[str]:
    """Binders are many and thin: what optimizing them would bring is not worth the time it takes."""
    return [*FLAGS, "-O1"] if ".bound." in name else FLAGS
