"""Values, as both sides see them: one import for the canonical form, the classes, and the plain text of blobs."""

from kv_protocol.blobs import bytes_blob, class_of, float_blob, int_blob, str_blob
from kv_protocol.canonical import Value, check, check_all, decode, encode
from kv_protocol.plain_text import all_octets, from_octets, number, octets

__all__ = [
    "Value", "all_octets", "bytes_blob", "check", "check_all", "class_of", "decode", "encode", "float_blob",
    "from_octets", "int_blob", "number", "octets", "str_blob",
]  # fmt: skip
