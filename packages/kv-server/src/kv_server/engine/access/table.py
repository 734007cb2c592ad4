"""All users and tokens as one value, its form as lines of a file, and back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from attrs import evolve, frozen

from kv_protocol.errors import InvalidArgument
from kv_server.engine.access.rules import Book, secrets_in, words_of
from kv_server.engine.access.secrets import digest_of, hashed
from kv_server.engine.access.user import DEFAULT, Token, User
from kv_server.engine.wording import quoted

__all__ = ["Table", "lines_of", "table_of"]

_PLAIN: Final = re.compile(rb"[!#-&(-~]+")  # neither blanks nor quotes
_ID: Final = re.compile(r"[0-9a-f]{12}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


@frozen
class Table:
    """Users by name, tokens by id; what is not there does not exist."""

    users: Mapping[str, User] = {DEFAULT.name: DEFAULT}
    tokens: Mapping[str, Token] = {}

    def with_user(self, user: User) -> Table:
        return evolve(self, users={**self.users, user.name: user})

    def without_users(self, names: set[str]) -> Table:
        """Without these, and without their tokens."""
        return Table(
            {name: user for name, user in self.users.items() if name not in names},
            {id: token for id, token in self.tokens.items() if token.user not in names},
        )

    def with_token(self, token: Token) -> Table:
        return evolve(self, tokens={**self.tokens, token.id: token})

    def without_tokens(self, ids: set[str]) -> Table:
        return evolve(self, tokens={id: token for id, token in self.tokens.items() if id not in ids})


def lines_of(table: Table) -> list[bytes]:
    """The lines that make *table*."""
    users = [b" ".join(map(_word, words_of(user).split(b" "))) for user in table.users.values()]
    return users + [b" ".join(map(_word, _words_of_token(token))) for token in table.tokens.values()]


def _word(word: bytes) -> bytes:
    """A word that can be read back as one."""
    return word if _PLAIN.fullmatch(word) else quoted(word).encode()


def _words_of_token(token: Token) -> list[bytes]:
    words = [b"token", token.id.encode(), b"user=" + token.user.encode("utf-8", "surrogateescape")]
    words.append(b"sha256=" + token.digest.encode())
    words += [b"ns=" + pattern for pattern in token.namespaces]
    words += [b"expires=%d" % token.expires_ms] * bool(token.expires_ms)
    return words + [b"label=" + token.label.encode()] * bool(token.label)


def table_of(lines: Iterable[list[bytes]], book: Book, before: Table | None = None) -> Table:
    """What *lines*, as words, make; where they say nothing of the default user, it is that of *before*.

    Raises `InvalidArgument` for the first line that cannot be; so many lines were taken before.
    """
    users: dict[str, User] = {}
    tokens: dict[str, Token] = {}
    for words in lines:
        if len(words) > 1 and words[0] == b"user":
            user = _user(words, book)
            if user.name in users:
                raise InvalidArgument("Duplicate user found. A user can only be defined once in config files")
            users[user.name] = user
        elif len(words) > 1 and words[0] == b"token":
            token = _token(words)
            if token.user not in users:
                raise InvalidArgument("a token of a user that no line before it has")
            tokens[token.id] = token
        else:
            raise InvalidArgument("a line begins with `user NAME` or `token ID`")
    default = (before or Table()).users[DEFAULT.name]
    return Table({DEFAULT.name: users.pop(DEFAULT.name, default), **users}, tokens)


def _user(words: list[bytes], book: Book) -> User:
    """The user of a line. A file has hashes alone; those that are not in the form in which they are kept get it here:
    that is slow.
    """
    user, rules = User(words[1].decode("utf-8", "surrogateescape")), words[2:]
    if any(rule[:1] in (b">", b"<", b"!") for rule in rules):
        raise InvalidArgument(
            "a file of users has no passwords, only hashes: # and the SHA-256 of a password, or what ACL LIST prints"
        )
    salt = digest_of(b" ".join(words))[:16]
    made = {job: hashed(job) for job in secrets_in(user, rules, salt)}
    return book.changed(user, rules, made, salt)


def _token(words: list[bytes]) -> Token:
    facts: dict[str, list[bytes]] = {}
    for word in words[2:]:
        fact, is_given, value = word.partition(b"=")
        if not is_given or fact not in (b"user", b"sha256", b"ns", b"expires", b"label"):
            raise InvalidArgument("a token has user=, sha256=, ns=, expires= and label=")
        facts.setdefault(fact.decode(), []).append(value)
    single = {fact: values[0].decode("utf-8", "surrogateescape") for fact, values in facts.items()}
    expires = single.get("expires", "0")
    if not _ID.fullmatch(words[1].decode("latin-1")) or not _SHA256.fullmatch(single.get("sha256", "")):
        raise InvalidArgument("a token has an id of 12 and a sha256 of 64 hexadecimal digits")
    if "user" not in single or not expires.isascii() or not expires.isdigit() or len(expires) > 16:
        raise InvalidArgument("a token has user=NAME, and expires= in milliseconds since 1970")
    return Token(
        words[1].decode(), single["user"], single["sha256"], tuple(facts.get("ns", ())), int(expires),
        single.get("label", ""),
    )  # fmt: skip
