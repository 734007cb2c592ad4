"""Lists: value blobs in order."""

from kv_server.model.container import CONTAINERS
from kv_server.model.entry import LIST
from kv_server.model.large_list import LargeList as List

__all__ = ["List"]

CONTAINERS[LIST] = List
