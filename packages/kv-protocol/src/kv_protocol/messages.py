"""The numbers of the wire: reply statuses, meta keys, kinds of connection pushes. `protocol.md` explains them."""

from typing import Final

PROTOCOL_VERSION: Final = 1

OK: Final = 0
MORE: Final = 1
FAILED: Final = 2

DEADLINE: Final = 1
SEQ: Final = 2
SEEN: Final = 3
NAMESPACE: Final = 4
FENCE: Final = 5
TRACE: Final = 6

GOAWAY: Final = "GOAWAY"
LOCK_LOST: Final = "LOCK_LOST"
REVOKED: Final = "REVOKED"
