"""Which kv is measured: the native build where there is one, and the plain one beside it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from attrs import frozen

ROOT: Final = Path(__file__).resolve().parent.parent
NATIVE: Final = ROOT / "build" / "native"


class Unavailable(Exception):
    """Something a run needs is missing; its text says what to do about it."""


@frozen
class Build:
    """One build of kv: *path* is what Python finds its packages by, or None for what is installed."""

    path: str | None = None

    def environment(self) -> dict[str, str] | None:
        """The environment of the programs of this build."""
        return None if self.path is None else os.environ | {"PYTHONPATH": self.path}

    def version(self) -> str:
        """What the server says it is."""
        words = [sys.executable, "-m", "kv_server", "--version"]
        told = subprocess.run(words, capture_output=True, text=True, cwd=ROOT / "benchmarks", env=self.environment())
        if told.returncode:
            raise Unavailable(f"kv-server of {self.path or 'what is installed'} does not run: {told.stderr[-500:]}")
        return told.stdout.strip()


INSTALLED: Final = Build()


def plain(path: str | None) -> Build:
    """The build at *path*, else the sources of this repository as they are."""
    return Build(path or os.pathsep.join(sorted(map(str, ROOT.glob("packages/*/src")))))


def native(path: str | None) -> Build:
    """The build at *path*, else one made here if that can be done, else what is installed."""
    if path is None and compiler() is not None and importlib.util.find_spec("Cython") is not None:
        made = subprocess.run([sys.executable, str(ROOT / "tools" / "native.py"), str(NATIVE)], stdout=sys.stderr)
        path = str(NATIVE) if made.returncode == 0 else None
    return INSTALLED if path is None else Build(os.pathsep.join(map(os.path.abspath, path.split(os.pathsep))))


def compiler() -> str | None:
    return next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
