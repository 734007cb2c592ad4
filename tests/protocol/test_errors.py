"""Errors: what the server raises is what the client catches, whatever the other side knows."""

from __future__ import annotations

import pytest

from kv_protocol import errors
from kv_protocol.errors import Failure, InternalError, KvError, error_from_wire

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, KvError)]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "code" in vars(kind) and kind is not KvError])
def test_an_error_arrives_as_what_it_was(kind: type[KvError]) -> None:
    error = error_from_wire(Failure(kind.code, "what went wrong", {"limit": 3}))
    assert type(error) is kind
    assert (str(error), error.message, error.details) == ("what went wrong", "what went wrong", {"limit": 3})


def test_no_two_errors_share_a_code() -> None:
    codes = [vars(kind)["code"] for kind in KINDS if "code" in vars(kind) and kind is not KvError]
    assert len(codes) == len(set(codes))


def test_an_unknown_code_keeps_its_text() -> None:
    error = error_from_wire(Failure("NEWER", "of a later version", {}))
    assert type(error) is InternalError
    assert str(error) == "NEWER: of a later version"


def test_an_error_without_a_text_says_its_code() -> None:
    assert [str(kind()) for kind in KINDS] == [kind.code for kind in KINDS]


def test_facts_are_attributes() -> None:
    held = errors.LockHeld("held", {"owner": "worker", "remaining": 1500})
    assert (held.owner, held.remaining, held.retryable) == ("worker", 1.5, True)
    assert errors.ConditionFailed("", {"current": [b"\xc0", 7, None]}).current == [b"\xc0", 7, None]
    assert errors.ConditionFailed().current is None
    assert errors.AnswerLost("", {"revision": 9}).revision == 9


@pytest.mark.parametrize("kind", [errors.ConnectionLost, errors.CallTimeout])
def test_a_lost_call_says_whether_it_may_have_been_applied(
    kind: type[errors.ConnectionLost | errors.CallTimeout],
) -> None:
    assert kind().maybe_applied is False
    assert kind(maybe_applied=True).maybe_applied is True
