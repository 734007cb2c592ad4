"""Import every module of the packages named on the command line, and find nothing of the others on the way."""

from __future__ import annotations

import importlib
import pkgutil
import sys

NEVER = {"kv_protocol": {"kv_server", "kv_client"}, "kv_server": {"kv_client"}, "kv_client": {"kv_server"}}


def main(packages: list[str]) -> None:
    for name in packages:
        package = importlib.import_module(name)
        for module in pkgutil.walk_packages(package.__path__, name + "."):
            if not module.name.endswith(("__main__", "pytest_plugin")):
                importlib.import_module(module.name)
        met = NEVER[name] & sys.modules.keys()
        if met:
            sys.exit(f"{name} imports {met}")


if __name__ == "__main__":
    main(sys.argv[1:])
