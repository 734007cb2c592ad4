"""The command kit: a typed function is a command's grammar on every door. Knows no command and no store."""

from kv_server.spec.catalog import command
from kv_server.spec.command import (
    ADMIN, BLOCKS, FAST, GROWS, NATIVE_DOOR, READ, RESP_DOOR, SLOW, STREAMS, SWEEPS, TAKES, WRITE,
    Declaration, Door, Flag, Grammar, Invocation, View,
)  # fmt: skip
from kv_server.spec.types import (
    NATIVE, OPTIONAL, Bool, Channel, Client, Count, Counted, Cursor, Duration, Float, Int, Key, Label, LockName, Name, Namespace,
    Number, Octets, Pattern, Same, Size, SourceKey, Text, Time, Timeout, Token, Token64, Unit, Value, Version,
)  # fmt: skip

__all__ = [
    "ADMIN", "BLOCKS", "FAST", "GROWS", "NATIVE", "NATIVE_DOOR", "OPTIONAL", "READ", "RESP_DOOR", "SLOW", "STREAMS", "SWEEPS",
    "TAKES", "WRITE", "Bool", "Channel", "Client", "Count", "Counted", "Cursor", "Declaration", "Door", "Duration", "Flag",
    "Float", "Grammar", "Int", "Invocation", "Key", "Label", "LockName", "Name", "Namespace", "Number", "Octets", "Pattern",
    "Same", "Size", "SourceKey", "Text", "Time", "Timeout", "Token", "Token64", "Unit", "Value", "Version", "View", "command",
]  # fmt: skip
