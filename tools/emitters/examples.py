"""The examples in a command's docstring: found, told from its prose, and turned into calls of a handle."""

import ast
from collections.abc import Callable

__all__ = ["examples", "prose", "rewritten"]

PROMPTS = (">>> ", "... ")


def prose(doc: str) -> str:
    """The docstring *doc* without its examples."""
    return "\n\n".join(part for part in doc.split("\n\n") if not part.startswith(PROMPTS))


def examples(doc: str) -> str:
    """The examples alone; empty if there are none."""
    return "\n\n".join(part for part in doc.split("\n\n") if part.startswith(PROMPTS))


def rewritten(text: str, replace: Callable[[ast.Call, str], str | None]) -> str:
    """Examples in which each call of a method of `client` that *replace* has other source for reads like that."""
    lines: list[str] = []
    for line in text.split("\n"):
        code = line[4:] if line.startswith(PROMPTS) else ""
        lines.append(line[:4] + _replaced(code, replace) if code else line)
    return "\n".join(lines)


def _replaced(code: str, replace: Callable[[ast.Call, str], str | None]) -> str:
    indent = code[: len(code) - len(code.lstrip())]
    source = code.strip().encode()
    tree = ast.parse(source + b" pass" * source.endswith(b":"))
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _is_of_client(node.func)]
    for node in sorted(found, key=lambda node: node.col_offset, reverse=True):
        other = replace(node, source.decode())
        if other is not None:
            source = source[: node.col_offset] + other.encode() + source[node.end_col_offset :]
    return indent + source.decode()


def _is_of_client(function: ast.expr) -> bool:
    return (
        isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.value.id == "client"
    )
