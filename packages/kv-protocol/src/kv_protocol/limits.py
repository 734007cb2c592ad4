"""Every maximum of the wire and the data model, with its reason. Defaults where the server may be configured."""

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB

MAX_FRAME: Final = 64 * MIB  # what one peer may make the other hold at once
MAX_HELLO_FRAME: Final = 16 * KIB  # before HELLO nobody is known: the first byte of a frame stays 0x00
VALUE_MARGIN: Final = 64 * KIB  # room for key, options and meta beside a value of the largest size
MAX_NAME: Final = 64 * KIB  # keys, locks, channels
MAX_NESTING: Final = 64  # values are checked and compared without deep recursion
MAX_CONTAINERS: Final = 1_048_576  # lists and maps in one value: one byte each on the wire, a hundred in memory
MAX_INT_BYTES: Final = 1 * KIB  # integers beyond 64 bits
MAX_BATCH: Final = 65_536  # positional arguments of one call
MAX_PARKED: Final = 4_096  # waiting calls and subscriptions of one connection
MAX_ANSWERS: Final = 16_384  # answers kept for one session
MAX_ANSWER_BYTES: Final = 4 * MIB  # the same, in bytes
MAX_KEPT_ANSWER: Final = 4 * KIB  # a larger answer is kept without its body
SESSION_LINGER_MS: Final = 60_000  # a session outlives its connection by this long
MAX_NAMESPACES: Final = 1_024
MAX_CONNECTIONS: Final = 10_000
MAX_OUTPUT: Final = 64 * MIB  # unsent bytes of one connection before it is closed
MAX_PARKED_BYTES: Final = 64 * MIB  # arguments of the calls of one connection that wait
MAX_EVENTS: Final = 1_024  # events of one subscription that wait for credit
MAX_EVENT_BYTES: Final = 4 * MIB  # the same, in bytes; one event may be longer
SLOTS: Final = 16_384  # as Redis Cluster counts
MAX_TTL_MS: Final = 100 * 366 * 86_400_000  # a hundred years: later is a mistake of units
MAX_LEASE_MS: Final = 24 * 3_600_000  # a lock that nobody renews for a day is forgotten, not held
MAX_UNDONE: Final = 100_000  # elements of a collection that an atomic block may change: it keeps a copy
