"""What an entry may hold: the numbers of the kinds, which stand in every log, and their names."""

from typing import Final

__all__ = ["HASH", "KINDS", "LIST", "SCALAR", "SET", "STREAM", "ZSET"]

SCALAR: Final = 1
HASH: Final = 2
LIST: Final = 3
SET: Final = 4
ZSET: Final = 5
STREAM: Final = 6

KINDS: Final = {SCALAR: "scalar", HASH: "hash", LIST: "list", SET: "set", ZSET: "zset", STREAM: "stream"}
