"""Certificates in the settings: whatever is wrong with them ends a start, or a check, at once, with one line."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from tests.app.program import run, running
from tests.net.certificates import LONG_AGO, Authority


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("files")
    authority = Authority(folder)
    pair, other = authority.write(into="server"), authority.write(into="other")
    expired = authority.write(into="expired", **LONG_AGO)
    rsa = authority.write(into="rsa", key_type=trustme.KeyType.RSA)
    locked = folder / "locked.pem"
    key = serialization.load_pem_private_key(Path(pair["tls_key"]).read_bytes(), None)
    locked.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"word"),
        )
    )
    (folder / "empty").touch()
    return {
        "ca": authority.file, "certificate": pair["tls_certificate"], "key": pair["tls_key"],
        "other key": other["tls_key"], "rsa key": rsa["tls_key"], "locked key": str(locked),
        "expired": expired["tls_certificate"], "expired key": expired["tls_key"],
        "empty": str(folder / "empty"), "missing": str(folder / "missing"),
        "folder": str(folder),
    }  # fmt: skip


SECURED = "tls://127.0.0.1:0"


@pytest.mark.parametrize(
    "bind, certificate, key, client_ca, said",
    [
        (SECURED, "", "", "", "tls_certificate: is needed for tls://127.0.0.1:0 (flag --bind)"),
        (SECURED, "certificate", "", "", "tls_key: is needed"),
        (SECURED, "missing", "key", "", "tls_certificate: cannot read"),
        (SECURED, "folder", "key", "", "tls_certificate: "),
        (SECURED, "certificate", "missing", "", "tls_key: cannot read"),
        (SECURED, "empty", "key", "", "tls_certificate: there is no certificate"),
        (SECURED, "certificate", "empty", "", "tls_key: there is no key"),
        (SECURED, "certificate", "certificate", "", "tls_key: there is no key"),
        (SECURED, "certificate", "other key", "", "is not that of the certificate"),
        (SECURED, "certificate", "rsa key", "", "is not that of the certificate"),
        (SECURED, "certificate", "locked key", "", "has a passphrase"),
        (SECURED, "expired", "expired key", "", "certificate has expired"),
        (SECURED, "certificate", "key", "missing", "tls_client_ca: cannot read"),
        (SECURED, "certificate", "key", "key", "tls_client_ca: there is no certificate"),
        ("127.0.0.1:0", "certificate", "key", "", "tls_certificate: no bind has TLS"),
        ("tls://unix:/x", "certificate", "key", "", "a Unix socket has no TLS"),
        ("tls://0.0.0.0:0", "certificate", "key", "", "add --insecure"),
    ],
)
def test_what_is_wrong_is_said_at_once(
    files: dict[str, str], bind: str, certificate: str, key: str, client_ca: str, said: str
) -> None:
    words = ["--bind", bind]
    for name, file in (("certificate", certificate), ("key", key), ("client-ca", client_ca)):
        words += [f"--tls-{name}", files[file]] if file else []
    for ended in (run(*words), run("--check-config", *words)):
        assert (ended.status, ended.out) == (2, "")
        assert said in ended.err and ended.err.startswith("kv-server: ") and ended.err.count("\n") == 1
        assert ended.seconds < 5, "about 0.2 s on a machine that has nothing else to do"


def test_a_bind_that_demands_certificates_may_be_public(files: dict[str, str]) -> None:
    words = ["--tls-certificate", files["certificate"], "--tls-key", files["key"], "--tls-client-ca", files["ca"]]
    assert run("--check-config", "--bind", "tls://0.0.0.0:0", *words).status == 0
    assert run("--check-config", "--bind", "tls://0.0.0.0:0", "--bind", "0.0.0.0:0", *words).status == 2


def test_the_ready_line_says_which_bind_has_tls(files: dict[str, str]) -> None:
    words = ["--bind", SECURED, "--tls-certificate", files["certificate"], "--tls-key", files["key"]]
    with running(*words, "--bind", "127.0.0.1:0") as server:
        assert " ready on tls://127.0.0.1:" in server.ready and ", 127.0.0.1:" in server.ready
