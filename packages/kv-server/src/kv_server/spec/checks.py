"""What the generated binders call: conversions that are more than a condition, and every error a binder may raise."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, Final

from kv_protocol import limits
from kv_protocol.errors import InvalidArgument, TooLarge
from kv_protocol.names import text, wire
from kv_protocol.values import check, class_of
from kv_server.spec.spelled import (
    from_octets,
    new,
    resp_value,
    spread,
    text_float,
    text_int,
    text_name,
    text_number,
    values_in,
)
from kv_server.spec.types import MAX_TIME_MS

__all__ = [
    "InvalidArgument", "WrongArity", "about", "arity", "called", "check", "exclude", "from_octets", "missing",
    "new", "no_such_line", "numkeys_beyond", "one_missing", "resp_value", "shown", "spread", "syntax_error", "text",
    "text_bool", "text_choice", "text_count", "text_cursor", "text_duration", "text_float", "text_int", "text_name",
    "text_namespace", "text_number", "text_numkeys", "text_size", "text_text", "text_time", "text_timeout",
    "text_token", "token_missing", "too_many", "unequal", "unknown_option", "values_in", "wire", "wire_call",
    "wire_float", "wire_number", "wire_text", "words_missing", "wrong",
]  # fmt: skip

_NUMBERS: Final = frozenset({"int", "float", "decimal"})
NUMBERED: Final = 16  # namespaces that have a number on the text door
_LONGEST_WORD: Final = 64
_AGES_MS: Final = MAX_TIME_MS - 2**43  # added to any clock before the year 2248 it is still a time


class WrongArity(InvalidArgument):
    """A command line has fewer words than the command, or another number than it must have."""


def wrong(label: str, expected: str) -> InvalidArgument:
    """The error for an argument of another type, or out of bounds; what was sent is not repeated."""
    return InvalidArgument(f"{label} must be {expected}")


def about(label: str, error: InvalidArgument) -> InvalidArgument:
    return InvalidArgument(f"{label}: {error.message}")


def arity(word: str, usage: str, args: object) -> InvalidArgument:
    """The error for a wrong number of positional arguments."""
    given = f"{len(args)} given" if isinstance(args, (list, tuple)) else "no array given"
    return InvalidArgument(f"{word}: wrong number of arguments ({given}); usage: {usage}")


def missing(word: str, option: str, usage: str) -> InvalidArgument:
    return InvalidArgument(f"{word}: option {option} is missing; usage: {usage}")


def unknown_option(word: str, option: object, known: Iterable[str]) -> InvalidArgument:
    """The error for an option that the command has not, with the nearest one it has; of a map, for its first."""
    names = list(known)
    if isinstance(option, dict):
        option = next(iter(option), None)
    name = option.decode("ascii", "replace") if type(option) is bytes and len(option) <= _LONGEST_WORD else "\0"
    if not name.isprintable():
        return InvalidArgument(f"{word}: option names are short words")
    near = get_close_matches(name.lower(), names, 1)
    hint = f"; did you mean {near[0]}?" if near else f"; known: {', '.join(names)}" if names else "; it takes none"
    return InvalidArgument(f"{word}: unknown option {name}{hint}")


def exclude(word: str, given: Iterable[str], group: Iterable[str]) -> InvalidArgument:
    """The error for options of which a call may have one only."""
    taken = set(given)
    return InvalidArgument(f"{word}: {' and '.join(name for name in group if name in taken)} exclude each other")


def too_many(label: str) -> TooLarge:
    return TooLarge(f"{label}: more than {limits.MAX_BATCH:,} elements", {"limit": limits.MAX_BATCH})


def unequal(label: str, other: str) -> InvalidArgument:
    return InvalidArgument(f"{label} must have as many elements as {other}")


def syntax_error() -> InvalidArgument:
    return InvalidArgument("syntax error")


def numkeys_beyond(label: str) -> InvalidArgument:
    return InvalidArgument(f"Number of {label} can't be greater than number of args")


def token_missing(token: str) -> InvalidArgument:
    return InvalidArgument(f"Mandatory argument {token} is missing or not at the right position")


def words_missing(word: str) -> "WrongArity":
    return WrongArity(f"wrong number of arguments for '{word}' command")


def no_such_line(words: list[bytes]) -> InvalidArgument:
    """The error for a line of two words that go together with more after them than there may be."""
    first, second = text(words[0]).upper(), text(words[1])
    return InvalidArgument(f"unknown subcommand or wrong number of arguments for '{second}'. Try {first} HELP.")


def called(words: list[bytes], count: int) -> str:
    """The word or words by which a command was called, as Redis writes them in errors."""
    return b"|".join(words[:count]).decode().lower()


def one_missing(word: str, tokens: list[str]) -> InvalidArgument:
    return InvalidArgument(f"exactly one of {' or '.join(tokens)} can be specified for {word}")


def wire_number(blob: bytes, label: str) -> bytes:
    try:
        check(blob)
    except InvalidArgument as error:
        raise about(label, error) from None
    if class_of(blob) not in _NUMBERS:
        raise wrong(label, "an int, a float or a Decimal")
    return blob


def wire_call(parts: list[Any], label: str) -> tuple[bytes, list[Any], Any]:
    """A call within a call."""
    if len(parts) in (2, 3) and type(parts[0]) is bytes and type(parts[1]) is list:
        options = parts[2] if len(parts) == 3 else None
        if options is None or type(options) is dict:
            return parts[0], parts[1], options
    raise wrong(label, "an array of a name, an array of arguments, and a map of options or nil")


def wire_text(octets: bytes, label: str) -> str:
    try:
        return str(octets, "utf-8")
    except UnicodeDecodeError:
        raise wrong(label, "UTF-8 text") from None


def wire_float(number: float, label: str) -> float:
    try:
        return float(number)
    except OverflowError:
        raise wrong(label, "a number that fits a float") from None


def shown(name: bytes) -> str | bytes:
    """A name of the server as it travels: str where it is UTF-8."""
    try:
        return str(name, "utf-8")
    except UnicodeDecodeError:
        return name


def text_count(raw: bytes, label: str) -> int:
    number = text_int(raw)
    if number < 1:
        raise InvalidArgument(f"{label.upper()} must be > 0")
    return number


def text_size(raw: bytes) -> int:
    try:
        return text_int(raw, 0)
    except InvalidArgument:
        raise InvalidArgument("value is out of range, must be positive") from None


def text_cursor(raw: bytes) -> int:
    try:
        return text_int(raw, 0, 2**64 - 1)
    except InvalidArgument:
        raise InvalidArgument("invalid cursor") from None


def text_token(raw: bytes) -> int:
    return text_int(raw, 0, 2**64 - 1)


def text_numkeys(raw: bytes, label: str, empty: bool) -> int:
    """The number that stands before a counted parameter."""
    number = text_int(raw)
    if number < 0 and empty:
        raise InvalidArgument(f"Number of {label} can't be negative")
    if number < 1 and not empty:
        raise InvalidArgument(f"num{label} should be greater than 0")
    return number


def text_namespace(raw: bytes, label: str) -> bytes:
    """The name of a namespace; numbers are those that Redis has."""
    if raw.removeprefix(b"-").isdigit():
        if len(raw) > 2 or raw[:1] == b"-" or int(raw) >= NUMBERED:
            raise InvalidArgument("DB index is out of range")
        return b"%d" % int(raw)
    return text_name(raw, label)


def text_text(raw: bytes, label: str) -> str:
    return wire_text(raw, label)


def text_bool(raw: bytes) -> bool:
    word = raw.lower()
    if word in (b"1", b"true", b"yes", b"on"):
        return True
    if word in (b"0", b"false", b"no", b"off"):
        return False
    raise syntax_error()


def text_choice(raw: bytes, words: dict[bytes, str]) -> str:
    """The word of a closed set that *raw* spells in any case."""
    found = words.get(raw.upper())
    if found is None:
        raise syntax_error()
    return found


def text_duration(raw: bytes, scale: int, word: str) -> int:
    """A time to live in units of *scale* milliseconds; one that would go on for ages ends with the calendar."""
    number = text_int(raw) * scale
    if not 0 < number < 2**63 - MAX_TIME_MS:
        raise InvalidArgument(f"invalid expire time in '{word}' command")
    return min(number, _AGES_MS)


def text_time(raw: bytes, scale: int, word: str) -> int:
    """A moment in units of *scale* milliseconds since 1970; one beyond the calendar is its last."""
    number = text_int(raw) * scale
    if not 0 < number < 2**63:
        raise InvalidArgument(f"invalid expire time in '{word}' command")
    return min(number, MAX_TIME_MS)


def text_timeout(raw: bytes, scale: int) -> int:
    """A time to wait, in units of *scale* milliseconds; fractions are welcome, 0 waits without end."""
    try:
        number = text_float(raw)
    except InvalidArgument:
        raise InvalidArgument("timeout is not a float or out of range") from None
    if number < 0:
        raise InvalidArgument("timeout is negative")
    if number * scale > limits.MAX_TTL_MS:
        raise InvalidArgument("timeout is out of range")
    return -int(-number * scale // 1)
