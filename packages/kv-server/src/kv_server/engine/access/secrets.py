"""How passwords and tokens are kept: of a password a salted slow hash; of a token, which nobody guesses, a plain one.

A password is first brought to its SHA-256, which is also what rules may give instead of it. All passwords of a user
share a salt, so that a login costs the same however many there are.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable
from typing import Final, TypeAlias

__all__ = ["NOBODY", "Job", "digest_of", "hashed", "kept_in", "matching", "salt_of"]

Job: TypeAlias = tuple[bytes, bytes]
"""The digest of a password, and a salt."""

_COST: Final = 2**14  # with 8 blocks: 16 MiB and some 40 ms
_KEPT: Final = re.compile(r"scrypt:14:8:1:([0-9a-f]{32}):([0-9a-f]{64})")
NOBODY: Final = "scrypt:14:8:1:" + "0" * 32 + ":" + "0" * 64
"""The hash of no password: what is compared for those who have none, so that it takes as long."""


def digest_of(password: bytes) -> bytes:
    return hashlib.sha256(password).digest()


def kept_in(text: str) -> bool:
    """Whether *text* is a hash in the form in which they are kept."""
    return _KEPT.fullmatch(text) is not None


def salt_of(kept: str) -> bytes:
    found = _KEPT.fullmatch(kept)
    assert found is not None
    return bytes.fromhex(found[1])


def hashed(job: Job) -> str:
    """The form in which a password is kept. Slow."""
    digest, salt = job
    key = hashlib.scrypt(digest, salt=salt, n=_COST, r=8, p=1, dklen=32)
    return f"scrypt:14:8:1:{salt.hex()}:{key.hex()}"


def matching(password: bytes, kept: Iterable[str]) -> str | None:
    """Which of the hashes in *kept* is that of *password*. Slow, and as slow where none is."""
    kept = list(kept) or [NOBODY]
    digest = digest_of(password)
    found = None
    for salt in dict.fromkeys(map(salt_of, kept)):
        made = hashed((digest, salt))
        for each in kept:
            if hmac.compare_digest(made, each) and each != NOBODY:
                found = each
    return found
