"""The command table: an explicit list of modules, in the order of the documentation."""

from typing import Final

from kv_server.commands import connections, counters, keys, locks, namespaces, server, strings
from kv_server.spec.catalog import Catalog

__all__ = ["CATALOG"]

CATALOG: Final = Catalog.of(strings, counters, keys, namespaces, locks, connections, server)
