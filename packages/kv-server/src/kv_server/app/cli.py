"""The command line `kv-server`: serve, show the configuration, or look after a data folder.

The options of a server come from the settings' declarations.
"""

from __future__ import annotations

import gc
import os
import sys
from argparse import SUPPRESS, ArgumentParser, HelpFormatter
from collections.abc import Callable, Sequence
from textwrap import wrap
from typing import Any, Final, NoReturn

from kv_server import __version__
from kv_server.app.config import SETTINGS
from kv_server.app.kinds import FLAG, SECRET
from kv_server.app.sources import Loaded, WrongSetting, flag_of, hint, load

__all__ = ["main"]

_WRONG_USE: Final = 2
_INTERRUPTED: Final = 130
_WIDTH: Final = 120


def main() -> None:
    """Run the command line; whatever is wrong with it is one line on stderr and exit status 2."""
    try:
        given = _read(sys.argv[1:])
        run = given.pop("run")
        status: int = (_serve if "version" in given else run)(**given)
    except WrongSetting as error:
        sys.stderr.write(f"kv-server: {error}\n")
        status = _WRONG_USE
    except KeyboardInterrupt:
        status = _INTERRUPTED
    sys.exit(status)


def _serve(*, version: bool = False, check_config: bool = False, **flags: Any) -> int:
    """Serve kv until SIGTERM. Every option is also a setting of the file, and a variable KV_... of the environment."""
    if version:
        from kv_server.app.node import BUILD

        sys.stdout.write(f"kv-server {__version__} ({BUILD} build)\n")
        return 0
    loaded = load(flags, os.environ)
    if check_config:
        sys.stdout.write("the configuration is valid\n")
        return 0
    gc.disable()  # until the server serves: what is made until then stays
    from kv_server.app.logs import start_logging
    from kv_server.app.process import run

    start_logging(loaded.config.log_level, loaded.config.log_format)
    return run(loaded.config, lambda: load(flags, os.environ).config)


def _config(*, check_config: bool = False, **flags: Any) -> int:
    """Print every setting with its value and where the value comes from."""
    sys.stdout.write(_table(load(flags, os.environ)))
    return 0


def _table(loaded: Loaded) -> str:
    rows = [
        (name, setting.kind.show(getattr(loaded.config, name)), loaded.origins[name])
        for name, setting in SETTINGS.items()
    ]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    return "".join(f"{name:<{widths[0]}}  {shown:<{widths[1]}}  {origin}\n" for name, shown, origin in rows)


# ---- data folders, without a server
def _check(folder: str, repair: bool = False, **flags: Any) -> int:
    """Say whether a data folder is whole and what a start would make of it: status 0 if it is well, 1 if damaged."""
    from kv_server.app.checking import check

    return check(folder, repair=repair)


def _dump(path: str, **flags: Any) -> int:
    """Print a log, a snapshot, or all that a data folder holds, as lines of JSON."""
    from kv_server.app.copying import dump

    return dump(path)


def _load(folder: str, **flags: Any) -> int:
    """Make a data folder from such lines, read from standard input."""
    from kv_server.app.copying import load

    return load(folder)


# ---- words
class _Help(HelpFormatter):
    """As wide as the lines here, and without breaks within a word."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=32, width=_WIDTH)

    def _split_lines(self, text: str, width: int) -> list[str]:
        return wrap(text, width, break_on_hyphens=False)


class _Parser(ArgumentParser):
    """A parser that says in one line what is wrong, and puts down only what was given."""

    def __init__(self, **facts: Any) -> None:
        super().__init__(**facts, allow_abbrev=False, formatter_class=_Help, argument_default=SUPPRESS, add_help=False)
        self.add_argument("-h", "--help", action="help", help="show this and exit")

    def error(self, message: str) -> NoReturn:
        raise WrongSetting(" ".join(message.split()))


def _read(words: Sequence[str]) -> dict[str, Any]:
    """What *words* ask for: the function to `run`, and its arguments. Raises `WrongSetting`."""
    known = [flag_of(name) for name in (*SETTINGS, "config", "version", "check_config", "repair", "help")]
    try:
        given, left = _parser().parse_known_args(words)
    except WrongSetting:
        unknown = [word for word in words if word.startswith("--") and word.partition("=")[0] not in known]
        if not unknown:
            raise
        given, left = None, unknown
    if left:
        what = "no option is called" if left[0].startswith("-") else "nothing is asked for by"
        meant = hint(left[0], known) if left[0] not in known else " here"
        raise WrongSetting(f"{what} {left[0]}{meant}")
    return vars(given)


def _parser() -> _Parser:
    parser = _Parser(prog="kv-server", usage="%(prog)s [OPTIONS] [COMMAND]", description=_serve.__doc__)
    parser.set_defaults(run=_serve)
    _add_settings(parser)
    parser.add_argument("--version", action="store_true", help="print the version and stop")
    parser.add_argument("--check-config", action="store_true", help="check the configuration and stop")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", prog="kv-server")

    def add(run: Callable[..., int]) -> _Parser:
        name = run.__name__.lstrip("_")
        made: _Parser = commands.add_parser(name, help=run.__doc__, description=run.__doc__)
        made.set_defaults(run=run)
        return made

    config = add(_config)
    config.usage = "%(prog)s [OPTIONS]"
    _add_settings(config)
    check = add(_check)
    check.add_argument("folder", metavar="DIR", help="a data folder that no server has")
    check.add_argument("--repair", action="store_true", help="put aside what is damaged")
    add(_dump).add_argument("path", metavar="FILE|DIR", help="a log, a snapshot, or a data folder")
    add(_load).add_argument("folder", metavar="DIR", help="a folder without data; made if need be")
    return parser


def _add_settings(parser: _Parser) -> None:
    for name, setting in SETTINGS.items():
        kind, text = setting.kind, setting.help.replace("%", "%%")
        if kind is FLAG:
            parser.add_argument(flag_of(name), action="store_true", help=text)
        elif kind is not SECRET:
            action = "append" if isinstance(setting.default, tuple) else "store"
            text += f" [default: {kind.show(setting.default)}]".replace("%", "%%")
            parser.add_argument(flag_of(name), action=action, metavar=kind.shape, help=text)
    parser.add_argument("--config", metavar="FILE", help="read settings from this TOML file")
