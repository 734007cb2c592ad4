"""In which shard a key lies."""

from binascii import crc_hqx
from typing import Final

from kv_protocol.names import slot

__all__ = ["shard_of"]

_BRACE: Final = ord("{")  # looked for as a number: bytes are looked for at ten times the cost


def shard_of(key: bytes, shift: int) -> int:
    """The shard of *key*: its slot, as Redis Cluster counts, without the last *shift* bits."""
    return (slot(key) if _BRACE in key else crc_hqx(key, 0) & 16383) >> shift
