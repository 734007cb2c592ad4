"""The names that all faces have in common."""

from kv_client._convert import Entry
from kv_client._core.statistics import Statistics
from kv_client._core.subscription import Gap, Message
from kv_client._markers import ABORT, DELETE, MISSING
from kv_client._pending import Pending
from kv_client._records import *  # noqa: F403
from kv_client._records import __all__ as _records
from kv_protocol.errors import *  # noqa: F403
from kv_protocol.errors import __all__ as _errors
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
    "Statistics",
    "Value",
]
__all__ += [name for name in _errors if name != "error_from_wire"]
__all__ += _records
