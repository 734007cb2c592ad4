"""The grammar of rules, which is that of Redis's ACL SETUSER, with namespaces: `ns=pattern`, `allnamespaces`,
`resetnamespaces`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from attrs import evolve

from kv_protocol.errors import InvalidArgument
from kv_server.engine.access.secrets import Job, digest_of, kept_in, salt_of
from kv_server.engine.access.user import ALL, BOTH, Selector, User
from kv_server.spec.catalog import Catalog
from kv_server.spec.categories import CATEGORIES
from kv_server.spec.command import Flag

__all__ = ["Book", "WrongRule", "secrets_in", "words_of"]

_DIGEST: Final = re.compile(rb"[0-9a-f]{64}")
_ACCESS: Final = re.compile(rb"%([RrWw]{1,2})~(.*)", re.DOTALL)
_FLAGS: Final = {b"R": Flag.READ, b"W": Flag.WRITE, b"RW": BOTH, b"WR": BOTH}
_SYNTAX: Final = "Syntax error"
_UNKNOWN: Final = "Unknown command or category name in ACL"
_NO_PASSWORD: Final = "The password you are trying to remove from the user does not exist"
_NO_DIGEST: Final = "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters"
_AFTER_ALL: Final = (
    "Adding a pattern after the * pattern (or the '{all}' flag) is not valid and does not have any effect. "
    "Try '{reset}' to start with an empty list of {of}"
)
_SANITIZING: Final = (b"sanitize-payload", b"skip-sanitize-payload")


class WrongRule(InvalidArgument):
    """A rule that cannot be; *rule* is as it was written."""

    def __init__(self, rule: bytes, reason: str) -> None:
        self.rule = rule
        self.reason = reason
        shown = "(redacted)" if rule[:1] in (b">", b"<") else rule.decode("utf-8", "surrogateescape")
        super().__init__(f"Error in ACL SETUSER modifier '{shown}': {reason}")


class Book:
    """The words of rules: which commands they stand for, as bits."""

    def __init__(self, catalog: Catalog) -> None:
        self.everything = (1 << len(catalog)) - 1
        self.words: dict[str, int] = {}
        for table in (catalog.words, catalog.commands):
            for name, command in table.items():
                word = name.decode().lower().replace(" ", "|")
                for known in {word, word.partition("|")[0]}:
                    self.words[known] = self.words.get(known, 0) | 1 << command.bit
        self.categories: dict[str, int] = dict.fromkeys(CATEGORIES, 0)
        for command in catalog:
            for category in command.acl:
                self.categories[category] = self.categories.get(category, 0) | 1 << command.bit
        self.categories["all"] = self.everything
        self.greeting = catalog.bits(Flag.GREETS)
        """What everybody may call, logged in or not."""

    def bits(self, rules: Iterable[str]) -> int:
        """What *rules* open."""
        opened = 0
        for rule in rules:
            found = self._found(rule[1:])
            assert found is not None
            opened = opened | found if rule[0] == "+" else opened & ~found
        return opened

    def _found(self, name: str) -> int | None:
        return self.categories.get(name[1:]) if name.startswith("@") else self.words.get(name)

    def changed(self, user: User, rules: Iterable[bytes], made: Mapping[Job, str], salt: bytes) -> User:
        """*user* after *rules*; *made* has the hashes that these need, see `secrets_in`. Raises `WrongRule`."""
        for rule in merged(rules):
            if rule[:1] == b"(":
                user = evolve(user, selectors=(*user.selectors, self._selector(rule)))
            else:
                user = self._user(user, rule, made, salt)
        return user

    def _selector(self, rule: bytes) -> Selector:
        selector = Selector()
        for inner in rule[1:-1].split():
            after = self._names(selector, inner) or self._commands(selector, inner)
            if after is None or inner[-1:] == b")":  # such a word would end the selector where it is read again
                raise WrongRule(rule, _SYNTAX)
            selector = after
        return selector

    def _user(self, user: User, rule: bytes, made: Mapping[Job, str], salt: bytes) -> User:
        word = rule.lower()
        match word:
            case b"on" | b"off":
                return evolve(user, on=word == b"on")
            case b"nopass":
                return evolve(user, nopass=True, passwords=())
            case b"resetpass":
                return evolve(user, nopass=False, passwords=())
            case b"clearselectors":
                return evolve(user, selectors=())
            case b"reset":
                return User(user.name)
        if word in _SANITIZING:
            return user
        if rule[:1] in (b">", b"#", b"<", b"!"):
            return _with_password(user, rule, made, salt)
        selector = self._names(user.root, rule) or self._commands(user.root, rule)
        if selector is None:
            raise WrongRule(rule, _SYNTAX)
        return evolve(user, root=selector)

    def _commands(self, selector: Selector, rule: bytes) -> Selector | None:
        """*selector* after a rule about commands; None if it is none."""
        word = rule.lower().decode("utf-8", "replace")
        word = {"allcommands": "+@all", "nocommands": "-@all"}.get(word, word)
        if word[:1] not in ("+", "-") or len(word) < 2:
            return None
        name = word[1:]
        if name == "@all":
            return evolve(selector, commands=(word,))
        if name.count("|") > 1:
            raise WrongRule(rule, "Allowing first-arg of a subcommand is not supported")
        if self._found(name) is None:
            raise WrongRule(rule, _UNKNOWN)
        kept = [one for one in selector.commands if one[1:] != name and not one[1:].startswith(name + "|")]
        return evolve(selector, commands=(*kept, word))

    def _names(self, selector: Selector, rule: bytes) -> Selector | None:
        """*selector* after a rule about names; None if it is none."""
        match rule.lower():
            case b"allkeys" | b"~*":
                return evolve(selector, keys=((ALL, BOTH),))
            case b"resetkeys":
                return evolve(selector, keys=())
            case b"allchannels" | b"&*":
                return evolve(selector, channels=(ALL,))
            case b"resetchannels":
                return evolve(selector, channels=())
            case b"allnamespaces" | b"ns=*":
                return evolve(selector, namespaces=(ALL,))
            case b"resetnamespaces":
                return evolve(selector, namespaces=())
        split = _ACCESS.fullmatch(rule)
        if rule[:1] == b"~" or split is not None:
            access = BOTH if split is None else _FLAGS.get(split[1].upper())
            if access is None:
                raise WrongRule(rule, _SYNTAX)
            return _with_key(selector, rule, rule[1:] if split is None else split[2], access)
        if rule[:1] == b"&":
            if ALL in selector.channels:
                raise WrongRule(rule, _AFTER_ALL.format(all="allchannels", reset="resetchannels", of="channels"))
            return evolve(selector, channels=tuple(dict.fromkeys((*selector.channels, _plain(rule, rule[1:])))))
        if rule[:3].lower() == b"ns=":
            before = () if selector.namespaces == (ALL,) else selector.namespaces
            return evolve(selector, namespaces=tuple(dict.fromkeys((*before, _plain(rule, rule[3:])))))
        return None


def _with_key(selector: Selector, rule: bytes, pattern: bytes, access: Flag) -> Selector:
    if selector.all_keys:
        raise WrongRule(rule, _AFTER_ALL.format(all="allkeys", reset="resetkeys", of="patterns"))
    known = dict(selector.keys)
    known[_plain(rule, pattern)] = known.get(pattern, access) | access
    return evolve(selector, keys=tuple(known.items()))


def _plain(rule: bytes, pattern: bytes) -> bytes:
    """A pattern that can be written down again: lists of rules are parted by blanks."""
    if pattern.split() != [pattern][: len(pattern)] or b"\0" in pattern:
        raise WrongRule(rule, _SYNTAX)
    return pattern


def _with_password(user: User, rule: bytes, made: Mapping[Job, str], salt: bytes) -> User:
    """*user* after a rule that adds (`>`, `#`) a password, or takes one away (`<`, `!`)."""
    kept = _kept(rule)
    if rule[:1] in (b">", b"#"):
        added = kept or made[_digest(rule), salt]
        return evolve(user, nopass=False, passwords=tuple(dict.fromkeys((*user.passwords, added))))
    found = {each for each in user.passwords if each == kept or made.get((_digest(rule), salt_of(each))) == each}
    if not found:
        raise WrongRule(rule, _NO_PASSWORD)
    return evolve(user, passwords=tuple(each for each in user.passwords if each not in found))


def _kept(rule: bytes) -> str | None:
    """The hash in a rule, if it is one in the form in which they are kept."""
    text = rule[1:].decode("ascii", "replace")
    return text if rule[:1] in (b"#", b"!") and kept_in(text) else None


def _digest(rule: bytes) -> bytes:
    if rule[:1] in (b">", b"<"):
        return digest_of(rule[1:])
    if _kept(rule) is not None:
        return b""
    if _DIGEST.fullmatch(rule[1:]) is None:
        raise WrongRule(rule, _NO_DIGEST)
    return bytes.fromhex(rule[1:].decode())


def secrets_in(user: User, rules: Iterable[bytes], salt: bytes) -> list[Job]:
    """The hashes that *rules* about *user* need, to be made with the *salt* of new ones, or that of old ones."""
    jobs: list[Job] = []
    for rule in rules:
        if rule[:1] in (b">", b"#", b"<", b"!") and _kept(rule) is None:
            digest = _digest(rule)
            jobs.append((digest, salt))
            if rule[:1] in (b"<", b"!"):
                jobs += [(digest, salt_of(each)) for each in user.passwords]
    return list(dict.fromkeys(jobs))


def merged(rules: Iterable[bytes]) -> list[bytes]:
    """The rules, with those in parentheses as one each."""
    found: list[bytes] = []
    begun: list[bytes] = []
    for rule in rules:
        if begun or rule[:1] == b"(":
            begun.append(rule)
            if rule[-1:] == b")":
                found.append(b" ".join(begun))
                begun = []
        else:
            found.append(rule)
    if begun:
        start = begun[0].decode("utf-8", "surrogateescape")
        raise InvalidArgument(f"Unmatched parenthesis in acl selector starting at '{start}'.")
    return found


def words_of(user: User) -> bytes:
    """The line of the users' file, and of ACL LIST, that makes *user*."""
    return b" ".join((b"user", user.name.encode("utf-8", "surrogateescape"), *user.rules()))
