"""Users, tokens and certificates log in on every face, may what their rules say, and are out when they are revoked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import kv_client as kv
from tests.app.program import Running, running
from tests.faces.test_pool import pool_of
from tests.net.certificates import Authority

PASSWORD = "s:cret/@"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server at which everybody has to log in."""
    password = tmp_path_factory.mktemp("guarded") / "password"
    password.write_text(PASSWORD)
    password.chmod(0o600)
    with running("--password-file", str(password), "--log-level", "error") as server:
        yield server


@pytest.fixture
def url(guarded: Running) -> str:
    return f"kv://127.0.0.1:{guarded.port}"


async def test_who_says_nothing_or_the_wrong_thing_is_told_so_at_once(face, url):
    for given, error in (
        ({}, kv.Unauthenticated),
        ({"password": "wrong"}, kv.LoginFailed),
        ({"user": "nobody", "password": PASSWORD}, kv.LoginFailed),
        ({"token": "kvt_1_2"}, kv.LoginFailed),
    ):
        with pytest.raises(error) as caught:
            async with face.connect(url, **given):
                pass
        assert PASSWORD not in str(caught.value)


async def test_a_password_may_stand_in_the_url_or_beside_it_or_be_asked_for(face, url):
    written = url.replace("//", "//default:s%3Acret%2F%40@")
    for where, given in ((written, {}), (url, {"password": PASSWORD}), (url, {"password": lambda: PASSWORD})):
        async with face.connect(where, **given) as client:
            assert await client.whoami() == "default"
            assert PASSWORD not in repr(client) and PASSWORD not in client.statistics().place


async def test_a_user_may_what_its_rules_say_and_nothing_else(face, url):
    name = f"ada-{face.name}"
    async with face.connect(url, password=PASSWORD) as owner:
        await owner.set_user(name, "on", f">{PASSWORD}", "~cart:*", "%R~price:*", "ns=shop", "+@read", "+@write")
        async with face.connect(f"{url}/shop", user=name, password=PASSWORD) as ada:
            await ada.set("cart:1", 5)
            assert await ada.get("price:1") is None
            for refused in (
                lambda: ada.set("price:1", 5),
                lambda: ada.get("other"),
                lambda: ada.ns("elsewhere").get("cart:1"),
                lambda: ada.users(),
            ):
                with pytest.raises(kv.Forbidden):
                    await refused()
            assert await ada.get("cart:1") == 5
        with pytest.raises(kv.Forbidden):
            async with face.connect(f"{url}/elsewhere", user=name, password=PASSWORD) as ada:
                await ada.get("cart:1")


async def test_a_token_logs_in_where_it_is_for_until_it_is_taken_back(face, url):
    async with face.connect(url, password=PASSWORD) as owner:
        made = await owner.create_token("default", namespaces=[face.name], ttl=600, label="test")
        async with face.connect(f"{url}/{face.name}", token=made) as client:
            assert await client.incr("calls") == 1
            with pytest.raises(kv.Forbidden):
                await client.ns("elsewhere").incr("calls")
            (kept,) = [token for token in await owner.tokens() if token.id in made]
            assert await owner.revoke_tokens(kept.id) == 1
            with pytest.raises(kv.LoginFailed):
                await client.get("calls")
            with pytest.raises(kv.LoginFailed):
                await client.incr("calls")


async def test_a_pool_logs_in_and_hears_when_it_may_not(face, url):
    async with pool_of(face, url, {"password": PASSWORD}, min_size=2, max_size=2) as pool:
        async with pool.acquire() as one, pool.acquire() as other:
            assert await one.whoami() == await other.whoami() == "default"
    with pytest.raises(kv.LoginFailed):
        async with pool_of(face, url, {"password": "wrong"}, min_size=1, max_size=1) as pool, pool.get() as client:
            await client.whoami()


async def test_a_certificate_is_a_login(face, tmp_path: Path):
    authority = Authority(tmp_path)
    paths, users = authority.write(), tmp_path / "users"
    users.write_text("user default off\nuser ada@example.org on nopass ~mine:* +@all\n")
    users.chmod(0o600)
    files = ["--tls-certificate", paths["tls_certificate"], "--tls-key", paths["tls_key"], "--log-level", "error"]
    words = ["--bind", "tls://127.0.0.1:0", "--tls-client-ca", authority.file, "--users", str(users), *files]
    with running(*words) as server:
        place = f"kvs://127.0.0.1:{server.port}"
        async with face.connect(place, tls=authority.client("ada@example.org")) as client:
            assert await client.whoami() == "ada@example.org"
            await client.set("mine:1", 1)
            with pytest.raises(kv.Forbidden):
                await client.set("other", 1)
        with pytest.raises(kv.Unauthenticated):
            async with face.connect(place, tls=authority.client("eve@example.org")):
                pass
