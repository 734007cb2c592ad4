"""The server as a program whose disk fails when it is told to: as long as the file given first is there, the calls
named in it do, with the error named beside each (`sync EIO`).
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from typing import Any


def breaks_by(order: str) -> None:
    """Let what the server asks of its disk fail as the file *order* says."""
    from kv_server.net.disk import Folder

    def breaking(name: str) -> Callable[..., Any]:
        method = getattr(Folder, name)

        def asked(self: Folder, *arguments: Any) -> Any:
            try:
                with open(order) as told:
                    failing = dict(line.split() for line in told)
            except FileNotFoundError:
                failing = {}
            if name in failing:
                number = getattr(errno, failing[name])
                raise OSError(number, os.strerror(number))
            return method(self, *arguments)

        return asked

    for name in ("create", "write", "reserve", "sync", "sync_folder", "rename"):
        setattr(Folder, name, breaking(name))


if __name__ == "__main__":
    from kv_server.app.cli import main

    breaks_by(sys.argv.pop(1))
    main()
