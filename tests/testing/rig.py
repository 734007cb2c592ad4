"""Clients of a server under test."""

from __future__ import annotations

from typing import Any

import kv_client
from kv_server.testing import TrioServer

__all__ = ["opened"]


def opened(s: TrioServer, name: str | None = None, **options: Any) -> kv_client.Client:
    """A client of *s*, to be opened."""
    return kv_client.connect(s.url, dial=s.dial, name=name, **options)
