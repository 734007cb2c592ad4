"""Compiles the package while its wheel is built: what `[tool.kv] compile` lists, and every leaf in Cython.

Needs Cython and a C compiler. Where one of them is missing, or PURE_PYTHON=1 is set, the wheel is plain Python and
serves as well, only slower. An editable installation is always plain.
"""

from __future__ import annotations

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

DIRECTIVES = {"language_level": 3, "binding": True, "annotation_typing": False}
FLAGS = ["-O2", "-g0", "-fwrapv", "-fno-semantic-interposition", "-Wno-unused-function", "-Wno-unreachable-code"]

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
    Options.error_on_unknown_names = False  # what binders name is given to them at run time
    names = set(only)
    modules = {dotted(root, path): path for path in sources(root, patterns)}
    jobs = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    extensions = [
        Extension(name, [os.path.relpath(path, root)], extra_compile_args=flags(name))
        for name, path in sorted(modules.items())
        if not names or name in names
    ]
    for extension in extensions:  # a leaf minds its own; what is one source is to fail as Python does
        extension.cython_directives = {"nonecheck": extension.sources[0].endswith(".py")}
    before = os.getcwd()
    os.chdir(root)
    try:
        made = cythonize(extensions, nthreads=jobs, quiet=True, compiler_directives=DIRECTIVES)
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


def dotted(root: Path, path: Path) -> str:
    return ".".join(path.relative_to(root).with_suffix("").parts)


def flags(name: str) -> list[str]:
    """Binders are many and thin: what optimizing them would bring is not worth the time it takes."""
    return [*FLAGS, "-O1"] if ".bound." in name else FLAGS
