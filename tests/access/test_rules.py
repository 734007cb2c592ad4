"""The grammar of rules against a model of it, and the file in which they are kept."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kv_protocol.errors import InvalidArgument
from kv_server.app.users import WrongUsers, read_users, write_users
from kv_server.commands import CATALOG
from kv_server.engine.access.guard import Scope, rights_of
from kv_server.engine.access.rules import Book
from kv_server.engine.access.secrets import digest_of, hashed, matching
from kv_server.engine.access.table import Table, lines_of, table_of
from kv_server.engine.access.user import User
from kv_server.model.glob import covers, matches
from kv_server.spec.command import Flag, Named
from kv_server.surfaces.resp_lines import split_line

BOOK = Book(CATALOG)
SCOPE = Scope(CATALOG)
NAMES = st.text("ab*?[]\\-^", max_size=6).map(str.encode)
RULES = st.sampled_from(
    b"+get -get +@read -@read +@all -@all +set +@write -@string +client|list -client +@dangerous".split()
    + [b"nocommands", b"allcommands"]
)
MARKS = {b"~": Flag.READ | Flag.WRITE, b"%R~": Flag.READ, b"%W~": Flag.WRITE}


def made(*rules: bytes) -> User:
    return BOOK.changed(User("ada"), rules, {}, b"")


@given(st.lists(RULES, max_size=12))
def test_the_later_rule_about_a_command_wins(rules: list[bytes]) -> None:
    open_ = set[str]()
    for rule in rules:
        word = {b"nocommands": "-@all", b"allcommands": "+@all"}.get(rule, rule.decode())
        name = word[1:]
        meant = {
            f"{one.name}{one.bit}"
            for one in CATALOG
            if name == "@all"
            or (name[1:] in one.acl and name[0] == "@")
            or one.name.lower().replace(" ", "|") == name
            or one.name.lower().split(" ")[0] == name
        }
        open_ = open_ | meant if word[0] == "+" else open_ - meant
    bits = BOOK.bits(made(*rules).root.commands)
    assert {f"{one.name}{one.bit}" for one in CATALOG if bits >> one.bit & 1} == open_


@given(
    st.lists(st.tuples(st.sampled_from(sorted(MARKS)), NAMES), max_size=4), NAMES, st.sampled_from([*MARKS.values()])
)
def test_a_key_may_be_used_if_one_pattern_allows_all_of_it(
    patterns: list[tuple[bytes, bytes]], key: bytes, access: Flag
) -> None:
    rules = [mark + pattern for mark, pattern in patterns if (mark, pattern) != (b"~", b"*")]
    given_: dict[bytes, Flag] = {}
    for mark, pattern in patterns:
        if (mark, pattern) != (b"~", b"*"):
            given_[pattern] = given_.get(pattern, Flag(0)) | MARKS[mark]
    try:
        guard = rights_of(made(b"+get", *rules), BOOK, SCOPE).guard
    except InvalidArgument:
        return  # a pattern after that of all
    allowed = any(own & access == access and matches(pattern, key) for pattern, own in given_.items())
    named = [Named("key", key, access)]
    refused = guard is not None and guard.refusal(CATALOG["GET"].bit, named, b"0") is not None
    assert refused is not allowed


@given(NAMES, NAMES, NAMES)
def test_what_covers_a_prefix_fits_every_name_with_it(pattern: bytes, prefix: bytes, rest: bytes) -> None:
    if covers(pattern, prefix):
        assert matches(pattern, prefix + rest)


@given(st.lists(st.binary(max_size=8), max_size=5))
@example([b")"])
def test_no_rule_can_break_its_line_in_the_file(names: list[bytes]) -> None:
    table = Table()
    for name in names:
        try:
            user = BOOK.changed(
                User("ada"), [b"~" + name, b"&" + name, b"ns=" + name, b"(+get ~" + name + b")"], {}, b""
            )
        except InvalidArgument:
            continue
        table = table.with_user(user)
        words = [split_line(line) for line in lines_of(table)]
        assert all(words)
        assert table_of([each for each in words if each], BOOK).users["ada"] == user


def test_the_file_is_written_and_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "users"
    kept = hashed((b"d" * 32, b"s" * 16))
    table = Table().with_user(made(b"on", b"#" + kept.encode(), b"+@all", b"~a", b"ns=shop"))
    write_users(str(path), lines_of(table))
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_users(str(path), BOOK) == table
    assert not (tmp_path / "users.new").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("user ada on\nuser ada off\n", ":2: Duplicate user"),
        ("# all\n\nuser ada +nonsense\n", ":3: Error in ACL SETUSER modifier '\\+nonsense'"),
        ("user ada >open\n", ":1: a file of users has no passwords"),
        ("nonsense\n", ":1: a line begins with"),
        ('user ada "on\n', ":1: a quote is left open"),
        ("token 123456789012 user=ada sha256=" + "0" * 64 + "\n", ":1: a token of a user that no line before it has"),
        ("user ada on\ntoken x user=ada\n", ":2: a token has an id"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "users"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(WrongUsers, match=re.escape(str(path)) + said):
        read_users(str(path), BOOK)


def test_passwords_are_told_apart_and_none_is_none() -> None:
    kept = hashed((digest_of(b"one"), b"s" * 16))
    assert matching(b"one", [kept]) == kept
    assert matching(b"two", [kept]) is None
    assert matching(b"", []) is None
