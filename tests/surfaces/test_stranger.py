"""Clients of protocols that no door speaks: each is told in a way that it may show."""

import pytest

from kv_protocol.errors import TooManyConnections
from kv_server.surfaces.stranger import Stranger


def answer(*pieces: bytes) -> bytes:
    stranger = Stranger()
    for piece in pieces:
        stranger.receive_data(piece)
    assert stranger.closing
    said = stranger.data_to_send()
    assert stranger.held == 0 and stranger.data_to_send() == b""
    return said


@pytest.mark.parametrize("data", [b"\xff\xff", b"\x01", b"\x7f", b"\x80\r\n"])
def test_others_hear_one_line(data: bytes) -> None:
    said = answer(data, b"and more")
    assert said.startswith(b"-ERR this port speaks RESP and kv's native protocol") and said.count(b"\r\n") == 1


def test_a_tls_handshake_hears_that_there_is_none() -> None:
    assert answer(b"\x16\x03\x01\x02\x00") == b"-ERR this bind has no TLS\r\n"


def test_a_refusal_is_one_line_too() -> None:
    stranger = Stranger()
    stranger.refuse(TooManyConnections("the server has as many connections as it may (5)"))
    stranger.receive_data(b"PING\r\n")
    assert stranger.data_to_send() == b"-ERR the server has as many connections as it may (5)\r\n"
