"""Lays out generated Python as the project's formatter would, so that a generated file is not reformatted."""

import re
import textwrap
from collections.abc import Sequence

__all__ = ["WIDTH", "bracketed", "docstring", "import_line", "paragraphs"]

WIDTH = 120


def bracketed(head: str, items: Sequence[str], tail: str, indent: int) -> list[str]:
    """Lines of `head item, item tail`: on one line, else the items on their own line, else one line for each."""
    space = " " * indent
    inner = " " * (indent + 4)
    one = f"{space}{head}{', '.join(items)}{tail}"
    if len(one) <= WIDTH:
        return [one]
    two = f"{inner}{', '.join(items)}"
    if len(two) <= WIDTH:
        return [f"{space}{head}", two, f"{space}{tail}"]
    return [f"{space}{head}", *(f"{inner}{item}," for item in items), f"{space}{tail}"]


def import_line(module: str, names: Sequence[str]) -> list[str]:
    """An import of *names* from a module, in the order a sorter puts them."""
    ordered = sorted(names, key=lambda name: (not name.isupper(), not name[0].isupper(), name.lower()))
    one = f"from {module} import {', '.join(ordered)}"
    if len(one) <= WIDTH:
        return [one]
    return [f"from {module} import (", *(f"    {name}," for name in ordered), ")"]


def paragraphs(text: str, width: int) -> list[str]:
    """The lines of *text*, its prose filled anew; what is indented or shows a prompt stays as it is."""
    lines: list[str] = []
    for paragraph in text.split("\n\n"):
        own = paragraph.split("\n")
        kept = any(line.startswith((" ", ">>> ", "- ", "|")) for line in own)
        lines += own if kept else textwrap.wrap(" ".join(own), width, break_long_words=False, break_on_hyphens=False)
        lines.append("")
    return lines[:-1]


def docstring(text: str, indent: int) -> list[str]:
    """A docstring that says *text*."""
    escaped = re.sub(r'\\|"""', lambda found: "\\" + found[0], text.strip())
    space = " " * indent
    room = WIDTH - indent - 6
    if "\n" not in escaped and len(escaped) <= room:
        return [f'{space}"""{escaped}"""']
    summary, _, more = escaped.partition("\n\n")
    lines = textwrap.wrap(summary, room, break_long_words=False, break_on_hyphens=False)
    if more:
        lines += ["", *paragraphs(more, WIDTH - indent)]
    return [f'{space}"""{lines[0]}', *(f"{space}{line}" if line else "" for line in lines[1:]), f'{space}"""']
