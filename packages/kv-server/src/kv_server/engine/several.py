"""Several calls that are one commit: atomic blocks, and what a transaction of the text door has queued."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from kv_protocol.errors import Busy, CommandError, InvalidArgument, KvError
from kv_server.engine.executor import Executor
from kv_server.engine.session import Session
from kv_server.engine.waiting import WouldBlock
from kv_server.spec.command import Command, Flag

__all__ = ["Several"]

Asked: TypeAlias = tuple[Command, list[Any], Any]
"""A call with its arguments and options as they came."""

_NOT_IN_BLOCKS: Final = Flag.ADMIN | Flag.STREAMS


class Several(Executor):
    """An executor that runs many calls as one."""

    def block(self, session: Session, calls: list[Asked], namespace: bytes) -> list[object]:
        """Run *calls* as one: all of them in one commit, or, if one raises, none. Nothing waits inside."""
        self.tx.start(namespace, session)
        replies = self.all_or_none(session, calls)
        self.seal()
        self.serve()
        return replies

    def all_or_none(self, session: Session, calls: list[Asked]) -> list[object]:
        """Run *calls* in the transaction as it is; if one raises, what they changed is put back."""
        tx = self.tx
        if any(command.flags & Flag.SWEEPS for command, _, _ in calls):
            namespace = tx.name
            self.sweep()
            tx.start(namespace, session)
        tx.open_block()
        replies: list[object] = []
        try:
            for command, args, options in calls:
                if command.place != "tx" or command.flags & _NOT_IN_BLOCKS:
                    raise InvalidArgument(f"{command.name} cannot be part of an atomic block")
                if not (session.open & self.open) >> command.bit & 1:
                    self.permit(session, command, args, options, tx.name)
                rows = len(tx.effects)
                replies.append(self.run_inner(session, command, args, options))
                if len(tx.effects) > rows:
                    self.notifications.written(rows, command)
        except WouldBlock as blocked:
            self.give_up()
            late = blocked.otherwise
            raise (late if isinstance(late, KvError) else Busy("a call of the block would wait")) from None
        except BaseException as error:
            self.give_up()
            if isinstance(error, CommandError):
                error.details = {**error.details, "call": len(replies)}
            raise
        tx.close_block(keep=True)
        return replies

    def run_inner(self, session: Session, command: Command, args: list[Any], options: Any) -> object:
        """Run one call of a block."""
        return command.call(self.tx, args, options)

    def give_up(self) -> None:
        """Put back what the block has changed."""
        self.tx.close_block(keep=False)
        self.notifications.authors.clear()
        if self.tx.gone:
            self.tx.gone.clear()
        self.tx.marked = False

    def run_queued(self, session: Session, request_id: int, calls: list[tuple[Command, list[bytes]]]) -> list[object]:
        """Run command lines one after the other for the call *request_id*: their replies, and the errors of those that
        failed, whose failing changes nothing. One commit for each stretch of them in one namespace.
        """
        if any(command.flags & Flag.SWEEPS for command, _ in calls):
            self.sweep()
        at_first = session.namespace
        self.make_room()
        self.tx.within = True
        try:
            replies = [self.run_within(session, request_id, command, words) for command, words in calls]
        finally:
            self.tx.within = False
        if self.watchers.woken or session.namespace != at_first:
            self.seal()
            self.serve()
        return replies

    def run_within(self, session: Session, request_id: int, command: Command, words: list[bytes]) -> object:
        """Run one of several calls; its reply, or the error that it failed with."""
        tx = self.tx
        if tx.effects and session.namespace != tx.name:
            self.seal()
        tx.start(session.namespace, session)
        rows = len(tx.effects)
        self.calls += 1
        try:
            if not (self.open & session.rights) >> command.bit & 1 or session.guard is not None:
                self.permit(session, command, words, None, session.namespace)
            reply = command.call(self.place_of(session, command, request_id), words, None)
            if len(tx.effects) > rows:
                self.notifications.written(rows, command)
            return reply
        except WouldBlock as blocked:
            return command.late(None) if blocked.otherwise is None else blocked.otherwise
        except KvError as refusal:
            assert len(tx.effects) == rows, f"{command.name} changed something and then refused"
            return refusal
