"""The command line `kv-server`: serve, show the configuration, or look after a data folder.

The options of a server come from the settings' declarations.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable
from typing import Annotated, Any, Final

import typer

from kv_server import __version__
from kv_server.app.config import SETTINGS
from kv_server.app.kinds import FLAG, SECRET
from kv_server.app.sources import Loaded, WrongSetting, flag_of, hint, load

__all__ = ["app", "main"]

_WRONG_USE: Final = 2
_NO_SETTINGS: Final = ("version", "check_config")

app = typer.Typer(
    name="kv-server", add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)  # fmt: skip


def main() -> None:
    """Run the command line; whatever is wrong with it is one line on stderr and exit status 2."""
    try:
        status = app(prog_name="kv-server", standalone_mode=False)
    except WrongSetting as error:
        sys.stderr.write(f"kv-server: {error}\n")
        status = _WRONG_USE
    except typer.Abort:
        status = 130
    except Exception as error:
        say = getattr(error, "format_message", None)  # what the parser of the command line raises
        if say is None:
            raise
        sys.stderr.write(f"kv-server: {_one_line(error, say())}\n")
        status = _WRONG_USE
    sys.exit(status if isinstance(status, int) else 0)


def _one_line(error: Exception, text: str) -> str:
    option = getattr(error, "option_name", None)
    if option and "such option" in text:
        known = [flag_of(name) for name in (*SETTINGS, "config", *_NO_SETTINGS)]
        return f"no option is called {option}{hint(option, known)}"
    return " ".join(text.split())


def _serve(context: typer.Context, **given: Any) -> int | None:
    """Serve kv until SIGTERM. Every option is also a setting of the file, and a variable KV_... of the environment."""
    flags = _only_given(given)
    if flags.pop("version", False):
        from kv_server.app.node import BUILD

        sys.stdout.write(f"kv-server {__version__} ({BUILD} build)\n")
        return 0
    context.obj = flags
    if context.invoked_subcommand is not None:
        return None
    only_check = flags.pop("check_config", False)
    loaded = load(flags, os.environ)
    if only_check:
        sys.stdout.write("the configuration is valid\n")
        return 0
    from kv_server.app.logs import start_logging
    from kv_server.app.process import run

    start_logging(loaded.config.log_level, loaded.config.log_format)
    return run(loaded.config, lambda: load(flags, os.environ).config)


def _show_config(context: typer.Context, **given: Any) -> int:
    """Print every setting with its value and where the value comes from."""
    flags = {**context.obj, **_only_given(given)}
    flags.pop("check_config", None)
    sys.stdout.write(_table(load(flags, os.environ)))
    return 0


def _table(loaded: Loaded) -> str:
    rows = [
        (name, setting.kind.show(getattr(loaded.config, name)), loaded.origins[name])
        for name, setting in SETTINGS.items()
    ]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    return "".join(f"{name:<{widths[0]}}  {shown:<{widths[1]}}  {origin}\n" for name, shown, origin in rows)


def _only_given(given: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value not in (None, [], False)}


def _options(*more: inspect.Parameter) -> inspect.Signature:
    """The options of a command: one for each setting, and *more*."""
    found = [inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)]
    for name, setting in SETTINGS.items():
        kind, shown = setting.kind, setting.kind.show(setting.default)
        if kind is SECRET:
            continue
        declared: Any
        if kind is FLAG:
            declared = Annotated[bool | None, typer.Option(f"{flag_of(name)}", help=setting.help, show_default=False)]
        else:
            text = f"{setting.help} [default: {shown}]"
            plain = list[str] | None if isinstance(setting.default, tuple) else str | None
            declared = Annotated[plain, typer.Option(flag_of(name), help=text, metavar=kind.shape, show_default=False)]
        found.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=declared))
    return inspect.Signature([*found, *more])


def _switch(name: str, help: str, kind: Any = bool, shape: str | None = None) -> inspect.Parameter:
    option = typer.Option(flag_of(name), help=help, metavar=shape, show_default=False)
    default = False if kind is bool else None
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, option])


def _command(function: Callable[..., Any], *more: inspect.Parameter) -> Callable[..., Any]:
    """*function* with the signature that the parser of the command line is to see."""
    file = _switch("config", "read settings from this TOML file", str | None, "FILE")
    signature = _options(file, *more)

    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    call.__doc__ = function.__doc__
    call.__signature__ = signature  # type: ignore[attr-defined]
    call.__annotations__ = {name: param.annotation for name, param in signature.parameters.items()}
    return call


app.callback(invoke_without_command=True)(
    _command(
        _serve,
        _switch("version", "print the version and stop"),
        _switch("check_config", "check the configuration and stop"),
    )
)
app.command("config")(_command(_show_config))


# ---- data folders, without a server
@app.command("check")
def _check(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="a data folder that no server has")],
    repair: Annotated[bool, typer.Option("--repair", help="put aside what is damaged")] = False,
) -> int:
    """Say whether a data folder is whole and what a start would make of it: status 0 if it is well, 1 if damaged."""
    from kv_server.app.checking import check

    return check(folder, repair=repair)


@app.command("dump")
def _dump(path: Annotated[str, typer.Argument(metavar="FILE|DIR", help="a log, a snapshot, or a data folder")]) -> int:
    """Print a log, a snapshot, or all that a data folder holds, as lines of JSON."""
    from kv_server.app.copying import dump

    return dump(path)


@app.command("load")
def _load(folder: Annotated[str, typer.Argument(metavar="DIR", help="a folder without data; made if need be")]) -> int:
    """Make a data folder from such lines, read from standard input."""
    from kv_server.app.copying import load

    return load(folder)
