"""Certificates of the tests, made anew for each run by authorities of their own."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import trustme

__all__ = ["LONG_AGO", "Authority"]

LONG_AGO = {"not_before": datetime(2020, 1, 1, tzinfo=UTC), "not_after": datetime(2021, 1, 1, tzinfo=UTC)}


class Authority:
    """Somebody who signs certificates, and those who trust nobody else."""

    def __init__(self, folder: Path) -> None:
        self._ca = trustme.CA()
        self._folder = folder
        self.file = str(folder / f"ca-{id(self)}.pem")
        self._ca.cert_pem.write_to_path(self.file)

    def write(self, *names: str, into: str = "server", **fields: Any) -> dict[str, str]:
        """A certificate for *names* in files, as a server's settings say where."""
        issued = self._ca.issue_cert(*(names or ("localhost", "127.0.0.1")), **fields)
        paths = {
            "tls_certificate": str(self._folder / f"{into}.pem"),
            "tls_key": str(self._folder / f"{into}-key.pem"),
        }
        issued.cert_chain_pems[0].write_to_path(paths["tls_certificate"])
        issued.private_key_pem.write_to_path(paths["tls_key"])
        return paths

    def issue(self, *names: str, **fields: Any) -> trustme.LeafCert:
        """A certificate in memory."""
        return self._ca.issue_cert(*names, **fields)

    @staticmethod
    def self_signed() -> trustme.LeafCert:
        """One that vouches for itself."""
        ca = trustme.CA()
        return trustme.LeafCert(ca.private_key_pem.bytes(), ca.cert_pem.bytes(), [])

    def client(self, *names: str, **fields: Any) -> ssl.SSLContext:
        """The context of a client that trusts this authority; with a certificate of its own if *names* are given."""
        context = ssl.create_default_context(cafile=self.file)
        if names or fields:
            self._ca.issue_cert(*names, **fields).configure_cert(context)
        return context
