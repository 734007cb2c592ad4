"""The numbers of effects, and why a key or a lock went. A row names the opcode first, what it is about second.

The high digit of an opcode tells the room of that name: 1 to 6 are keys (by the type of what they hold), 8 locks,
9 sessions, A whole namespaces.
"""

from typing import Final

KEYS: Final = 0x10
LOCKS: Final = 0x80
SESSIONS: Final = 0x90
NAMESPACES: Final = 0xA0

KEY_PUT: Final = 0x11
KEY_DROP: Final = 0x12
KEY_EXPIRY: Final = 0x13
KEY_MOVE: Final = 0x14
LOCK_GRANT: Final = 0x81
LOCK_EXTEND: Final = 0x82
LOCK_DROP: Final = 0x83
ANSWERED: Final = 0x91
NAMESPACE_FLUSH: Final = 0xA1
NAMESPACE_DROP: Final = 0xA2

DELETED: Final = 0  # causes of KEY_DROP
EXPIRED: Final = 1
EVICTED: Final = 2

RELEASED: Final = 0  # causes of LOCK_DROP
LAPSED: Final = 1
BROKEN: Final = 2
