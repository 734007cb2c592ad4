"""What something takes and what it may take: tables count in the account of their namespace, that in the store's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

__all__ = ["NEVER", "Account"]

NEVER: Final = 1 << 62
"""A limit that nothing reaches."""


class Account:
    """Bytes and keys with the limits that are noticed. *whole* is the account that this one is part of."""

    __slots__ = ("bytes", "keys", "most_bytes", "most_keys", "press", "whole")

    def __init__(self, whole: Account | None) -> None:
        self.bytes = self.keys = 0
        self.most_bytes = self.most_keys = NEVER
        self.whole = self if whole is None else whole
        self.press: Callable[[Any], None] = ignore
        """Of a whole: called when a limit is passed, by the account that grew."""

    def grow(self, delta: int) -> None:
        """Account for *delta* bytes more, here and in the whole."""
        self.bytes += delta
        whole = self.whole
        whole.bytes += delta
        if self.bytes > self.most_bytes or whole.bytes > whole.most_bytes:
            whole.press(self)


def ignore(account: Account) -> None:
    """Nobody notices."""
