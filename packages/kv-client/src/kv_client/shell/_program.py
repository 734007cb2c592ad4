"""The program `kv`: one command, a tool, commands from standard input, or a prompt.

Exit status: 0 done; 1 the server refused, or the answer is nothing; 2 wrong use; 3 no connection; 130 interrupted.
"""

import os
import sys
from collections.abc import Sequence
from typing import Final, NamedTuple

from kv_client import __version__
from kv_client.shell._grammar import parse
from kv_client.shell._line import Line
from kv_client.shell._replies import show
from kv_client.shell._table import WrongUse, hint
from kv_client.shell._target import Target, target
from kv_client.shell._toolbox import tool
from kv_protocol.errors import CallTimeout, ConnectionLost, KvError

__all__ = ["main"]

REFUSED: Final = 1
WRONG_USE: Final = 2
NO_CONNECTION: Final = 3
INTERRUPTED: Final = 130

OPTIONS: Final = {
    "--url": "url", "-u": "url", "--namespace": "namespace", "-n": "namespace", "--timeout": "timeout", "--ca": "ca",
    "--cert": "cert", "--key": "key",
}  # fmt: skip
SWITCHES: Final = {"--json": "json", "--text": "text", "--help": "help", "-h": "help", "--version": "version"}


class Words(NamedTuple):
    """A command line: its options, its switches, and the command with what follows."""

    given: dict[str, str]
    switches: set[str]
    command: list[str]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; its exit status."""
    try:
        status = _run(split(sys.argv[1:] if arguments is None else arguments))
        sys.stdout.flush()
        return status
    except WrongUse as error:
        return complain(f"kv: {error}", WRONG_USE)
    except KvError as error:
        return refused(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # who read our output has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def split(words: Sequence[str]) -> Words:
    """What stands before the command, and the rest. Raises `WrongUse`."""
    given: dict[str, str] = {}
    switches: set[str] = set()
    at = 0
    while at < len(words) and words[at].startswith("-"):
        label, equals, value = words[at].partition("=")
        at += 1
        if label in SWITCHES and not equals:
            switches.add(SWITCHES[label])
            continue
        if label not in OPTIONS:
            raise WrongUse(f"no option is called {label}{hint(label, [*OPTIONS, *SWITCHES])}")
        if not equals:
            if at == len(words):
                raise WrongUse(f"{label} needs a word after it")
            value, at = words[at], at + 1
        given[OPTIONS[label]] = value
    return Words(given, switches, list(words[at:]))


def _run(words: Words) -> int:
    if "version" in words.switches:
        sys.stdout.write(f"kv {__version__}\n")
        return 0
    if "help" in words.switches or words.command[:1] == ["help"]:
        from kv_client.shell._help import help_on

        return help_on(words.command[1:] if words.command[:1] == ["help"] else words.command)
    where = target(words.given, os.environ)
    if words.command:
        return run_command(words, where)
    if sys.stdin.isatty():
        return _prompt(where, json="json" in words.switches)
    return _lines(words, where)


def run_command(words: Words, where: Target) -> int:
    """Run one command or tool."""
    if "--help" in words.command[1:]:
        from kv_client.shell._help import help_on

        return help_on(words.command[: words.command.index("--help")])
    json = "json" in words.switches
    run = tool(words.command)
    if run is not None:
        return run(words.command[1:] + ["--json"] * json, where)
    asked = parse(words.command, text="text" in words.switches)
    with Line(where) as line:
        body = line.call(asked.name, asked.args, asked.options, fence=asked.fence, waits=asked.waits)
    return show(asked, body, json=json or asked.json)


def _prompt(where: Target, *, json: bool) -> int:
    try:
        from kv_client.shell._prompt import run
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("prompt_toolkit"):
            raise
        return complain("kv: the prompt needs one more package: pip install 'kv-client[shell]'", WRONG_USE)
    return run(where, json=json)


def _lines(words: Words, where: Target) -> int:
    """Run commands from standard input, a line each; 1 if one of them failed."""
    import shlex

    status = 0
    namespace: str | None = None
    with Line(where) as line:
        for number, typed in enumerate(sys.stdin.buffer, 1):
            try:
                command = shlex.split(typed.decode("utf-8", "surrogateescape"), comments=True)
                if not command:
                    continue
                if command[0] == "use" and len(command) == 2:
                    namespace = command[1]
                    continue
                asked = parse(command, text="text" in words.switches, source=_no_input)
                body = line.call(
                    asked.name, asked.args, asked.options, namespace=namespace, fence=asked.fence, waits=asked.waits
                )
                failed = show(asked, body, json="json" in words.switches or asked.json)
                status = status or failed
            except (ConnectionLost, CallTimeout):
                raise
            except (KvError, WrongUse, ValueError) as error:
                code = f"{error.code}: " if isinstance(error, KvError) else ""
                status = complain(f"kv: line {number}: {code}{error}", REFUSED)
    return status


def _no_input(word: str) -> bytes:
    """`@file` alone: standard input holds the commands."""
    if word == "-":
        raise WrongUse("standard input holds the commands: write '\"-\"' for the text, or @file")
    from kv_client.shell._grammar import source

    return source(word)


def refused(error: KvError) -> int:
    """Say what the server, or the way to it, had against a call."""
    doubt = "; it may have been applied" if getattr(error, "maybe_applied", False) else ""
    status = NO_CONNECTION if isinstance(error, ConnectionLost | CallTimeout) else REFUSED
    return complain(f"kv: {error.code}: {error}{doubt}", status)


def complain(line: str, status: int) -> int:
    sys.stdout.flush()
    sys.stderr.write(f"{line}\n")
    return status
