"""In which shard a key lies."""

from binascii import crc_hqx

from kv_protocol.names import slot

__all__ = ["shard_of"]


def shard_of(key: bytes, shift: int) -> int:
    """The shard of *key*: its slot, as Redis Cluster counts, without the last *shift* bits."""
    return (slot(key) if b"{" in key else crc_hqx(key, 0) & 16383) >> shift
