"""Makes a native build to run from: a folder with the sources of all packages and their extensions.

`python tools/native.py build/native`, then run anything with that folder as PYTHONPATH. Made again, only what changed
is compiled. Modules named after the folder are compiled alone, to try one.
"""

from __future__ import annotations

import compileall
import filecmp
import importlib.util
import shutil
import sys
import time
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("kv-protocol", "kv-server", "kv-client", "kv-pool")
SOURCES = ("*.py", "*.pyx", "*.pxd", "*.h", "*.json", "py.typed")


def main() -> int:
    if len(sys.argv) < 2:
        print(__doc__)
        return 2
    target = Path(sys.argv[1]).resolve()
    began = time.monotonic()
    for package in PACKAGES:
        copy(ROOT / "packages" / package / "src", target)
    recipe = recipe_of(ROOT / "packages" / "kv-server")
    patterns = [
        each
        for package in PACKAGES
        if (ROOT / "packages" / package / "hatch_build.py").exists()
        for each in recipe.wanted(ROOT / "packages" / package / "pyproject.toml")
    ]
    try:
        made = recipe.build(target, patterns, sys.argv[2:])
    except recipe.Unbuildable as reason:
        print(f"tools/native.py: {reason}", file=sys.stderr)
        return 1
    for package in PACKAGES:  # a start is to take as long as that of what is installed
        compileall.compile_dir(target / package.replace("-", "_"), quiet=1)
    print(f"{len(made)} extensions in {target} after {time.monotonic() - began:.0f} s")
    return 0


def copy(source: Path, target: Path) -> None:
    """Bring the files of *source* to *target*: those that differ, so that what did not change is not compiled again."""
    for pattern in SOURCES:
        for path in source.rglob(pattern):
            twin = target / path.relative_to(source)
            if not twin.exists() or not filecmp.cmp(path, twin, shallow=False):
                twin.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, twin)
    for twin in target.glob(f"{next(source.iterdir()).name}/**/*.*"):
        kept = twin.is_dir() or not {"bound", "__pycache__"}.isdisjoint(twin.parts)
        stem = source / twin.relative_to(target).with_name(twin.name.partition(".")[0])
        if not kept and not any(stem.parent.glob(f"{stem.name}.*")):
            twin.unlink()


def recipe_of(package: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("hatch_build", package / "hatch_build.py")
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    assert spec.loader is not None
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    sys.exit(main())
