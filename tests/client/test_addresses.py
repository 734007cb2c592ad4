"""URLs: the two forms, their defaults, and sentences about everything else."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kv_client._core.address import Address, credentials_in, parse_url
from kv_protocol.errors import InvalidArgument


@pytest.mark.parametrize(
    "url, address",
    [
        ("kv://", Address(host="127.0.0.1", port=7440)),
        ("kv://db.example", Address(host="db.example", port=7440)),
        ("kv://db.example:7000/shop", Address("shop", host="db.example", port=7000)),
        ("kv://[::1]:7000/3", Address("3", host="::1", port=7000)),
        ("kv://host/a%2Fb%20c", Address("a/b c", host="host", port=7440)),
        ("kv://host/%FF", Address("\udcff", host="host", port=7440)),
        ("kvs://db.example/shop", Address("shop", host="db.example", port=7440, tls=True)),
        ("kv://user:secret@host", Address(host="host", port=7440)),
        ("kv+unix://user:secret@/run/kv.sock", Address(path="/run/kv.sock")),
        ("kv+unix:///run/kv.sock", Address(path="/run/kv.sock")),
        ("kv+unix:///run/kv.sock?namespace=shop", Address("shop", path="/run/kv.sock")),
    ],
)
def test_urls_that_name_a_server(url, address):
    assert parse_url(url) == address


@pytest.mark.parametrize(
    "url, reason",
    [
        ("redis://host", "must begin with"),
        ("host:7440", "must begin with"),
        ("", "must begin with"),
        ("kv://host:0", "port"),
        ("kv://host:70000", "port"),
        ("kv://host:x", "port"),
        ("kv://host/a/b", "more than one part"),
        ("kv://host/a?b=c", "query"),
        ("kv://host#a", "fragment"),
        ("kv://:7440/a", "names no host"),
        ("kv+unix://run/kv.sock", "three slashes"),
        ("kv+unix:///", "no socket path"),
        ("kv+unix:///a?b=c", "unknown option: b"),
        ("kv://[::1", "IPv6"),
    ],
)
def test_urls_that_do_not_say_why(url, reason):
    with pytest.raises(InvalidArgument, match=reason):
        parse_url(url)


@pytest.mark.parametrize(
    "url, user, password",
    [
        ("kv://host", None, None),
        ("kv://ada:secret@host", "ada", "secret"),
        ("kvs://ada@host/ns", "ada", None),
        ("kv://:secret@host", None, "secret"),
        ("kv://a%40b:p%3A%2F%25@host", "a@b", "p:/%"),
        ("kv+unix://ada:secret@/run/kv.sock", "ada", "secret"),
    ],
)
def test_credentials_are_in_the_url_and_nowhere_else(url, user, password):
    assert credentials_in(url) == (user, password)
    assert "secret" not in repr(parse_url(url)) + parse_url(url).place


@pytest.mark.parametrize(
    "url",
    [
        "redis://ada:secret@host", "kv://ada:secret@", "kv://ada:secret@host:x", "kv://ada:secret@host/a/b",
        "kv://ada:se/secret@host", "kv://ada:se#secret@host", "kv://ada:se@secret@[::1", "ada:secret@host",
        "kv+unix://ada:secret@run/kv.sock",
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_url_is_said_without_what_is_secret_in_it(url):
    with pytest.raises(InvalidArgument) as caught:
        parse_url(url)
    assert "secret" not in str(caught.value)


def test_what_is_no_text_is_refused():
    with pytest.raises(InvalidArgument, match="bytes"):
        parse_url(b"kv://host")


def test_an_address_is_named_as_in_its_url():
    assert parse_url("kv://[::1]:7/x").place == "kv://[::1]:7"
    assert parse_url("kv://a/x").place == "kv://a:7440"
    assert parse_url("kvs://a/x").place == "kvs://a:7440"
    assert parse_url("kv+unix:///s?namespace=x").place == "kv+unix:///s"


@given(st.text() | st.text().map(lambda text: "kv://" + text) | st.text().map(lambda text: "kv+unix://" + text))
def test_any_text_is_an_address_or_is_refused(text):
    with suppress(InvalidArgument):
        assert parse_url(text).place
