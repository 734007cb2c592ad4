"""`kv help`: what there is, and how one command is used."""

import textwrap
from collections.abc import Sequence
from itertools import groupby
from typing import Final

from kv_client.shell._grammar import dashed, usage, width
from kv_client.shell._replies import columns, write_line
from kv_client.shell._table import Row, WrongUse, find, hint, table
from kv_client.shell._toolbox import TOOLS

__all__ = ["help_on", "help_text"]

_WIDTH: Final = 78
_OPENING: Final = """\
usage: kv [options] COMMAND [ARGUMENTS]     one command
       kv [options]                         a prompt; or commands from a pipe, one a line
       kv help [COMMAND]                    what a command takes, does and returns

options:
  -u, --url URL          the server (or KV_URL); default kv://127.0.0.1:7440
  -n, --namespace NAME   the namespace; default: that of the URL
  --timeout SECONDS      for an answer; default 5
  --ca FILE              whom to trust with kvs://; --cert FILE, --key FILE: who we are
  --json                 one JSON document for each reply
  --text                 values are text, whatever they look like
  --version, -h, --help

values: JSON where a word is JSON (5, "5", true, {"a": 1}), else text; @file or - for bytes
login:  KV_TOKEN, or KV_TOKEN_FILE, KV_PASSWORD_FILE: files with a secret in their first line
exit:   0 done; 1 refused, or nothing there; 2 wrong use; 3 no connection

tools (kv TOOL --help):"""
_TYPES: Final = {
    "duration": "seconds, or 250ms, 1.5s, 10m, 1h, 7d", "timeout": "seconds, or 250ms, 1.5s, 10m, 1h, 7d",
    "time": "seconds since 1970, or 2026-01-31T12:00:00Z", "value": "a value", "number": "a number",
    "octets": "bytes: @file, -, or text", "bound": "an end of a range: 5, (5, -inf, [a", "size": "a number from 0",
    "count": "a number from 1", "version": "a version: what set returned; 0: absent", "token": "the token of a lock",
    "int": "a whole number", "float": "a number", "bool": "true or false", "key": "a key",
}  # fmt: skip


def help_on(words: Sequence[str]) -> int:
    """Write help on a command, or on all there is."""
    if words and words[0] in TOOLS and len(words) == 1:
        from kv_client.shell._target import target
        from kv_client.shell._toolbox import tool

        run = tool(words)
        assert run is not None
        return run(["--help"], target({}, {}))
    for line in help_text(words):
        write_line(line)
    return 0


def help_text(words: Sequence[str]) -> list[str]:
    """The lines of help on a command, on a group of them, or on all there is. Raises `WrongUse`."""
    if not words:
        return [*_OPENING.split("\n"), *columns([[f"  {name}", text] for name, text in TOOLS.items()]), *_groups()]
    found = find(words)
    if found is not None and not found[2]:
        return _command(found[0], found[1])
    several = [[f"  {usage(*item)}", ""] for item in table().items() if _belongs(item, " ".join(words))]
    if several:
        return [line for row in several for line in _wrap(row[0], _WIDTH, further=" " * 8)]
    raise WrongUse(f"there is no command {' '.join(words)!r}{hint(' '.join(words).upper(), table())}")


def _belongs(item: tuple[str, Row], word: str) -> bool:
    name, row = item
    return bool(row["group"] == word.lower() or name.startswith(word.upper() + " "))


def _groups() -> list[str]:
    lines = ["", "commands (kv help COMMAND, or a group):"]
    ordered = sorted(table().items(), key=lambda item: str(item[1]["group"]))
    for group, rows in groupby(ordered, key=lambda item: str(item[1]["group"])):
        words = ", ".join(name.lower().replace(" ", "\xa0") for name, _ in rows)
        lines += _wrap(words, _WIDTH, indent=f"  {group + ':':<13}", further=" " * 15)
    return [line.replace("\xa0", " ") for line in lines]


def _command(name: str, row: Row) -> list[str]:
    lines = [*_wrap(f"usage: kv {usage(name, row)}", _WIDTH, further=" " * 14), ""]
    for paragraph in str(row["doc"]).split("\n\n"):
        lines += [*_wrap(" ".join(paragraph.split()), _WIDTH), ""]
    if row["params"]:
        size = max(len(_label(param)) for param in row["params"]) + 4
        for param in row["params"]:
            lines += _wrap(_explained(param), _WIDTH, f"  {_label(param)}".ljust(size), " " * size)
        lines.append("")
    facts = f"Reply: {row['answer']}; cost: {row['cost']}; {' '.join(row['flags'])}; since {row['since']}."
    return [*lines, *_wrap(facts, _WIDTH)]


def _label(param: Row) -> str:
    return dashed(param) if param.get("option") else str(param["name"]).upper().replace("_", "-")


def _explained(param: Row) -> str:
    kind = param["type"]
    if param.get("option") and not width(param):
        return "(a switch)"
    if isinstance(kind, dict):
        text = " ".join(
            f"{name} ({'|'.join(part) if isinstance(part, list) else part})" for name, part in kind["fields"]
        )
    elif isinstance(kind, list):
        text = " | ".join(kind)
    else:
        text = _TYPES.get(kind, kind.replace("_", " "))
    many = ", any number" if param.get("many") else ""
    default = param.get("default")
    return text + many + (f" (default {default})" if default is not None else "")


def _wrap(text: str, width: int, indent: str = "", further: str = "") -> list[str]:
    return textwrap.wrap(text, width, initial_indent=indent, subsequent_indent=further, break_on_hyphens=False)
