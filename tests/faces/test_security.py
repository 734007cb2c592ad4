"""TLS and credentials: kvs:// works as kv:// does, and who is not who he should be is told why, without a secret."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from typing import Any

import pytest
import trustme

import kv_client as kv
from tests.app.program import Running, running
from tests.faces.impostor import impostor
from tests.faces.test_pool import pool_of
from tests.net.certificates import LONG_AGO, Authority

QUICK = {"connect_timeout": 0.5}
ERRORS = {"LOGIN": kv.LoginFailed, "UNAUTHENTICATED": kv.Unauthenticated, "FORBIDDEN": kv.Forbidden}


class Secured:
    """A server with a bind that has TLS and one that has none, and who trusts it."""

    def __init__(self, server: Running, authority: Authority) -> None:
        self.authority = authority
        places = server.ready.split(" ready on ")[1].split(" (")[0].split(", ")
        self.port, self.plain_port = (int(place.rpartition(":")[2]) for place in places)
        self.url = f"kvs://127.0.0.1:{self.port}"
        self.context = authority.client()


def serving(authority: Authority, *words: str) -> Any:
    paths = authority.write()
    files = ["--tls-certificate", paths["tls_certificate"], "--tls-key", paths["tls_key"]]
    return running("--bind", "tls://127.0.0.1:0", "--bind", "127.0.0.1:0", *files, "--log-level", "error", *words)


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    authority = Authority(tmp_path_factory.mktemp("authority"))
    with serving(authority) as server:
        yield Secured(server, authority)


@pytest.fixture(scope="module")
def mutual(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """One that demands certificates of its clients."""
    authority = Authority(tmp_path_factory.mktemp("mutual"))
    with serving(authority, "--tls-client-ca", authority.file) as server:
        yield Secured(server, authority)


def shows(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


async def trouble(face, url: str, **options: Any) -> str:
    """What a client hears that cannot connect."""
    with pytest.raises(kv.ConnectionLost) as caught:
        async with face.connect(url, **{**QUICK, **options}):
            pass
    return str(caught.value)


# ---- as without TLS
async def test_small_and_large_values_pass_both_ways(face, secured):
    async with face.connect(f"{secured.url}/{face.name}", tls=secured.context) as client:
        large = bytes(range(256)) * 20_000
        await client.set("large", large)
        assert await client.get("large") == large
        for number in range(200):
            await client.set("small", number)
            assert await client.get("small") == number
        assert client.statistics().place == secured.url


async def test_many_share_one_connection_and_nobody_gets_what_is_anothers(face, secured):
    async def work(client, number):
        for size in (10, 1_000, 300_000):
            key = f"{number}:{size}"
            await client.set(key, f"{key}." * size)
            assert await client.get(key) == f"{key}." * size

    async with face.connect(f"{secured.url}/{face.name}", tls=secured.context) as client:
        async with face.tasks() as tasks:
            for number in range(20):
                tasks.start(work, client, number)
        assert client.statistics().connections == 1


async def test_what_waits_at_the_server_is_told(face, secured):
    async def take(client):
        async with client.lock(f"lock {face.name}", wait=20) as held:
            return held.token

    async with face.connect(secured.url, tls=secured.context) as client, face.tasks() as tasks:
        async with client.lock(f"lock {face.name}") as held:
            waiting = tasks.start(take, client)
            await face.until(lambda: client.statistics().waiting_calls == 1)
        assert await waiting.result() > held.token


async def test_a_cut_connection_is_secured_anew(face, secured):
    dialled = []

    async def dial():
        dialled.append(socket.create_connection(("127.0.0.1", secured.port)))
        dialled[-1].setblocking(False)
        return dialled[-1]

    async with face.connect(secured.url, tls=secured.context, dial=dial) as client:
        for number in range(1, 4):
            assert await client.incr(f"cut {face.name}") == number
            dialled[-1].shutdown(socket.SHUT_RDWR)
        assert await client.incr(f"cut {face.name}") == 4
        assert client.statistics().connections == len(dialled) == 4


async def test_a_context_given_to_a_plain_url_secures_it(face, secured):
    url = secured.url.replace("kvs://", "kv://")
    async with face.connect(url, tls=secured.context) as client:
        assert client.statistics().place == secured.url


async def test_a_pool_secures_its_connections(face, secured):
    async with pool_of(face, secured.url, {"tls": secured.context}, min_size=2, max_size=2) as pool:
        async with pool.acquire() as one, pool.acquire() as other:
            await one.set(f"pool {face.name}", 1)
            assert await other.get(f"pool {face.name}") == 1


# ---- certificates
async def test_an_unknown_authority_is_named_as_the_reason(face, secured):
    said = await trouble(face, secured.url)
    assert f"127.0.0.1:{secured.port}" in said and "authority is unknown" in said and "cafile" in said


async def test_a_certificate_for_another_host_is_refused(face, secured):
    with impostor(shows(secured.authority.issue("other.example"))) as other:
        said = await trouble(face, f"kvs://127.0.0.1:{other.port}", tls=secured.context)
        assert "certificate was refused: IP address mismatch" in said and not other.hellos
        said = await trouble(face, f"kvs://localhost:{other.port}", tls=secured.context)
        assert "not valid for 'localhost'" in said and f"kvs://localhost:{other.port}" in said and not other.hellos


async def test_a_certificate_that_has_expired_is_refused(face, secured):
    with impostor(shows(secured.authority.issue("127.0.0.1", **LONG_AGO))) as other:
        said = await trouble(face, f"kvs://127.0.0.1:{other.port}", tls=secured.context)
        assert "certificate was refused: certificate has expired" in said and not other.hellos


async def test_a_self_signed_certificate_is_refused(face, secured):
    with impostor(shows(Authority.self_signed())) as other:
        said = await trouble(face, f"kvs://127.0.0.1:{other.port}", tls=secured.context)
        assert "certificate was refused: self" in said and "authority is unknown" in said and not other.hellos


async def test_who_shows_no_certificate_where_one_is_demanded_hears_so(face, mutual, secured):
    said = await trouble(face, mutual.url, tls=mutual.context)
    assert "certificate required" in said, said
    foreign = secured.authority.client("eve@example.org")
    foreign.load_verify_locations(mutual.authority.file)
    said = await trouble(face, mutual.url, tls=foreign)
    assert "unknown ca" in said, said
    async with face.connect(mutual.url, tls=mutual.authority.client("ada@example.org")) as client:
        assert await client.ping() == "PONG"


async def test_the_wrong_kind_of_bind_is_named(face, secured):
    said = await trouble(face, f"kvs://127.0.0.1:{secured.plain_port}", tls=secured.context)
    assert "without TLS" in said and "kv://" in said
    said = await trouble(face, f"kv://127.0.0.1:{secured.port}")
    assert "takes TLS" in said and "kvs://" in said


async def test_what_is_no_context_of_a_client_is_refused_at_once(face):
    for tls in (True, ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)):
        with pytest.raises(kv.InvalidArgument, match="tls"):
            face.connect("kvs://127.0.0.1", tls=tls)
    with pytest.raises(kv.InvalidArgument, match="Unix"):
        face.connect("kv+unix:///run/kv.sock", tls=ssl.create_default_context())


# ---- credentials
@pytest.mark.parametrize("code", list(ERRORS))
async def test_who_may_not_come_hears_it_at_once(face, code):
    with impostor(error=(code, "you may not")) as server:
        with pytest.raises(ERRORS[code], match="you may not"):
            async with face.connect(f"kv://127.0.0.1:{server.port}", user="ada", password="secret"):
                pass
        assert len(server.hellos) == 1
        with pytest.raises(ERRORS[code], match="you may not"):
            async with pool_of(face, f"kv://ada:secret@127.0.0.1:{server.port}", min_size=1):
                pass
        assert all(hello["user"] == b"ada" and hello["password"] == b"secret" for hello in server.hellos)


async def test_credentials_are_said_in_hello(face):
    given = [
        ("ada:secret@", {}, {"user": b"ada", "password": b"secret"}),
        ("ada:secret@", {"password": "other"}, {"user": b"ada", "password": b"other"}),
        ("ada:secret@", {"user": "bob"}, {"user": b"bob"}),
        ("ada:secret@", {"token": "t"}, {"token": b"t"}),
        ("", {"password": lambda: "\u00e9"}, {"password": "\u00e9".encode()}),
        ("", {"token": lambda: "t2"}, {"token": b"t2"}),
        ("", {}, {}),
    ]
    with impostor() as server:
        for before, options, expected in given:
            with pytest.raises(kv.LoginFailed):
                async with face.connect(f"kv://{before}127.0.0.1:{server.port}", **options):
                    pass
            said = server.hellos.pop()
            assert {name: said[name] for name in ("user", "password", "token") if name in said} == expected


async def test_a_secret_is_asked_for_with_each_try(face):
    numbers = iter(range(100))

    def token():
        return f"secret {next(numbers)}"

    with impostor(error=("LOADING", "wait")) as server:
        said = await trouble(face, f"kv://127.0.0.1:{server.port}", token=token)
        assert "secret" not in said
        tokens = [hello["token"] for hello in server.hellos]
        assert len(tokens) > 2
        assert tokens == [b"secret %d" % number for number in range(len(tokens))]


async def test_a_function_without_a_secret_is_trouble_that_tells_none(face):
    def token():
        raise ValueError("secret")

    said = await trouble(face, face.url, token=token)
    assert "token raised ValueError" in said and "secret" not in said
    assert "returned bytes" in await trouble(face, face.url, password=lambda: b"secret")


async def test_no_secret_is_shown_by_anything(face):
    client = face.connect("kv://ada:secret@127.0.0.1:1/x", **QUICK)
    with pytest.raises(kv.ConnectionLost) as caught:
        async with client:
            pass
    shown = [str(caught.value), repr(caught.value), repr(client), repr(client.statistics()), repr(vars(client))]
    assert not any("secret" in text for text in shown)


async def test_what_makes_no_sense_is_refused_at_once(face):
    for options in ({"user": 1}, {"password": b"x"}, {"token": "t", "user": "ada"}, {"token": "t", "password": "p"}):
        with pytest.raises(kv.InvalidArgument):
            face.connect(face.url, **options)
