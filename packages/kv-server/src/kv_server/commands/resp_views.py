"""The forms of replies that many commands share on the text door."""

from typing import Final

from kv_server.spec.command import View
from kv_server.spec.resp_kinds import OK, Simple

__all__ = ["AS_OK", "ASYNC_OR_SYNC"]


def ok(reply: object) -> Simple:
    """It is done; there is no more to say."""
    return OK


AS_OK: Final = View("ok", ok)
ASYNC_OR_SYNC: Final = (View("ok_async", ok, tokens=("ASYNC",)), View("ok_sync", ok, tokens=("SYNC",)))
"""Words that change nothing here: what was dropped is always freed in slices."""
