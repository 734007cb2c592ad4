"""Addresses as operators write them."""

from __future__ import annotations

import pytest

from kv_server.net.address import Address


@pytest.mark.parametrize(
    "text, address, shown",
    [
        ("127.0.0.1:7440", Address("127.0.0.1", 7440), "127.0.0.1:7440"),
        ("127.0.0.1", Address("127.0.0.1", 7440), "127.0.0.1:7440"),
        ("localhost:0", Address("localhost", 0), "localhost:0"),
        ("[::1]:65535", Address("::1", 65_535), "[::1]:65535"),
        ("[::1]", Address("::1", 7440), "[::1]:7440"),
        ("unix:/run/kv.sock", Address(path="/run/kv.sock"), "unix:/run/kv.sock"),
        ("tls://127.0.0.1:7443", Address("127.0.0.1", 7443, tls=True), "tls://127.0.0.1:7443"),
        ("tls://[::1]", Address("::1", 7440, tls=True), "tls://[::1]:7440"),
        ("unix:///run/kv.sock", Address(path="/run/kv.sock"), "unix:/run/kv.sock"),
    ],
)
def test_an_address_is_read_and_shown(text: str, address: Address, shown: str) -> None:
    assert Address.parse(text) == address
    assert str(address) == shown
    assert Address.parse(shown) == address


@pytest.mark.parametrize(
    "text, reason",
    [
        ("", "host is missing"), (":7440", "host is missing"), ("[]:1", "host is missing"), ("a:b", "number from 0"),
        ("a:-1", "number from 0"), ("a:65536", "number from 0"), ("a:\u0661", "number from 0"),
        ("a:1_0", "number from 0"),
        ("::1", "IPv6"), ("fe80::1:7440", r"\[::1\]:7440"), ("[::1", "IPv6"), ("[::1]7440", "IPv6"),
        ("unix:kv.sock", "absolute"), ("unix:/" + "x" * 100, "at most 100 bytes"), ("tls://unix:/x", "has no TLS"),
    ],
)  # fmt: skip
def test_a_wrong_address_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Address.parse(text)


@pytest.mark.parametrize(
    "text, public",
    [
        ("127.0.0.1", False), ("127.8.8.8", False), ("localhost", False), ("[::1]", False), ("unix:/x", False),
        ("0.0.0.0", True), ("[::]", True), ("10.0.0.1", True), ("example.org", True), ("[fe80::1%eth0]", True),
    ],
)  # fmt: skip
def test_it_is_known_who_can_reach_it(text: str, public: bool) -> None:
    assert Address.parse(text).public is public
