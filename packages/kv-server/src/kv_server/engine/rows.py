"""The numbers of effects, and why a key or a lock went. A row names the opcode first, what it is about second.

The high digit of an opcode tells the room of that name: 1 to 6 are keys (by the type of what they hold), 8 locks,
9 sessions, A whole namespaces, B channels.
"""

from typing import Final

KEYS: Final = 0x10
LOCKS: Final = 0x80
SESSIONS: Final = 0x90
NAMESPACES: Final = 0xA0
CHANNELS: Final = 0xB0

KEY_PUT: Final = 0x11
KEY_DROP: Final = 0x12
KEY_EXPIRY: Final = 0x13
KEY_MOVE: Final = 0x14
KEY_LOAD: Final = 0x15
KEY_COPY: Final = 0x16
HASH_PUT: Final = 0x21
HASH_DROP: Final = 0x22
LIST_PUSH: Final = 0x31
LIST_POP: Final = 0x32
LIST_SET: Final = 0x33
LIST_INSERT: Final = 0x34
LIST_REMOVE: Final = 0x35
LIST_TRIM: Final = 0x36
SET_ADD: Final = 0x41
SET_REMOVE: Final = 0x42
ZSET_PUT: Final = 0x51
ZSET_DROP: Final = 0x52
STREAM_ADD: Final = 0x61
STREAM_DELETE: Final = 0x62
STREAM_TRIM: Final = 0x63
STREAM_SET: Final = 0x64
GROUP_PUT: Final = 0x65
GROUP_DROP: Final = 0x66
CONSUMER_PUT: Final = 0x67
CONSUMER_DROP: Final = 0x68
PENDING_PUT: Final = 0x69
PENDING_DROP: Final = 0x6A
LOCK_GRANT: Final = 0x81
LOCK_EXTEND: Final = 0x82
LOCK_DROP: Final = 0x83
LOCK_BIND: Final = 0x84
ANSWERED: Final = 0x91
SESSION_OPEN: Final = 0x92
SESSION_END: Final = 0x93
NAMESPACE_FLUSH: Final = 0xA1
NAMESPACE_DROP: Final = 0xA2
NAMESPACE_SWAP: Final = 0xA3
MESSAGE: Final = 0xB1

DELETED: Final = 0  # causes of KEY_DROP
EXPIRED: Final = 1
EVICTED: Final = 2

RELEASED: Final = 0  # causes of LOCK_DROP
LAPSED: Final = 1
BROKEN: Final = 2

WORDS: Final = {
    number: word for word, number in list(globals().items()) if type(number) is int and number > KEYS and number & 15
}
"""The effects by their numbers. Each is the method of that name."""
