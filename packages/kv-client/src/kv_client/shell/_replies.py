"""From the body of a reply to what is shown of it: for a screen, for another program, or as JSON."""

import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from kv_client.shell._grammar import Asked
from kv_client.shell._notation import ABSENT, written
from kv_protocol.names import text
from kv_protocol.values import decode

__all__ = ["ABSENT", "bare", "columns", "made", "show", "write_line", "write_lines"]

Form = Any
"""The form of a reply, as `tools/emitters/words.py` writes it."""

_PLAIN_WORD = re.compile(r"[\w.:@/+*#%=,~^?!&;<>$()\[\]{}|-]+").fullmatch


def show(asked: Asked, body: Any, *, json: bool) -> int:
    """Write the reply to standard output; 1 where the answer is nothing although there could be something."""
    form = asked.row["reply"]
    if asked.alone:
        form, body = {"maybe": form["list"]}, body[0] if body else None
    reply = made(form, body)
    if json:
        write_line(written(reply))
    elif sys.stdout.isatty():
        write_lines(on_screen(form, reply))
    elif isinstance(reply, bytes):
        sys.stdout.flush()
        sys.stdout.buffer.write(reply)
    else:
        write_lines(piped(form, reply))
    return int(reply is ABSENT)


def write_line(line: str) -> None:
    """Write a line, with names as the bytes that they are."""
    write_lines([line])


def write_lines(lines: Iterable[str]) -> None:
    """Write many in one go."""
    sys.stdout.flush()
    sys.stdout.buffer.write(b"".join(line.encode("utf-8", "surrogateescape") + b"\n" for line in lines))
    sys.stdout.buffer.flush()


def made(form: Form, body: Any) -> Any:
    """What *body*, a reply of this form, says: values decoded, records as maps."""
    match form:
        case "name":
            return text(body)
        case "value":
            return decode(body)
        case "seconds":
            return body / 1000
        case "moment":
            return datetime.fromtimestamp(body / 1000, UTC)
        case "nothing" | "plain":
            return body
        case {"maybe": part}:
            return ABSENT if body is None else made(part, body)
        case {"list": part}:
            return [made(part, item) for item in body]
        case {"map": part}:
            return {text(name): made(part, item) for name, item in body.items()}
        case {"record": fields}:  # a server of another version may say more, or less
            return {name: made(part, item) for (name, part), item in zip(fields.items(), body, strict=False)}
        case {"tuple": parts}:
            return [made(part, item) for part, item in zip(parts, body, strict=True)]
    raise ValueError(f"a reply of an unknown form: {form!r}")


def on_screen(form: Form, reply: Any) -> list[str]:
    """Lines for a person: a str is quoted, names are not unless they must be, records are tables."""
    if reply is ABSENT:
        return ["(nil)"]
    match form:
        case "nothing":
            return ["OK"]
        case {"maybe": part}:
            return on_screen(part, reply)
        case {"list": _} | {"map": _} if not reply:
            return ["(empty)"]
        case {"list": {"record": fields}}:
            rows = [[_cell(fields[name], row.get(name, ABSENT)) for name in fields] for row in reply]
            return columns([list(fields), *rows])
        case {"list": part}:
            size = len(str(len(reply)))
            return [f"{number:>{size}}) {_cell(part, item)}" for number, item in enumerate(reply, 1)]
        case {"map": {"map": part}}:
            found: list[str] = []
            for name, section in reply.items():
                found += ["", f"# {bare(name)}", *columns([[bare(key), _cell(part, section[key])] for key in section])]
            return found[1:]
        case {"map": part}:
            return columns([[bare(name), _cell(part, item)] for name, item in reply.items()])
        case {"record": fields}:
            return columns([[name, _cell(part, reply.get(name, ABSENT))] for name, part in fields.items()])
    return [_cell(form, reply)]


def piped(form: Form, reply: Any) -> list[str]:
    """Lines for a program: one for each element, columns apart by tabs; a lone str as it is."""
    if reply is ABSENT or form == "nothing":
        return []
    match form:
        case {"maybe": part}:
            return piped(part, reply)
        case {"list": {"record": fields}}:
            return ["\t".join(_raw(part, row.get(name, ABSENT)) for name, part in fields.items()) for row in reply]
        case {"list": part}:
            return [_raw(part, item) for item in reply]
        case {"map": {"map": part}}:
            return [f"{name}.{key}\t{_raw(part, item)}" for name, rest in reply.items() for key, item in rest.items()]
        case {"map": part}:
            return [f"{name}\t{_raw(part, item)}" for name, item in reply.items()]
        case {"record": fields}:
            return [f"{name}\t{_raw(part, reply.get(name, ABSENT))}" for name, part in fields.items()]
    return [reply if isinstance(reply, str) else _raw(form, reply)]


def columns(rows: list[list[str]]) -> list[str]:
    """The lines of a table."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def bare(name: str) -> str:
    """A name as a person reads it: as it is where nothing in it could be misread, else quoted."""
    return name if _PLAIN_WORD(name) and name.isprintable() else written(name)


def _cell(form: Form, item: Any) -> str:
    if item is ABSENT:
        return "(nil)"
    if isinstance(form, dict) and "maybe" in form:
        return _cell(form["maybe"], item)
    if isinstance(item, str) and form != "value":
        return bare(item)
    return item.isoformat(sep=" ") if isinstance(item, datetime) and form != "value" else written(item)


def _raw(form: Form, item: Any) -> str:
    if item is ABSENT:
        return ""
    if isinstance(form, dict) and "maybe" in form:
        return _raw(form["maybe"], item)
    return item if isinstance(item, str) and form != "value" else written(item)
