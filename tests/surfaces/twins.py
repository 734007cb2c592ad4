"""The plain twin of a module of which the native one was imported."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


def plain_twin(module: ModuleType) -> ModuleType:
    """The same module from its Python source; the tests that ask for it are skipped where that was imported anyway."""
    path = Path(str(module.__file__))
    if path.suffix == ".py":
        pytest.skip(f"{module.__name__} is not compiled", allow_module_level=True)
    source = path.with_name(path.name.partition(".")[0] + ".py")
    spec = importlib.util.spec_from_file_location(f"{module.__name__}_plain", source)
    assert spec is not None and spec.loader is not None
    twin = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(twin)
    return twin
