"""How far a stream is trimmed: as command lines say it, and how many entries that takes away."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from kv_protocol.errors import InvalidArgument
from kv_server.commands.stream_forms import id_of, word_text
from kv_server.engine.tx import Tx
from kv_server.spec.checks import syntax_error, text_int
from kv_server.spec.words import Words

__all__ = ["Cut", "cut_of", "parse_trim", "surplus_of"]

_TRIMMED_TOGETHER: Final = 100  # entries that one cheap step of trimming takes away
_TRIMMED_AT_ONCE: Final = 100 * _TRIMMED_TOGETHER


class Cut(NamedTuple):
    """How far a stream is to be trimmed."""

    max_length: int | None
    min_id: bytes | None
    nearly: bool
    limit: int


def parse_trim(words: Words, options: dict[str, Any], *, adds: bool) -> None:
    """Read the options of `XADD` or `XTRIM`; the first word that is none is left to `XADD`."""
    while words.left:
        more = words.left - 1
        token = words.token("MAXLEN", "MINID", "LIMIT") if more else None
        if token == "LIMIT":
            options["limit"] = text_int(words.take())
            if options["limit"] < 0:
                raise InvalidArgument("The LIMIT argument must be >= 0.")
        elif token is not None:
            parse_threshold(words, token, options)
        elif adds and words.token("NOMKSTREAM"):
            options["create"] = False
        elif adds:
            return
        else:
            raise syntax_error()


def parse_threshold(words: Words, token: str, options: dict[str, Any]) -> None:
    if "max_length" in options or "min_id" in options:
        raise InvalidArgument("syntax error, MAXLEN and MINID options at the same time are not compatible")
    way = words.token("~", "=") if words.left >= 2 else None
    if way == "~":
        options["nearly"] = True
    if token == "MINID":
        options["min_id"] = word_text(words.take())
        id_of(options["min_id"])
        return
    options["max_length"] = text_int(words.take())
    if options["max_length"] < 0:
        raise InvalidArgument("The MAXLEN argument must be >= 0.")


def cut_of(max_length: int | None, min_id: str | None, nearly: bool, limit: int | None) -> Cut | None:
    """What the options say about trimming; nothing if they do not."""
    if max_length is None and min_id is None:
        if limit:
            raise InvalidArgument("syntax error, LIMIT cannot be used without specifying a trimming strategy")
        return None
    if limit is not None and not nearly:
        raise InvalidArgument("syntax error, LIMIT cannot be used without the special ~ option")
    lowest = None if min_id is None else id_of(min_id)
    return Cut(max_length, lowest, nearly, _TRIMMED_AT_ONCE if limit is None else limit)


def surplus_of(tx: Tx, key: bytes, cut: Cut | None, new: bytes | None) -> int:
    """How many of the oldest entries are to go once the entry *new* has been appended."""
    if cut is None:
        return 0
    length = tx.stream_len(key) + (new is not None)
    if cut.max_length is not None:
        surplus = max(length - cut.max_length, 0)
    else:
        assert cut.min_id is not None
        surplus = tx.stream_below(key, cut.min_id) + (new is not None and new < cut.min_id)
    if not cut.nearly:
        return surplus
    allowed = min(surplus, cut.limit) if cut.limit else surplus
    return allowed if allowed == length else allowed // _TRIMMED_TOGETHER * _TRIMMED_TOGETHER
