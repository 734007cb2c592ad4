"""TLS for the binds that have it: certificate, key and the authorities of clients, read from files, and read again when
told to; and the server's end of a connection.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Final

from kv_protocol.errors import ProtocolError
from kv_protocol.frames import pack
from kv_protocol.limits import KIB
from kv_protocol.messages import FAILED
from kv_protocol.tls import TlsSocket, Wire
from kv_server.net.listen import CannotListen

__all__ = ["MAX_HANDSHAKE", "NotSecured", "SecuredSocket", "Tls"]

MAX_HANDSHAKE: Final = 64 * KIB  # certificates of clients have some; who sends more than that is after something else

_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"  # of TLS 1.2; those of 1.3 are all well
_RECORD_OF_A_HANDSHAKE: Final = 0x16
_NATIVE: Final = 0x00
_NO_TLS: Final = ProtocolError("this bind takes TLS and nothing else: say kvs:// instead of kv://, or redis-cli --tls")


class NotSecured(OSError):
    """The handshake failed, or what followed is no TLS: why, in words that hold nothing secret."""


class Tls:
    """What all TLS binds of a server share. *client_ca* may be empty: then clients need no certificate."""

    def __init__(self, certificate: str, key: str, client_ca: str = "") -> None:
        self._files = certificate, key, client_ca
        self._context = _context(*self._files)

    def reload(self) -> None:
        """Read the files again, for connections to come. Raises `CannotListen`; then all stays as it was."""
        self._context = _context(*self._files)

    def secure(self, sock: Wire) -> SecuredSocket:
        return SecuredSocket(sock, self._context, server=True)


class SecuredSocket(TlsSocket):
    """The server's end, which shakes hands while it is read from."""

    __slots__ = ("_heard",)

    def __init__(self, raw: Wire, context: ssl.SSLContext, *, server: bool) -> None:
        super().__init__(raw, context, server=server)
        self._heard = 0

    @property
    def certified(self) -> str | None:
        """The user that the client's certificate names, if it has one."""
        return _name_in(self.tls.getpeercert() or {})

    def decrypt(self, data: bytes) -> bytes:
        if data and not self.shaken and not self.over:
            self._look_at(data)
        try:
            return super().decrypt(data)
        except BlockingIOError:
            if not self.shaken and self._heard > MAX_HANDSHAKE:
                raise NotSecured(f"a handshake of more than {MAX_HANDSHAKE} bytes") from None
            raise
        except ssl.SSLError as error:
            raise NotSecured(_reason(error)) from None

    def _look_at(self, data: bytes) -> None:
        if not self._heard and data[0] != _RECORD_OF_A_HANDSHAKE:
            refusal = [0, FAILED, [_NO_TLS.code, _NO_TLS.message, None]]
            self.raw.send(pack(refusal) if data[0] == _NATIVE else b"-ERR %s\r\n" % _NO_TLS.message.encode())
            raise NotSecured("plain text")
        self._heard += len(data)


def _name_in(certificate: ssl._PeerCertRetDictType) -> str | None:
    """The common name, else the first DNS name or e-mail address."""
    subject: tuple[tuple[tuple[str, str], ...], ...] = certificate.get("subject", ())  # type: ignore[assignment]
    others: tuple[tuple[str, str], ...] = certificate.get("subjectAltName", ())  # type: ignore[assignment]
    names = [value for part in subject for kind, value in part if kind == "commonName"]
    names += [value for kind, value in others if kind in ("DNS", "email")]
    return next((name for name in names if name and name.isprintable()), None)


def _reason(error: ssl.SSLError) -> str:
    said = getattr(error, "verify_message", "")
    words = (error.reason or "no TLS").lower().replace("_", " ")
    return f"{words}: {said}" if said else words


# ---- the files
def _context(certificate: str, key: str, client_ca: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    context.num_tickets = 0  # each connection shows its certificate anew
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # one that trusts this certificate, whoever signed it
    client.check_hostname = False
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    _load("tls_certificate", certificate, client.load_verify_locations)
    _load_key(context, certificate, key)
    _try_out(context, client, certificate)
    if client_ca:
        _load("tls_client_ca", client_ca, context.load_verify_locations)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _load(setting: str, path: str, load: Callable[[str], None]) -> None:
    try:
        load(path)
    except ssl.SSLError:
        raise CannotListen(f"{setting}: there is no certificate in the form PEM in {path}") from None
    except OSError as error:
        raise CannotListen(f"{setting}: cannot read {path}: {error.strerror}") from None


def _load_key(context: ssl.SSLContext, certificate: str, key: str) -> None:
    def passphrase() -> str:
        raise CannotListen(
            f"tls_key: the key in {key} has a passphrase: write it without one, for its owner alone to read"
        )

    try:
        context.load_cert_chain(certificate, key, passphrase)
    except ssl.SSLError as error:
        reason = error.reason or ""
        if reason in ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED"):
            raise CannotListen(f"tls_key: the key in {key} is not that of the certificate in {certificate}") from None
        if reason.endswith(("_TOO_SMALL", "_TOO_WEAK")):
            raise CannotListen(f"tls_certificate: {certificate} cannot be used: {_reason(error)}") from None
        raise CannotListen(f"tls_key: there is no key in the form PEM in {key}") from None
    except OSError as error:
        raise CannotListen(f"tls_key: cannot read {key}: {error.strerror}") from None


def _try_out(context: ssl.SSLContext, client: ssl.SSLContext, certificate: str) -> None:
    """Shake hands with ourselves: no client would with a certificate that has expired, or is for something else."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    near, far = client.wrap_bio(down, up), context.wrap_bio(up, down, server_side=True)
    for end in (near, far, near):
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLError as error:
            raise CannotListen(f"tls_certificate: {certificate} cannot be used: {_reason(error)}") from None
