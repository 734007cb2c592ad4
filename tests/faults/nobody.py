"""The server as a program of a user who owns nothing, from the moment at which it turns to its folder. The number of
that user comes first.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from kv_server.app.cli import main
from kv_server.net.disk import Folder

if __name__ == "__main__":
    user, open_folder = int(sys.argv.pop(1)), Folder.__init__

    def open_as_nobody(self: Folder, *arguments: Any, **options: Any) -> None:
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)
        open_folder(self, *arguments, **options)

    Folder.__init__ = open_as_nobody  # type: ignore[method-assign]
    main()
