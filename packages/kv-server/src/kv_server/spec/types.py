"""The closed table of parameter types: how each is checked, written, described and shown to clients.

An alias such as `Key` is `Annotated[bytes, <row>]`: a type checker sees plain bytes inside a command, the kit finds
the row. A row holds small templates of Python source; the binders paste them into straight-line functions, so one table
serves the typed door, the text door, the schemas and the generated client. `{x}` stands for the variable, `{label}` for
the parameter's name as a literal, `{raw}` for a word of a command line, `{scale}` for a multiplier, `{word}` for the
command's word.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, TypeAlias, TypeVar

from attrs import evolve, frozen

from kv_protocol import limits

__all__ = [
    "MAX_TIME_MS", "NATIVE", "OPTIONAL", "PAIRS", "TABLE", "TELLS", "TYPES", "Bool", "Bound", "Channel",
    "ChannelPattern", "Client", "Count", "Counted", "Cursor", "Duration", "Float", "InnerCall", "InnerWord", "Int",
    "Key", "KeyPattern", "Label", "LockName", "Name", "Namespace", "Number", "Octets", "Pattern", "Prefix", "Row",
    "Same", "Secret", "Size", "SourceKey", "TakenKey", "Text", "Time", "Timeout", "Token", "Token64",
    "Unit", "Value", "Version", "row_of_plain",
]  # fmt: skip


@frozen(eq=False, repr=False)
class Row:
    """One type.

    *refuse* is a condition that refuses what came over the wire, *then* are lines that check on or convert {x}; *text*
    is an expression over a word. Of the generated client are *client* (the annotation of an argument), *encode*,
    *answer* (the annotation of a reply, if another) and *decode*. *present* is what makes a reply of this type ready
    for the wire, *resp* for RESP; *shown* is the word on usage lines. *kind* is what it names, as rights are given for
    it; *access* is set for keys. What is *secret* is shown to nobody.
    """

    name: str
    expected: str
    refuse: str
    text: str
    schema: Mapping[str, Any]
    client: str
    then: tuple[str, ...] = ()
    encode: str = "{x}"
    answer: str | None = None
    decode: str = "{x}"
    shown: str | None = None
    kind: str | None = None
    access: str | None = None
    present: str | None = None
    resp: str | None = None
    secret: bool = False

    def __repr__(self) -> str:
        return f"<row {self.name}>"


@frozen
class Token:
    """The word that introduces an option on a command line; the number after it is multiplied by *scale*."""

    word: str
    scale: int = 1


@frozen
class Unit:
    """The number of a positional parameter is multiplied by *scale* on a command line."""

    scale: int


@frozen
class Label:
    """What a usage line calls the parameter."""

    word: str


@frozen
class Same:
    """An option with as many values as the counted parameter *name* has."""

    name: str


@frozen
class Client:
    """Python source of the annotation that generated clients use instead of the row's, and of what makes of `{x}` what
    travels, if that is another too.
    """

    annotation: str
    encode: str | None = None


@frozen
class Mark:
    """A plain mark on a parameter."""

    name: str


NATIVE: Final = Mark("native")
"""The parameter has no form on a command line."""
OPTIONAL: Final = Mark("optional")
"""A tail or a counted parameter may hold nothing."""
COUNTED: Final = Mark("counted")
PAIRS: Final = Mark("pairs")
"""On a view's `list[tuple[A, B]]`: RESP2 writes the pairs flat."""
TABLE: Final = Mark("table")
"""On a view's `dict[A, B]`: RESP2 writes an array of pairs."""
TELLS: Final = Mark("tells")
"""With this option a call that writes a key also tells what was there."""

MAX_TIME_MS: Final = 253_402_300_799_999  # the last moment that a datetime can say
_INT64: Final = (-(2**63), 2**63 - 1)
_UINT64: Final = (0, 2**64 - 1)
_NOT_BYTES: Final = "type({x}) is not bytes"
_BINARY: Final = {"type": "string", "contentEncoding": "base64"}
_CHECKED: Final = (
    "try:",
    "    check({x})",
    "except InvalidArgument as error:",
    "    raise about({label}, error) from None",
)


def _short_name(name: str, kind: str, *, access: str | None = None, shown: str | None = None) -> Row:
    return Row(
        name=name,
        expected=f"a name of at most {limits.MAX_NAME:,} bytes",
        refuse=f"{_NOT_BYTES} or len({{x}}) > {limits.MAX_NAME}",
        text="text_name({raw}, {label})",
        schema={"type": "string", "maxLength": limits.MAX_NAME},
        client="str",
        encode="_name({x})",
        decode="_text({x})",
        kind=kind,
        access=access,
        shown=shown,
        present="shown({x})",
    )


def _long_name(name: str, expected: str, *, kind: str | None = None, shown: str | None = None) -> Row:
    return Row(
        name=name,
        expected=expected,
        refuse=_NOT_BYTES,
        text="{raw}",
        schema={"type": "string"},
        client="str",
        encode="_name({x})",
        decode="_text({x})",
        kind=kind,
        shown=shown,
        present="shown({x})",
    )


def _integer(name: str, bounds: tuple[int, int], expected: str, text: str) -> Row:
    low, high = bounds
    return Row(
        name=name,
        expected=expected,
        refuse=f"type({{x}}) is not int or not {low} <= {{x}} <= {high}",
        text=text,
        schema={"type": "integer", "minimum": low, "maximum": high},
        client="int",
    )


def _duration(name: str, bounds: tuple[int, int], expected: str, text: str) -> Row:
    low, high = bounds
    return Row(
        name=name,
        expected=f"{expected}, {low} to {high:,}",
        refuse=f"type({{x}}) is not int or not {low} <= {{x}} <= {high}",
        text=text,
        schema={"type": "integer", "minimum": low, "maximum": high, "description": expected},
        client="float | timedelta",
        encode="_duration_ms({x})",
        answer="float",
        decode="_seconds({x})",
    )


KEY: Final = _short_name("key", "key", access="write")
TAKEN_KEY: Final = _short_name("taken_key", "key", access="both")
SOURCE_KEY: Final = _short_name("source_key", "key", access="read")
PREFIX: Final = _short_name("prefix", "prefix")
LOCK_NAME: Final = _short_name("lock_name", "lock")
CHANNEL: Final = _short_name("channel", "channel")
NAMESPACE: Final = evolve(
    _short_name("namespace", "namespace", shown="namespace"), text="text_namespace({raw}, {label})"
)
NAME: Final = _long_name("name", "a name (str or bytes)")
PATTERN: Final = _long_name("pattern", "a glob pattern (str or bytes)", shown="pattern")
CHANNEL_PATTERN: Final = evolve(PATTERN, name="channel_pattern", kind="pattern")
KEY_PATTERN: Final = evolve(NAME, name="key_pattern", kind="reach")
VALUE: Final = Row(
    name="value",
    expected="a value (a bin that holds canonical msgpack)",
    refuse=_NOT_BYTES,
    then=_CHECKED,
    text="from_octets({raw})",
    schema={"description": "any value"},
    client="Value",
    encode="_encode({x})",
    decode="_decode({x})",
    shown="value",
    resp="resp_value({x})",
)
NUMBER: Final = Row(
    name="number",
    expected="a number (a bin that holds a canonical int, float or Decimal)",
    refuse=_NOT_BYTES,
    then=("{x} = wire_number({x}, {label})",),
    text="text_number({raw})",
    schema={"type": "number"},
    client="int | float | Decimal",
    encode="_encode({x})",
    decode="_number({x})",
    resp="resp_value({x})",
)
TEXT: Final = Row(
    name="text",
    expected="UTF-8 text",
    refuse=_NOT_BYTES,
    then=("{x} = wire_text({x}, {label})",),
    text="text_text({raw}, {label})",
    schema={"type": "string"},
    client="str",
    decode="_text({x})",
)
NAME_TEXT: Final = Row(
    name="name_text",
    expected="a name (str or bytes)",
    refuse=_NOT_BYTES,
    then=("{x} = text({x})",),
    text="text({raw})",
    schema={"type": "string"},
    client="str",
    encode="_name({x})",
    decode="_text({x})",
    present="wire({x})",
)
OCTETS: Final = Row(
    name="octets", expected="bytes", refuse=_NOT_BYTES, text="{raw}", schema=_BINARY, client="bytes"
)  # fmt: skip
SECRET: Final = evolve(NAME, name="secret", expected="a str or bytes", secret=True)
INNER_WORD: Final = evolve(OCTETS, name="inner_word")
FLOAT: Final = Row(
    name="float",
    expected="a number",
    refuse="type({x}) is not float and type({x}) is not int",
    then=("{x} = wire_float({x}, {label})",),
    text="text_float({raw})",
    schema={"type": "number"},
    client="float",
)
BOUND: Final = Row(
    name="bound",
    expected="a number, or text such as (5, -inf, [a or (a",
    refuse="type({x}) is not bytes and type({x}) is not int and type({x}) is not float",
    text="{raw}",
    schema={"anyOf": [{"type": "number"}, {"type": "string"}]},
    client="float | str",
    encode="_bound({x})",
)
BOOL: Final = Row(
    name="bool",
    expected="true or false",
    refuse="{x} is not True and {x} is not False",
    text="text_bool({raw})",
    schema={"type": "boolean"},
    client="bool",
)
INT: Final = _integer("int", _INT64, "an integer of 64 bits", "text_int({raw})")
VERSION: Final = _integer("version", (0, _INT64[1]), "a version (an integer from 0)", "text_int({raw}, 0)")
COUNT: Final = _integer("count", (1, _INT64[1]), "an integer from 1", "text_count({raw}, {label})")
SIZE: Final = _integer("size", (0, _INT64[1]), "an integer from 0", "text_size({raw})")
CURSOR: Final = _integer("cursor", _UINT64, "a cursor (an integer of 64 bits)", "text_cursor({raw})")
TOKEN64: Final = _integer("token", _UINT64, "a token (an integer of 64 bits)", "text_token({raw})")
DURATION: Final = _duration(
    "duration", (1, limits.MAX_TTL_MS), "a duration in milliseconds", "text_duration({raw}, {scale}, {word})"
)
TIMEOUT: Final = _duration(
    "timeout", (0, limits.MAX_TTL_MS), "a time to wait in milliseconds", "text_timeout({raw}, {scale})"
)
TIME: Final = Row(
    name="time",
    expected="a time in milliseconds since 1970",
    refuse=f"type({{x}}) is not int or not 1 <= {{x}} <= {MAX_TIME_MS}",
    text="text_time({raw}, {scale}, {word})",
    schema={"type": "integer", "minimum": 1, "maximum": MAX_TIME_MS, "description": "milliseconds since 1970"},
    client="datetime | float",
    encode="_time_ms({x})",
    answer="datetime",
    decode="_moment({x})",
)
CALL: Final = Row(
    name="call",
    expected="a call: an array of its name, its arguments, and its options or nil",
    refuse="type({x}) is not list",
    then=("{x} = wire_call({x}, {label})",),
    text="{raw}",
    schema={"type": "array", "description": "a call: its name, its arguments, its options or null"},
    client="object",
)

TYPES: Final[Mapping[str, Row]] = {
    row.name: row
    for row in (
        KEY, TAKEN_KEY, SOURCE_KEY, PREFIX, LOCK_NAME, CHANNEL, NAMESPACE, NAME, PATTERN, CHANNEL_PATTERN, KEY_PATTERN,
        VALUE, NUMBER, TEXT, NAME_TEXT, OCTETS, SECRET, INNER_WORD, FLOAT, BOUND, BOOL, INT, VERSION, COUNT,
        SIZE, CURSOR, TOKEN64, DURATION, TIMEOUT, TIME, CALL,
    )
}  # fmt: skip

T = TypeVar("T")
InnerCall: TypeAlias = Annotated[Any, CALL]
Key: TypeAlias = Annotated[bytes, KEY]
"""A key that may be changed, and of whose value the caller hears nothing."""
TakenKey: TypeAlias = Annotated[bytes, TAKEN_KEY]
"""A key that may be changed, and whose value, or a part of it, goes to the caller or elsewhere."""
SourceKey: TypeAlias = Annotated[bytes, SOURCE_KEY]
Prefix: TypeAlias = Annotated[bytes, PREFIX]
"""All keys that begin with it are read."""
LockName: TypeAlias = Annotated[bytes, LOCK_NAME]
Channel: TypeAlias = Annotated[bytes, CHANNEL]
Namespace: TypeAlias = Annotated[bytes, NAMESPACE]
Name: TypeAlias = Annotated[bytes, NAME]
Pattern: TypeAlias = Annotated[bytes, PATTERN]
ChannelPattern: TypeAlias = Annotated[bytes, CHANNEL_PATTERN]
KeyPattern: TypeAlias = Annotated[bytes, KEY_PATTERN]
"""What keys are made of that no argument names."""
Value: TypeAlias = Annotated[bytes, VALUE]
Number: TypeAlias = Annotated[bytes, NUMBER]
Text: TypeAlias = Annotated[str, TEXT]
Octets: TypeAlias = Annotated[bytes, OCTETS]
Secret: TypeAlias = Annotated[bytes, SECRET]
InnerWord: TypeAlias = Annotated[bytes, INNER_WORD]
"""A word of another command line."""
Int: TypeAlias = Annotated[int, INT]
Float: TypeAlias = Annotated[float, FLOAT]
Bound: TypeAlias = Annotated[int | float | bytes, BOUND]
"""An end of a range: by rank an int, by score a number or text such as `(5`, by name text such as `[a`."""
Bool: TypeAlias = Annotated[bool, BOOL]
Duration: TypeAlias = Annotated[int, DURATION]
Timeout: TypeAlias = Annotated[int, TIMEOUT]
Time: TypeAlias = Annotated[int, TIME]
Version: TypeAlias = Annotated[int, VERSION]
Count: TypeAlias = Annotated[int, COUNT]
Size: TypeAlias = Annotated[int, SIZE]
Cursor: TypeAlias = Annotated[int, CURSOR]
Token64: TypeAlias = Annotated[int, TOKEN64]
Counted: TypeAlias = Annotated[tuple[T, ...], COUNTED]
"""`Counted[Key]` is written `numkeys key [key ...]` on a command line and is one array on the wire."""

_PLAIN: Final[Mapping[type, Row]] = {bytes: OCTETS, str: NAME_TEXT, int: INT, float: FLOAT, bool: BOOL}


def row_of_plain(kind: object) -> Row | None:
    """The row that a bare builtin type stands for."""
    return _PLAIN.get(kind) if isinstance(kind, type) else None
