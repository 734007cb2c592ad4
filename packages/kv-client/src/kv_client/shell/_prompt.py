"""The prompt: lines as on a command line, run on one connection that comes back by itself."""

import asyncio
import os
import re
import shlex
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any, Final

from prompt_toolkit import PromptSession
from prompt_toolkit.history import FileHistory, InMemoryHistory

from kv_client import aio
from kv_client._core.call import READ, TAKES, WAITS, WRITE
from kv_client.shell._completion import Words
from kv_client.shell._grammar import Asked, parse, source
from kv_client.shell._help import help_text
from kv_client.shell._replies import bare, show, write_line
from kv_client.shell._table import WrongUse
from kv_client.shell._target import Target
from kv_client.shell._toolbox import TOOLS, tool
from kv_protocol.errors import KvError
from kv_protocol.names import text
from kv_protocol.types import Fence

__all__ = ["History", "run"]

_SECRET: Final = re.compile(r"auth|passw|secret|token|credential|hello|acl\s+setuser", re.IGNORECASE)


class History(FileHistory):
    """Lines of earlier days, in a file that nobody else may read; none that could hold a secret."""

    def store_string(self, string: str) -> None:
        if not _SECRET.search(string):
            super().store_string(string)


def run(target: Target, *, json: bool) -> int:
    """Talk until Ctrl-D."""
    return asyncio.run(_converse(target, json))


async def _converse(target: Target, json: bool) -> int:
    async with aio.connect(target.url, name="kv", **target.connect_options()) as client:
        talk = Talk(client, target, json)
        typed: PromptSession[str] = PromptSession(
            history=_history(), completer=Words(talk.ask), complete_while_typing=False
        )
        write_line("kv: help lists commands, Tab completes, Ctrl-D leaves")
        with _interrupts(talk.cancel):
            while not talk.over:
                place = f"{target.address.place.partition('://')[2]}/{bare(talk.namespace)}> "
                try:
                    line = await typed.prompt_async(place, handle_sigint=False)
                except KeyboardInterrupt:
                    continue
                except EOFError:
                    break
                await _do(talk, line)
    return 0


async def _do(talk: "Talk", line: str) -> None:
    try:
        await talk.line(line)
    except (KvError, WrongUse, ValueError) as error:
        doubt = "; it may have been applied" if getattr(error, "maybe_applied", False) else ""
        sys.stderr.write(f"{f'{error.code}: ' if isinstance(error, KvError) else ''}{error}{doubt}\n")
    except asyncio.CancelledError:
        sys.stderr.write("cancelled\n")


class Talk:
    """What one person says to one server."""

    def __init__(self, client: aio.Client, target: Target, json: bool) -> None:
        self.namespace = target.namespace
        self.over = False
        self._client = client
        self._target = target
        self._json = json
        self._timing = False
        self._call: asyncio.Future[Any] | None = None

    def cancel(self) -> None:
        """Give up the call that is waited for, if there is one."""
        if self._call is not None:
            self._call.cancel()

    async def ask(self, word: str, args: Sequence[Any], options: dict[str, Any] | None) -> Any:
        """Make a call that only looks."""
        return await self._client.ns(self.namespace)._call(word, tuple(args), options, READ)

    async def line(self, line: str) -> None:
        """Do what *line* says. Raises what is wrong with it, and `CancelledError` after Ctrl-C."""
        words = shlex.split(line, comments=True)
        match words:
            case []:
                pass
            case ["exit" | "quit"]:
                self.over = True
            case ["use", namespace]:
                self.namespace = namespace
            case ["timing", "on" | "off" as switch]:
                self._timing = switch == "on"
            case ["help", *rest] if rest[:1] != [] and rest[0] in TOOLS and len(rest) == 1:
                await self._tool([rest[0], "--help"])
            case ["help", *rest]:
                for each in help_text(rest):
                    write_line(each)
            case ["use" | "timing" as word, *_]:
                raise WrongUse(f"write {'use NAMESPACE' if word == 'use' else 'timing on, or timing off'}")
            case _ if tool(words) is not None:
                await self._tool(words)
            case _:
                await self._command(parse(words, source=_file))

    async def _command(self, asked: Asked) -> None:
        fence = None if asked.fence is None else Fence(text(asked.fence[0]), asked.fence[1])
        start = perf_counter()
        space = self._client.ns(self.namespace)
        self._call = asyncio.ensure_future(space._call(asked.name, asked.args, asked.options, _kind(asked), fence))
        try:
            body = await self._call
        finally:
            self._call = None
        spent = perf_counter() - start
        show(asked, body, json=self._json or asked.json)
        if self._timing:
            write_line(f"({spent * 1000:.2f} ms)")

    async def _tool(self, words: list[str]) -> None:
        """Run a tool as the program that it is, on this terminal."""
        options = [*self._target.words, "--namespace", self.namespace, *(["--json"] if self._json else [])]
        sys.stdout.flush()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "kv_client.shell", *options, *words,
            env={**os.environ, "KV_URL": self._target.url},
        )  # fmt: skip
        await process.wait()


def _kind(asked: Asked) -> int:
    flags = asked.row["flags"]
    kind = TAKES if "TAKES" in flags else WRITE if "WRITE" in flags else READ
    return kind | WAITS if asked.waits else kind


@contextmanager
def _interrupts(do: Callable[[], object]) -> Iterator[None]:
    """Let Ctrl-C *do* that in the block. At the prompt it is a key; between two lines it must not end the talk."""
    loop = asyncio.get_running_loop()
    before = signal.signal(signal.SIGINT, lambda *_: loop.call_soon_threadsafe(do))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _file(word: str) -> bytes:
    """`@file` alone: what is typed are commands."""
    if word == "-":
        raise WrongUse("there is no input to read here: write '\"-\"' for the text, or @file")
    return source(word)


def _history() -> FileHistory | InMemoryHistory:
    folder = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "kv"
    file = folder / "history"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(file, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600))
        file.chmod(0o600)
    except OSError:
        return InMemoryHistory()
    return History(str(file))
