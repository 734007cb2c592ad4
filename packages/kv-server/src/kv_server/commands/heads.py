"""The heads of answers as they are written on kv's own door."""

from struct import Struct
from typing import Final

__all__ = ["BIN8", "BIN32", "FALSE", "NIL", "START", "TRUE", "UINT64", "long_bin", "one_byte", "short_bin", "uint64"]

START: Final = 0x93CE  # an array of three, then the id as uint32

# After the length, START and the id comes the status, 0, with the first byte of the body.
one_byte = Struct(">IHIH").pack
short_bin = Struct(">IHIHB").pack
long_bin = Struct(">IHIHI").pack
uint64 = Struct(">IHIHQ").pack
NIL: Final = 0x00C0
FALSE: Final = 0x00C2
TRUE: Final = 0x00C3
BIN8: Final = 0x00C4
BIN32: Final = 0x00C6
UINT64: Final = 0x00CF
