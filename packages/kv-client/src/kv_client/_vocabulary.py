"""The names that all faces have in common, besides records and errors."""

from kv_client._convert import Entry
from kv_client._core.statistics import Statistics
from kv_client._core.subscription import Gap, Message, SeenCall
from kv_client._markers import ABORT, DELETE, MISSING
from kv_client._pending import Pending
from kv_protocol.types import Change, Fence, LeaseInfo, LockInfo
from kv_protocol.values import Value

__all__ = [
    "ABORT",
    "DELETE",
    "MISSING",
    "Change",
    "Entry",
    "Fence",
    "Gap",
    "LeaseInfo",
    "LockInfo",
    "Message",
    "Pending",
    "SeenCall",
    "Statistics",
    "Value",
]
