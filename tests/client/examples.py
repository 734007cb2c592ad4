"""Examples of the client as documents show them, run as they stand: `>>>` lines that may await, and what they print."""

from __future__ import annotations

import ast
import doctest
import inspect
import io
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import kv_client

KNOWN = {
    **{name: getattr(kv_client, name) for name in kv_client.__all__}, "dataclass": dataclass, "Any": Any,
    "Decimal": Decimal, "datetime": datetime, "timedelta": timedelta, "UTC": UTC,
}  # fmt: skip
PARSER, CHECKER = doctest.DocTestParser(), doctest.OutputChecker()


def documented(*modules: ModuleType) -> Iterator[tuple[str, str]]:
    """Every docstring with examples of the classes that *modules* define, by its name."""
    for module in modules:
        for kind in vars(module).values():
            if inspect.isclass(kind) and kind.__module__ == module.__name__:
                for name, member in vars(kind).items():
                    doc = inspect.getdoc(member) if callable(member) else None
                    if doc and ">>> " in doc:
                        yield f"{kind.__name__}.{name}", doc


def blocks(page: Path) -> list[str]:
    """The blocks of examples on a page."""
    return re.findall(r"^```pycon\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def statements(text: str) -> list[str]:
    """The statements of the examples in *text*, without what they print."""
    return [example.source for example in PARSER.get_examples(text)]


async def failures(text: str, name: str, client: Any, space: dict[str, Any] | None = None) -> list[str]:
    """Run the examples in *text*: one line for each that does not print what it says."""
    space = {**KNOWN, "client": client} if space is None else space
    found = []
    for example in PARSER.get_examples(text, name):
        printed = await outcome(example.source, space)
        want = example.want if example.exc_msg is None else example.exc_msg
        if not CHECKER.check_output(want, printed, doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE):
            found.append(f"{name}: {example.source.rstrip()}\n  says {want!r}\n  is   {printed!r}")
    return found


async def outcome(source: str, space: dict[str, Any]) -> str:
    """What a statement prints, or the last line of its error."""
    hook, sys.displayhook = sys.displayhook, show
    try:
        with redirect_stdout(io.StringIO()) as printed:
            code = compile(source, "<example>", "single", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
            waiting = eval(code, space)
            if inspect.iscoroutine(waiting):
                await waiting
    except Exception as error:
        return traceback.format_exception_only(error)[-1].rpartition(f"{type(error).__module__}.")[2]
    finally:
        sys.displayhook = hook
    return printed.getvalue()


def show(value: object) -> None:
    if value is not None:
        print(repr(value))
