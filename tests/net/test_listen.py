"""Listening sockets: those of a living server are respected, those of a dead one replaced."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from kv_server.net.address import Address
from kv_server.net.listen import CannotListen, open_listeners

LOOPBACK = Address("127.0.0.1", 0)


def test_port_zero_gives_a_real_one() -> None:
    first, second = open_listeners([LOOPBACK, LOOPBACK])
    assert first.address.port and second.address.port and first.address != second.address
    first.close()
    second.close()


def test_both_families_listen_side_by_side() -> None:
    [four] = open_listeners([LOOPBACK])
    [six] = open_listeners([Address("::1", four.address.port)])
    assert str(six.address) == f"[::1]:{four.address.port}"
    four.close()
    six.close()


def test_a_taken_port_is_named_and_nothing_stays_open() -> None:
    [taken] = open_listeners([LOOPBACK])
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    with pytest.raises(CannotListen, match=rf"cannot listen on 127\.0\.0\.1:{taken.address.port}: another server"):
        open_listeners([LOOPBACK, taken.address])
    assert before == (len(os.listdir("/proc/self/fd")) if before else 0)
    taken.close()


def test_an_address_that_is_not_ours_is_refused_with_the_systems_words() -> None:
    with pytest.raises(CannotListen, match=r"cannot listen on 192\.0\.2\.1:5: "):
        open_listeners([Address("192.0.2.1", 5)])
    with pytest.raises(CannotListen, match=r"cannot listen on nobody\.invalid:5: "):
        open_listeners([Address("nobody.invalid", 5)])


def unix(folder: Path) -> Address:
    return Address(path=str(folder / "kv.sock"))


def test_a_unix_socket_is_its_owners_and_goes_with_its_server(tmp_path: Path) -> None:
    mask = os.umask(0)
    try:
        [listener] = open_listeners([unix(tmp_path)])
        assert os.umask(0) == 0
    finally:
        os.umask(mask)
    mode = os.stat(tmp_path / "kv.sock").st_mode
    assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600
    listener.close()
    listener.close()
    assert not (tmp_path / "kv.sock").exists()


def test_the_socket_of_a_dead_server_is_replaced(tmp_path: Path) -> None:
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(tmp_path / "kv.sock"))
    dead.close()
    [listener] = open_listeners([unix(tmp_path)])
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(tmp_path / "kv.sock"))
    listener.close()


def test_the_socket_of_a_living_server_is_left_alone(tmp_path: Path) -> None:
    [living] = open_listeners([unix(tmp_path)])
    with pytest.raises(CannotListen, match="another server listens there"):
        open_listeners([unix(tmp_path)])
    assert (tmp_path / "kv.sock").exists()
    living.close()


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "kv.sock").write_text("precious")
    with pytest.raises(CannotListen, match="no socket"):
        open_listeners([unix(tmp_path)])
    assert (tmp_path / "kv.sock").read_text() == "precious"
    (tmp_path / "kv.sock").unlink()
    (tmp_path / "kv.sock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CannotListen, match="no socket"):
        open_listeners([unix(tmp_path)])


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(CannotListen, match="No such file"):
        open_listeners([unix(tmp_path / "missing")])


def test_the_socket_of_a_successor_is_not_removed(tmp_path: Path) -> None:
    [first] = open_listeners([unix(tmp_path)])
    os.unlink(tmp_path / "kv.sock")
    [second] = open_listeners([unix(tmp_path)])
    first.close()
    assert (tmp_path / "kv.sock").exists()
    second.close()
