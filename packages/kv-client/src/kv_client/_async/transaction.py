"""Many calls as one: queued in the body of an `async with`, sent in one request at its end, all applied or none."""

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeVar

from kv_client._async.handles import BatchHandles
from kv_client._async.link import Link
from kv_client._core.call import DONE, TAKES, WRITE, Fencing, Wire
from kv_client._pending import Pending
from kv_protocol.errors import InvalidArgument, KvError, ProtocolError
from kv_protocol.names import wire

__all__ = ["Transaction"]

T = TypeVar("T")


class Transaction(BatchHandles):
    """The calls of one transaction. Leave the block by an exception, and nothing is sent."""

    def __init__(self, link: Link, namespace: Wire | None) -> None:
        self._link = link
        self._namespace = namespace
        self._members: list[Pending[Any]] = []
        self._required: list[tuple[Wire, int]] = []
        self._locks: dict[tuple[Wire, int], None] = {}
        self._open = False

    def require(self, key: str, *, version: int) -> None:
        """Let nothing be applied unless *key* has *version* by then; 0: unless it is absent."""
        self._check_open()
        if type(version) is not int or version < 0:
            raise InvalidArgument(f"a version is an integer from 0, not {version!r}")
        self._required.append((wire(key), version))

    def require_lock(self, held: Fencing) -> None:
        """Let nothing be applied unless the lock *held* is held under its token by then."""
        self._check_open()
        self._locks[wire(held.lock), held.token] = None

    def _add(
        self,
        word: str,
        args: tuple[object, ...],
        options: dict[str, object] | None,
        kind: int,
        decode: Callable[[Any], T],
        fence: Fencing | None = None,
    ) -> Pending[T]:
        self._check_open()
        if fence is not None:
            self.require_lock(fence)
        call: Pending[T] = Pending(word, args, options, kind)
        call.decode = decode
        self._members.append(call)
        return call

    def _check_open(self) -> None:
        if not self._open:
            raise RuntimeError("use a transaction inside its `async with` block")

    async def __aenter__(self) -> Self:
        self._link.check_run()
        if self._open or self._members:
            raise RuntimeError("a transaction is used once")
        self._open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open = False
        if error is not None:
            return
        if not (self._members or self._required or self._locks):
            await self._link.checkpoint()
            return
        try:
            replies = await self._send()
        except KvError as failure:
            for call in self._members:
                call.state, call.error = DONE, failure
            raise
        for call, body in zip(self._members, replies, strict=True):
            call.state, call.body = DONE, body

    async def _send(self) -> list[Any]:
        options: dict[str, object] = {}
        if self._required:
            options["require"] = self._required
        if self._locks:
            options["locks"] = list(self._locks)
        calls = tuple((call.word, call.args, call.options) for call in self._members)
        kind = TAKES if any(call.kind & TAKES for call in self._members) else WRITE
        replies = await self._link.call("ATOMIC", calls, options or None, kind, namespace=self._namespace)
        if type(replies) is not list or len(replies) != len(calls):
            raise ProtocolError("a transaction was answered with another number of replies")
        return replies
