"""Where settings come from: a flag wins over the environment, that over the file, that over the default.

Each value remembers its origin. Whatever names no setting, or does not hold for one, is refused with one line.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Final

from attrs import frozen

from kv_server.app.config import SETTINGS, Config
from kv_server.app.kinds import SECRET

__all__ = ["Loaded", "WrongSetting", "flag_of", "hint", "load"]

_PREFIX: Final = "KV_"
_FILE: Final = "config"
_OF_CLIENTS: Final = frozenset(("KV_URL", "KV_TOKEN", "KV_TOKEN_FILE"))
# Kubernetes gives every container such variables for a service that is called `kv`.
_OF_KUBERNETES: Final = re.compile(r"KV_(SERVICE_(HOST|PORT)(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?)")


class WrongSetting(Exception):
    """One line: what is wrong, where it was said, and what may have been meant."""


@frozen
class Loaded:
    """A configuration, and for each setting where its value comes from."""

    config: Config
    origins: Mapping[str, str]


def load(flags: Mapping[str, object], environment: Mapping[str, str]) -> Loaded:
    """The configuration from *flags*, keyed by setting, *environment*, the file that these name, and the defaults."""
    given: dict[str, object] = {}
    origins = dict.fromkeys(SETTINGS, "default")
    variables = _from_environment(environment)
    path = flags.get(_FILE) or variables.pop(_FILE, None)
    sources: list[tuple[str, Mapping[str, object]]] = [("environment", variables), ("flag", flags)]
    if path is not None:
        sources.insert(0, (str(path), _from_file(str(path))))
    for source, settings in sources:
        for name, value in settings.items():
            if name != _FILE:
                given[name] = value
                origins[name] = _origin(source, name)
    values = {name: _read(name, value, origins[name]) for name, value in given.items()}
    config = Config(**values)
    _check(config, origins)
    return Loaded(config, origins)


def flag_of(name: str) -> str:
    """How a setting is called on a command line."""
    return f"--{name.replace('_', '-')}"


def hint(word: str, known: Iterable[str]) -> str:
    """What may have been meant by *word*, as the end of a sentence; nothing if nobody can tell."""
    near = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""


def _origin(source: str, name: str) -> str:
    if source == "flag":
        return f"flag {flag_of(name)}"
    if source == "environment":
        return f"environment {_PREFIX}{name.upper()}"
    return f"file {source}"


def _from_environment(environment: Mapping[str, str]) -> dict[str, object]:
    found: dict[str, object] = {}
    for variable, text in environment.items():
        if not variable.startswith(_PREFIX) or variable in _OF_CLIENTS or _OF_KUBERNETES.fullmatch(variable):
            continue
        name = variable.removeprefix(_PREFIX).lower()
        if name not in SETTINGS and name != _FILE:
            known = [_PREFIX + setting.upper() for setting in (*SETTINGS, _FILE)]
            raise WrongSetting(f"no setting is called {variable} (environment){hint(variable, known)}")
        found[name] = text
    return found


def _from_file(path: str) -> dict[str, Any]:
    try:
        with open(path, "rb") as file:
            found = tomllib.load(file)
    except OSError as error:
        raise WrongSetting(f"cannot read {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise WrongSetting(f"{path} is not TOML: {str(error).splitlines()[0]}") from None
    for name in found:
        if name not in SETTINGS:
            raise WrongSetting(f"no setting is called {name!r} (file {path}){hint(name, SETTINGS)}")
    return found


def _read(name: str, given: object, origin: str) -> Any:
    try:
        return SETTINGS[name].kind.read(given)
    except ValueError as error:
        shown = "" if SETTINGS[name].kind is SECRET else f"; it is {_shown(given)}"
        raise WrongSetting(f"{name}: {error}{shown} ({origin})") from None


def _shown(given: object) -> str:
    text = ",".join(map(str, given)) if isinstance(given, list) else str(given)
    return repr(text if len(text) <= 80 else text[:77] + "...")


def _check(config: Config, origins: Mapping[str, str]) -> None:
    """Refuse what is wrong about several settings together."""
    _check_tls(config, origins)
    login = _check_users(config, origins)
    for name, addresses in (("bind", config.bind), ("http", config.http)):
        public = [address for address in addresses if address.public and not (address.tls and config.tls_client_ca)]
        if public and not config.insecure and not login:
            raise WrongSetting(
                f"{name}: other machines can reach {public[0]} ({origins[name]}) and nobody has to log in: "
                f"set a password, or {name} 127.0.0.1, or add --insecure where only trusted machines can reach it"
            )


def _check_users(config: Config, origins: Mapping[str, str]) -> bool:
    """Refuse users that cannot be; whether everybody has to log in."""
    if config.password and config.password_file:
        raise WrongSetting(f"password: is given twice ({origins['password']}, {origins['password_file']})")
    if not (config.users or config.password or config.password_file):
        return False
    from kv_server.app.users import WrongUsers, demands_login

    try:
        return demands_login(config)
    except WrongUsers as error:
        raise WrongSetting(str(error)) from None


def _check_tls(config: Config, origins: Mapping[str, str]) -> None:
    """Refuse certificates that nobody uses, that are missing, or that no client would take."""
    secured = [address for address in config.bind if address.tls]
    for name in ("tls_certificate", "tls_key", "tls_client_ca"):
        given = getattr(config, name)
        if given and not secured:
            raise WrongSetting(f"{name}: no bind has TLS: say --bind tls://host:port ({origins[name]})")
        if secured and not given and name != "tls_client_ca":
            raise WrongSetting(f"{name}: is needed for {secured[0]} ({origins['bind']}): say {flag_of(name)} FILE")
    if any(address.tls for address in config.http):
        raise WrongSetting(f"http: is served without TLS ({origins['http']}): put a proxy that has TLS in front of it")
    if secured:
        from kv_server.net.listen import CannotListen
        from kv_server.net.tls import Tls

        try:
            Tls(config.tls_certificate, config.tls_key, config.tls_client_ca)
        except CannotListen as error:
            raise WrongSetting(str(error)) from None
