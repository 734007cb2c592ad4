"""From words to a call: the parameters of a command say what each word is."""

import sys
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

from kv_client.shell._notation import duration_ms, time_ms, value_of
from kv_client.shell._table import Row, WrongUse, find, hint, table
from kv_protocol.errors import InvalidArgument
from kv_protocol.names import wire
from kv_protocol.values import encode

__all__ = ["Asked", "dashed", "parse", "source", "usage", "width"]


class Asked(NamedTuple):
    """A call as it travels, and how its reply is to be shown."""

    name: str
    row: Row
    args: tuple[Any, ...]
    options: dict[str, Any] | None
    fence: tuple[str | bytes, int] | None
    alone: bool
    """The reply is a list of which the first element is wanted."""
    json: bool

    @property
    def waits(self) -> bool:
        return "BLOCKS" in self.row["flags"]


class _Reader(NamedTuple):
    """How words become values: *text* says that values are text; *source* gives the bytes that `@file` or `-` name."""

    text: bool
    source: Callable[[str], bytes]


def source(word: str) -> bytes:
    """What `-` or `@file` stand for."""
    if word == "-":
        return sys.stdin.buffer.read()
    try:
        with open(word[1:], "rb") as file:
            return file.read()
    except OSError as error:
        raise WrongUse(f"{word}: {error.strerror}; write '\"{word}\"' for the text") from None


def parse(words: Sequence[str], *, text: bool = False, source: Callable[[str], bytes] = source) -> Asked:
    """The call that *words* ask for. Raises `WrongUse`."""
    found = find(words)
    if found is None:
        raise WrongUse(f"there is no command {words[0]!r}{hint(words[0].upper(), table())}")
    name, row, rest = found
    given, places, shown = _sorted(name, row, rest)
    reader = _Reader(text or "--text" in shown, source)
    try:
        args = _placed(name, row, places, reader)
        options = {param["name"]: _option(param, given[param["name"]], reader) for param in _options(row, given)}
    except InvalidArgument as error:
        raise WrongUse(str(error)) from None
    fence = (wire(given["--fence"][0][0]), _int(given["--fence"][0][1])) if "--fence" in given else None
    one = row.get("one")
    at = next((at for at, param in enumerate(_positional(row)) if param["name"] == one), None)
    alone = one is not None and one not in options and (at is None or len(args) <= at)
    return Asked(name, row, args, options or None, fence, alone, "--json" in shown)


def dashed(param: Row) -> str:
    """How an option is written; a flag that is on at first, by its opposite."""
    return ("--no-" if param.get("default") is True else "--") + str(param["name"]).replace("_", "-")


def width(param: Row) -> int:
    """How many words follow an option."""
    kind = param["type"]
    return 0 if kind == "bool" else len(kind["fields"]) if isinstance(kind, dict) else 1


def usage(name: str, row: Row) -> str:
    """The command line of a command."""
    parts = [name.lower()]
    for param in row["params"]:
        shown = _labels(param)
        if param.get("option"):
            shown = " ".join([dashed(param), *([shown] if width(param) else [])])
        if param.get("many") and not param.get("option"):
            shown = f"{shown} [{shown} ...]" if param.get("required") else f"[{shown} ...]"
        elif not param.get("required"):
            shown = f"[{shown}]" + ("..." if param.get("many") else "")
        parts.append(shown)
    return " ".join(parts)


def _labels(param: Row) -> str:
    kind = param["type"]
    if isinstance(kind, dict):
        return " ".join(str(name).upper() for name, _ in kind["fields"])
    return "|".join(kind) if isinstance(kind, list) else str(param["name"]).upper().replace("_", "-")


def _positional(row: Row) -> list[Row]:
    return [param for param in row["params"] if not param.get("option")]


def _options(row: Row, given: dict[str, list[list[str]]]) -> list[Row]:
    return [param for param in row["params"] if param.get("option") and param["name"] in given]


def _sorted(name: str, row: Row, rest: list[str]) -> tuple[dict[str, list[list[str]]], list[str], set[str]]:
    """The words of each option, those in places, and what is said of the shell itself."""
    named = {dashed(param): param for param in row["params"] if param.get("option")}
    given: dict[str, list[list[str]]] = {}
    places: list[str] = []
    shown: set[str] = set()
    words = iter(rest)
    for word in words:
        if word == "--":
            places += words
        elif not word.startswith("--"):
            places.append(word)
        elif word in ("--json", "--text"):
            shown.add(word)
        else:
            label, equals, inline = word.partition("=")
            label = label.replace("_", "-")
            fence = label == "--fence" and "WRITE" in row["flags"]
            if label not in named and not fence:
                known = [*named, "--json", "--text", *(["--fence"] if "WRITE" in row["flags"] else [])]
                raise WrongUse(f"{name.lower()} has no option {label}{hint(label, known)}")
            needs = 2 if fence else width(named[label])
            if equals and needs != 1:
                raise WrongUse(f"{label} takes {needs or 'no'} words after it")
            values = [inline] if equals else [word for _, word in zip(range(needs), words, strict=False)]
            if len(values) < needs:
                raise WrongUse(f"{label} needs {needs} {'word' if needs == 1 else 'words'} after it")
            given.setdefault("--fence" if fence else named[label]["name"], []).append(values)
    for label, param in named.items():
        if param["name"] in given and len(given[param["name"]]) > 1 and not param.get("many"):
            raise WrongUse(f"{label} is given twice")
        if param.get("required") and param["name"] not in given:
            raise WrongUse(f"{name.lower()} needs {label}: {usage(name, row)}")
    return given, places, shown


def _placed(name: str, row: Row, words: list[str], reader: _Reader) -> tuple[Any, ...]:
    """The positional arguments: single ones from both ends, what may be many in between."""
    params = _positional(row)
    many = next((at for at, param in enumerate(params) if param.get("many")), len(params))
    before, after = params[:many], params[many + 1 :]
    least = sum(1 for param in params if param.get("required"))
    if len(words) < least or (many == len(params) and len(words) > len(params)):
        raise WrongUse(f"too {'few' if len(words) < least else 'many'} words: {usage(name, row)}")
    args = [_one(param, param["type"], word, reader) for param, word in zip(before, words, strict=False)]
    if many == len(params):
        return tuple(args)
    param = params[many]
    middle = _many(param, words[len(before) : len(words) - len(after)], reader, usage(name, row))
    args += middle if param["many"] == "tail" else [middle]
    ends = words[len(words) - len(after) :]
    return (*args, *(_one(each, each["type"], word, reader) for each, word in zip(after, ends, strict=True)))


def _many(param: Row, words: list[str], reader: _Reader, usage: str) -> list[Any]:
    kind = param["type"]
    if not isinstance(kind, dict):
        return [_one(param, kind, word, reader) for word in words]
    fields, defaults = kind["fields"], kind.get("defaults")
    if defaults:  # each record begins with one of the words that its first field may be
        least = len(fields) - len(defaults)
        starts = [0] if words else []
        for at, word in enumerate(words):
            if word.upper() in fields[0][1] and at >= starts[-1] + least:
                starts.append(at)
        groups = [words[start:end] for start, end in zip(starts, [*starts[1:], len(words)], strict=False)]
        whole = all(least <= len(group) <= len(fields) for group in groups)
    else:
        groups = [words[at : at + len(fields)] for at in range(0, len(words), len(fields))]
        whole = len(words) % len(fields) == 0
    if not whole:
        raise WrongUse(f"{_labels(param)} belong together: {usage}")
    return [_record(param, fields, defaults or {}, group, reader) for group in groups]


def _record(param: Row, fields: Any, defaults: Row, words: list[str], reader: _Reader) -> list[Any]:
    made = [_one({"name": name}, kind, word, reader) for (name, kind), word in zip(fields, words, strict=False)]
    return made + [defaults[name] for name, _ in fields[len(words) :]]


def _option(param: Row, given: list[list[str]], reader: _Reader) -> Any:
    kind = param["type"]
    if kind == "bool":
        return param.get("default") is not True
    if isinstance(kind, dict):
        return _record(param, kind["fields"], {}, given[0], reader)
    if param.get("many"):
        return [_one(param, kind, word, reader) for (word,) in given]
    return _one(param, kind, given[0][0], reader)


def _one(param: Row, kind: Any, word: str, reader: _Reader) -> Any:
    if isinstance(kind, list):
        if word.upper() not in kind:
            raise WrongUse(f"{param['name']} is {', '.join(kind[:-1])} or {kind[-1]}, not {word!r}")
        return word.upper()
    if kind == "secret" and (word == "-" or word.startswith("@")):
        return reader.source(word).partition(b"\n")[0]
    if kind in _VALUES:
        return _VALUES[kind](_value(word, reader))
    try:
        return _WORDS[kind](word)
    except ValueError:
        raise WrongUse(f"{param['name']}: {word!r} is no {kind}") from None


def _value(word: str, reader: _Reader) -> Any:
    if word == "-" or (word.startswith("@") and len(word) > 1):
        octets = reader.source(word)
        try:
            return octets.decode() if reader.text else octets
        except UnicodeDecodeError:
            raise WrongUse(f"{word}: no UTF-8 text; leave out --text for bytes") from None
    return word if reader.text else value_of(word)


def _octets(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    if not isinstance(value, bytes):
        raise WrongUse('bytes are wanted: write @file, -, text or {"base64": "..."}')
    return value


def _number(value: Any) -> bytes:
    if type(value) not in (int, float, Decimal):
        raise WrongUse(f"{value!r} is no number")
    return encode(value)


def _int(word: str) -> int:
    try:
        return int(word)
    except ValueError:
        raise WrongUse(f"{word!r} is no whole number") from None


def _bool(word: str) -> bool:
    if word.lower() not in _TRUTHS:
        raise WrongUse(f"{word!r} is neither true nor false")
    return _TRUTHS[word.lower()]


def _bound(word: str) -> int | float | str | bytes:
    try:
        return int(word)
    except ValueError:
        return wire(word)


_TRUTHS: Final = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False,
                  "0": False}  # fmt: skip
_VALUES: Final[dict[str, Callable[[Any], Any]]] = {"value": encode, "number": _number, "octets": _octets}
_WORDS: Final[dict[str, Callable[[str], Any]]] = {
    **dict.fromkeys(("key", "lock_name", "namespace", "name", "secret"), wire),
    **dict.fromkeys(("int", "version", "count", "size", "cursor", "token"), _int),
    **dict.fromkeys(("duration", "timeout"), duration_ms),
    "text": wire,
    "float": float,
    "bound": _bound,
    "bool": _bool,
    "time": time_ms,
}
