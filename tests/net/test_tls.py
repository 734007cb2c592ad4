"""A bind with TLS over real sockets: who may come, what is refused, and that all holds there that holds without."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import socket
import ssl
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from kv_server.net.address import Address
from kv_server.net.listen import CannotListen
from kv_server.net.server import Server
from kv_server.net.tls import MAX_HANDSHAKE
from tests.app.program import running
from tests.net.certificates import LONG_AGO, Authority
from tests.net.rig import ANYWHERE, Caller, condition, dial, encode, pack, serving

SECURED = Address("127.0.0.1", 0, tls=True)
HELLO = pack([1, "HELLO", [1], {"client": "test"}])


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that nobody trusts."""
    return Authority(tmp_path_factory.mktemp("stranger"))


@asynccontextmanager
async def secured(authority: Authority, **settings: Any) -> AsyncIterator[Server]:
    async with serving(SECURED, **{**authority.write(), **settings}) as server:
        yield server


async def refused(server: Server, context: ssl.SSLContext) -> str:
    """Why a client with *context* is not served. Where clients show certificates, it hears only when it first reads."""
    before = server.connections.counters.not_secured
    with pytest.raises(trio.BrokenResourceError) as caught:
        async with dial(server, tls=context) as caller:
            await caller.rest()
    await condition(lambda: server.connections.counters.not_secured == before + 1)
    await condition(lambda: not server.connections.peers)
    return str(caught.value.__cause__)


# ---- calls
async def test_values_pass_both_ways_and_long_pipelines_stay_in_order(authority: Authority) -> None:
    async with secured(authority) as server, dial(server, tls=authority.client()) as caller:
        value = encode(bytes(range(256)) * 40_000)
        assert (await caller.ask(2, "SET", ["k", value]))[1] == 0
        assert await caller.ask(3, "GET", ["k"]) == [3, 0, value]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(caller.send, b"".join(pack([n, "ECHO", [encode(n)]]) for n in range(4, 10_000)))
            for number in range(4, 10_000):
                assert await caller.receive() == [number, 0, encode(number)]


async def test_the_same_store_is_behind_a_plain_bind(authority: Authority) -> None:
    async with serving(SECURED, ANYWHERE, **authority.write()) as server:
        assert [str(address).startswith("tls://") for address in server.addresses] == [True, False]
        async with dial(server, tls=authority.client()) as near, dial(server, at=1) as far:
            await near.ask(2, "SET", ["k", encode(1)])
            assert await far.ask(2, "GET", ["k"]) == [2, 0, encode(1)]


async def test_clients_of_redis_are_served_too(authority: Authority) -> None:
    async with secured(authority) as server, dial(server, hello=False, tls=authority.client()) as caller:
        await caller.send(b"*1\r\n$4\r\nPING\r\n")
        assert await caller.stream.receive_some(100) == b"+PONG\r\n"


# ---- what is refused
async def test_old_versions_are_refused(authority: Authority) -> None:
    context = authority.client()
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    async with secured(authority) as server:
        assert "PROTOCOL_VERSION" in await refused(server, context)


@pytest.mark.parametrize("suites", ["ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384", "ECDHE-ECDSA-AES128-CCM"])
async def test_weak_suites_are_refused(authority: Authority, suites: str) -> None:
    context = authority.client()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(suites)
    async with secured(authority) as server:
        assert "HANDSHAKE_FAILURE" in await refused(server, context)


async def test_version_1_2_is_served_without_compression_and_with_secrets_that_pass(authority: Authority) -> None:
    context = authority.client()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    async with secured(authority) as server, dial(server, tls=context) as caller:
        assert isinstance(caller.stream, trio.SSLStream)
        assert caller.stream.compression() is None
        name, version, _ = caller.stream.cipher()
        assert version == "TLSv1.2" and name.startswith("ECDHE-")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the program openssl")
async def test_nobody_shakes_hands_a_second_time(authority: Authority) -> None:
    """A client of OpenSSL asks for it by a line of `R`."""
    async with secured(authority) as server:
        place = f"127.0.0.1:{server.addresses[0].port}"
        words = ["openssl", "s_client", "-connect", place, "-tls1_2", "-CAfile", authority.file]
        done = await trio.run_process(words, stdin=b"R\n", capture_stdout=True, capture_stderr=True, check=False)
        assert b"no renegotiation" in done.stderr


@pytest.mark.parametrize(
    "first, said",
    [(HELLO, b"kvs://"), (b"*1\r\n$4\r\nPING\r\n", b"-ERR this bind takes TLS"), (b"GET / HTTP/1.1\r\n", b"-ERR this")],
)
async def test_plain_text_is_told_what_to_do_and_closed_at_once(
    authority: Authority, first: bytes, said: bytes
) -> None:
    async with secured(authority, hello_timeout=3_600_000) as server, dial(server, hello=False) as caller:
        await caller.send(first)
        await caller.send(b"more of it")
        answer = await caller.rest()
        assert said in answer and answer.count(b"TLS") == 1
        assert server.connections.counters.not_secured == 1


async def test_a_handshake_that_takes_too_long_is_ended_and_keeps_nobody_waiting(authority: Authority) -> None:
    async with (
        secured(authority, hello_timeout=100) as server,
        dial(server, hello=False) as silent,
        dial(server, hello=False) as slow,
        dial(server, tls=authority.client()) as other,
    ):
        await slow.send(b"\x16\x03\x01\x02\x00\x01")
        assert (await other.ask(2, "PING", []))[1] == 0
        assert await silent.rest() == await slow.rest() == b""
        assert server.connections.counters.timed_out == 2
        assert (await other.ask(3, "PING", []))[1] == 0


async def test_a_client_that_shook_hands_and_says_nothing_is_ended(authority: Authority) -> None:
    async with secured(authority, hello_timeout=100) as server:
        async with dial(server, hello=False, tls=authority.client()) as caller:
            assert isinstance(caller.stream, trio.SSLStream)
            await caller.stream.do_handshake()
            assert await caller.rest() == b""
        assert server.connections.counters.timed_out == 1


async def test_a_handshake_without_end_costs_little(authority: Authority) -> None:
    async with secured(authority) as server, dial(server, hello=False) as caller:
        length = 130_000  # of a hello as long as OpenSSL takes any
        for number in range(2 * MAX_HANDSHAKE // 16_384):
            body = (b"\x01" + length.to_bytes(3, "big")) * (not number) + b"\x03" * 16_000
            await caller.send(b"\x16\x03\x01" + len(body).to_bytes(2, "big") + body)
        await caller.rest()
        assert server.connections.counters.not_secured == 1


async def test_connections_beyond_the_limit_are_told(authority: Authority) -> None:
    context = authority.client()
    async with secured(authority, max_connections=1) as server, dial(server, tls=context):
        async with dial(server, hello=False, tls=context) as second:
            assert (await second.ask(1, "HELLO", [1]))[2][0] == "CONNECTIONS"
            assert await second.rest() == b""
        await condition(lambda: len(server.connections.peers) == 1)


# ---- certificates of clients
async def test_a_client_without_a_certificate_or_with_a_foreign_one_is_refused(
    authority: Authority, stranger: Authority
) -> None:
    async with secured(authority, tls_client_ca=authority.file) as server:
        assert "CERTIFICATE_REQUIRED" in await refused(server, authority.client())
        foreign = stranger.client("eve@example.org")
        foreign.load_verify_locations(authority.file)
        assert "UNKNOWN_CA" in await refused(server, foreign)
        assert "EXPIRED" in await refused(server, authority.client("ada@example.org", **LONG_AGO))


@pytest.mark.parametrize(
    "names, common_name, user",
    [
        (["ada@example.org"], "ada", "ada"), (["worker.example.org", "ada@example.org"], None, "worker.example.org"),
        (["ada@example.org"], None, "ada@example.org"), (["10.0.0.1"], None, None),
        (["a.example"], "two\nlines", "a.example"),
    ],
)  # fmt: skip
async def test_the_certificate_says_who_comes(
    authority: Authority, names: list[str], common_name: str | None, user: str | None
) -> None:
    context = authority.client(*names, common_name=common_name)
    async with secured(authority, tls_client_ca=authority.file) as server, dial(server, tls=context):
        [peer] = server.connections.peers.values()
        assert peer.surface is not None
        assert peer.certified == peer.surface.certified == user


async def test_without_a_certificate_nobody_is_certified(authority: Authority) -> None:
    async with secured(authority) as server, dial(server, tls=authority.client("ada@example.org")):
        [peer] = server.connections.peers.values()
        assert peer.surface is not None
        assert peer.surface.certified is None


# ---- the files
async def test_new_files_are_for_new_connections_and_old_ones_go_on(
    authority: Authority, stranger: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    async with secured(authority) as server, dial(server, tls=authority.client()) as old:
        for path, other in zip(authority.write().values(), stranger.write().values(), strict=True):
            Path(path).write_bytes(Path(other).read_bytes())
        server.reload()
        assert "files were read again" in caplog.text
        async with dial(server, tls=stranger.client()) as new:
            assert (await new.ask(2, "PING", []))[1] == 0
        assert (await old.ask(2, "PING", []))[1] == 0
        with pytest.raises(trio.BrokenResourceError) as caught:
            async with dial(server, tls=authority.client()):
                pass
        assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)


async def test_bad_files_leave_all_as_it_was(authority: Authority, caplog: pytest.LogCaptureFixture) -> None:
    async with secured(authority) as server:
        Path(authority.write()["tls_key"]).write_text("no key")
        server.reload()
        assert "files were not read again" in caplog.text and "tls_key" in caplog.text
        async with dial(server, tls=authority.client()) as caller:
            assert (await caller.ask(2, "PING", []))[1] == 0
        authority.write()


async def test_a_new_authority_of_clients_is_asked_from_then_on(
    authority: Authority, stranger: Authority, tmp_path: Path
) -> None:
    trusted = tmp_path / "clients.pem"
    trusted.write_bytes(Path(authority.file).read_bytes())
    async with secured(authority, tls_client_ca=str(trusted)) as server:
        async with dial(server, tls=authority.client("ada@example.org")):
            trusted.write_bytes(Path(stranger.file).read_bytes())
            server.reload()
        await condition(lambda: not server.connections.peers)
        assert "UNKNOWN_CA" in await refused(server, authority.client("ada@example.org"))


@pytest.mark.parametrize(
    "spoil, reason",
    [
        (lambda paths: os.unlink(paths["tls_certificate"]), "tls_certificate: cannot read .*No such file"),
        (lambda paths: os.unlink(paths["tls_key"]), "tls_key: cannot read .*No such file"),
        (lambda paths: Path(paths["tls_certificate"]).write_text("x"), "tls_certificate: there is no certificate"),
        (lambda paths: Path(paths["tls_key"]).write_text("x"), "tls_key: there is no key"),
    ],
)
async def test_a_server_does_not_start_with_files_that_serve_nobody(
    tmp_path: Path, spoil: Callable[[dict[str, str]], None], reason: str
) -> None:
    paths = Authority(tmp_path).write()
    spoil(paths)
    with pytest.RaisesGroup(pytest.RaisesExc(CannotListen, match=reason), flatten_subgroups=True):
        async with serving(SECURED, **paths):
            pass


# ---- ends
async def test_who_sends_nothing_more_still_gets_its_answers(authority: Authority) -> None:
    """Its last request and its farewell come in one piece, and it waits for ours before it closes."""
    async with secured(authority) as server:
        sock = trio.socket.socket()
        await sock.connect(("127.0.0.1", server.addresses[0].port))
        stream = trio.SocketStream(sock)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = authority.client().wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")

        async def receive(step: Callable[[], Any]) -> Any:
            while True:
                try:
                    return step()
                except ssl.SSLZeroReturnError:
                    return b""
                except ssl.SSLWantReadError:
                    if outgoing.pending:
                        await stream.send_all(outgoing.read())
                    incoming.write(await stream.receive_some(65_536))

        async with stream:
            await receive(tls.do_handshake)
            tls.write(HELLO + b"".join(pack([n, "ECHO", [encode(bytes(50_000))]]) for n in range(2, 20)))
            with pytest.raises(ssl.SSLWantReadError):
                tls.unwrap()
            gathered = b""
            while data := await receive(lambda: tls.read(65_536)):
                gathered += data
            assert gathered.count(bytes(50_000)) == 18
            assert await stream.receive_some(1) == b"", "the farewell came before the end"
        await condition(lambda: not server.connections.peers)


async def test_the_server_says_farewell(authority: Authority) -> None:
    async with secured(authority) as server, dial(server, tls=authority.client()) as caller:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.drain, 5.0)
            assert (await caller.receive())[2][0] == "GOAWAY"
            assert await caller.stream.receive_some(1) == b"", "an end without a farewell would raise"
            await caller.stream.aclose()


async def test_rubbish_in_the_middle_ends_the_connection(authority: Authority) -> None:
    async with secured(authority) as server, dial(server, tls=authority.client()) as caller:
        assert isinstance(caller.stream, trio.SSLStream)
        await caller.stream.transport_stream.send_all(b"\x17\x03\x03\x00\x20" + bytes(32))
        with pytest.raises(trio.BrokenResourceError):
            await caller.stream.receive_some(1)
        await condition(lambda: not server.connections.peers)
        assert server.connections.counters.not_secured == 1


# ---- slow readers
async def test_a_reader_that_does_not_read_costs_little_and_others_nothing(authority: Authority) -> None:
    context = authority.client()
    async with (
        secured(authority, max_output=1 << 20) as server,
        dial(server, room=16_384, tls=context) as slow,
        dial(server, tls=context) as other,
    ):
        await other.ask(2, "SET", ["big", encode(bytes(500_000))])
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask_and_never_read, slow)
            await condition(lambda: any(peer.unsent > 1 << 20 for peer in server.connections.peers.values()))
            for number in range(3, 200):
                assert (await other.ask(number, "PING", []))[1] == 0
                assert all(peer.unsent < 3 << 20 for peer in server.connections.peers.values())
            nursery.cancel_scope.cancel()


async def ask_and_never_read(caller: Caller) -> None:
    for number in range(2, 100_000):
        await caller.send(pack([number, "GET", ["big"]]))


async def test_a_slow_reader_gets_all_of_it_in_order(authority: Authority) -> None:
    async with secured(authority) as server, dial(server, room=4_096, tls=authority.client()) as caller:
        values = [encode(bytes([number]) * 1_500_000) for number in range(6)]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(caller.send, b"".join(pack([n, "ECHO", [value]]) for n, value in enumerate(values, 2)))
            for number, value in enumerate(values, 2):
                assert await caller.receive() == [number, 0, value]


# ---- the gate
async def test_answers_that_the_disk_belies_are_put_back_and_the_connection_goes_on(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = authority.client()
    settings = {"data_dir": str(tmp_path / "data"), "fsync": "always"}
    async with secured(authority, **settings) as server, dial(server, tls=context) as caller:
        assert (await caller.ask(2, "SET", ["k", encode(1)]))[1] == 0
        gate: Any = server.loop._gate
        gate._apart = 1_000  # syncs by the other thread: answers are sealed meanwhile

        def fails(handle: int) -> None:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        with monkeypatch.context() as patched:
            patched.setattr(gate._disk, "sync", fails)
            assert (await caller.ask(3, "SET", ["k", encode(2)]))[2][0] == "NOT_KEPT"
            assert (await caller.ask(4, "PING", []))[2] == "PONG"
            assert (await caller.ask(5, "GET", ["k"]))[1] == 0


# ---- the process
def test_sighup_reads_the_files_again(authority: Authority, stranger: Authority, tmp_path: Path) -> None:
    place = tmp_path / "files"
    place.mkdir()
    paths = authority.write()
    for path in paths.values():
        (place / Path(path).name).write_bytes(Path(path).read_bytes())
    files = [str(place / Path(path).name) for path in paths.values()]
    words = ["--bind", "tls://127.0.0.1:0", "--tls-certificate", files[0], "--tls-key", files[1]]
    with running(*words) as server, connected(server.port, authority.client()) as old:
        for path, other in zip(files, stranger.write().values(), strict=True):
            Path(path).write_bytes(Path(other).read_bytes())
        server.signal(signal.SIGHUP)
        assert server.process.stderr is not None
        while "files were read again" not in server.process.stderr.readline():
            pass
        with connected(server.port, stranger.client()) as new:
            assert ping(new) == ping(old) == b"+PONG\r\n"
        with pytest.raises(ssl.SSLCertVerificationError):
            connected(server.port, authority.client())
        server.signal(signal.SIGTERM)
        assert server.wait().status == 0


def connected(port: int, context: ssl.SSLContext) -> ssl.SSLSocket:
    plain = socket.create_connection(("127.0.0.1", port), 20)
    try:
        return context.wrap_socket(plain, server_hostname="127.0.0.1")
    except BaseException:
        plain.close()
        raise


def ping(connection: ssl.SSLSocket) -> bytes:
    connection.sendall(b"PING\r\n")
    return connection.recv(100)
