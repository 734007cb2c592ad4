"""Who is let in as whom, and what becomes of sessions when users and tokens change.

A change is worked out on a copy of the table, hashed and written down beside the loop if need be, and then holds for
all sessions from one call to the next: rights are set anew at once; connections that have lost theirs are ended, with
what waits there, as soon as no call is under way.
"""

from __future__ import annotations

import hmac
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from kv_protocol.errors import Forbidden, KvError, LoginFailed, Unauthenticated
from kv_protocol.messages import REVOKED
from kv_server.engine.access.guard import NameGuard, Refusal, Rights, Scope, rights_of
from kv_server.engine.access.log import Denials
from kv_server.engine.access.rules import Book
from kv_server.engine.access.secrets import Job, digest_of
from kv_server.engine.access.table import Table, lines_of
from kv_server.engine.access.user import DEFAULT, Token
from kv_server.engine.access.warden import Alone, Told, Warden
from kv_server.engine.onlookers import NativeOnlooker
from kv_server.engine.pubsub import shared
from kv_server.engine.session import Login, Session
from kv_server.engine.waiting import Alarm, Listener, Parked, Subscription
from kv_server.spec.command import Command, Flag, Named

if TYPE_CHECKING:
    from kv_server.engine.engine import Engine

__all__ = ["Access", "Change", "wrong_password"]

TOKEN: Final = b"token"
"""The name under which tokens log in."""
_ANYBODY: Final = ""
_KNOWN: Final = "known"
_NOTHING: Final = Rights(0, None)


class Change(NamedTuple):
    """What is to become of the table: the hashes that this takes, and the table after it with what is to be told."""

    jobs: Callable[[Table], list[Job]]
    apply: Callable[[Table, Mapping[Job, str]], tuple[Table, object]]
    told: Told
    author: Session
    audit: tuple[str, dict[str, Any]]


class Access:
    """The users of an engine. *audit* hears of what happened: words, and facts without secrets or names of data."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.book = Book(engine.catalog)
        self.scope = Scope(engine.catalog)
        self.table = Table()
        self.warden: Warden = Alone()
        self.denials = Denials()
        self.audit: Callable[[str, dict[str, Any]], None] = lambda words, facts: None
        self._rights: dict[tuple[str, str], Rights] = {}
        self._changes: deque[Change] = deque()
        self._lost: dict[Session, None] = {}
        self._expiry: Alarm | None = None

    # ---- letting in
    def first(self, certified: str | None) -> Login | None:
        """Who a connection is that has not said so: whom its certificate names, or the default user if that is open."""
        user = self.table.users.get(certified) if certified is not None else None
        if user is not None and user.on:
            return Login(user.name, _KNOWN, "")
        default = self.table.users[DEFAULT.name]
        return Login(default.name, _ANYBODY, "") if default.open else None

    def login(self, name: bytes, password: bytes, address: str, word: str, told: Told) -> None:
        """Find out whether *name* may log in with *password*, for the command *word*; a `Login` or an error is told."""
        if name == TOKEN:
            told(self._by_token(password, address, word))
            return
        called = name.decode("utf-8", "surrogateescape")
        user = self.table.users.get(called)
        if user is not None and user.open:
            told(self._let_in(Login(user.name, _ANYBODY, ""), address))
            return

        def verified(found: object) -> None:
            if isinstance(found, KvError):
                told(found)
                return
            user = self.table.users.get(called)
            if user is None or not user.on or found is None or found not in user.passwords:
                told(self._fail(called, "password" if user is not None and user.on else "user", address, word))
            else:
                told(self._let_in(Login(user.name, str(found), ""), address))

        self.warden.verify(address, password, () if user is None else user.passwords, verified)

    def _by_token(self, text: bytes, address: str, word: str) -> Login | KvError:
        parts = text.decode("ascii", "replace").split("_")
        token = self.table.tokens.get(parts[1]) if len(parts) == 3 and parts[0] == "kvt" else None
        if token is None or not hmac.compare_digest(token.digest, digest_of(text).hex()):
            return self._fail(TOKEN.decode(), "token", address, word)
        login = Login(token.user, _KNOWN, token.id)
        if not self.holds(login):
            return self._fail(token.user, "expired token or disabled user", address, word)
        return self._let_in(login, address)

    def _let_in(self, login: Login, address: str) -> Login:
        if login.credential != _ANYBODY:
            self.audit("login", {"user": login.user, "address": address, "token": login.token})
        return login

    def _fail(self, user: str, reason: str, address: str, word: str) -> LoginFailed:
        known = user if user in self.table.users or user == TOKEN.decode() else "?"
        self.denials.note("auth", "toplevel", word.encode(), user, f"addr={address}", self.engine.now_ms)
        self._report("login failed", reason, known, word, address)
        return wrong_password()

    def _report(self, words: str, reason: str, user: str, command: str, address: str) -> None:
        """Have a refusal logged; of like ones within a minute ever fewer."""
        times = self.denials.times(reason, user, command, self.engine.now_ms)
        if times & (times - 1) == 0:
            facts = {"reason": reason, "user": user, "command": command.lower(), "address": address, "times": times}
            self.audit(words, facts)

    def holds(self, login: Login) -> bool:
        """Whether what somebody logged in with is still good."""
        user = self.table.users.get(login.user)
        if user is None or not user.on:
            return False
        if login.token:
            token = self.table.tokens.get(login.token)
            return token is not None and not self._expired(token)
        return user.nopass or login.credential == _KNOWN or login.credential in user.passwords

    def _expired(self, token: Token) -> bool:
        return 0 < token.expires_ms <= self.engine.now_ms

    def admit(self, session: Session, login: Login | None) -> None:
        """Give *session* the rights of *login*; of nobody, if that is None."""
        session.login = login
        if login is not None and not session.lasting:
            session.user = login.user
        rights = _NOTHING if login is None else self._rights_of(login)
        session.rights, session.guard = (self.book.greeting, None) if login is None else rights
        session.gate()

    def may(self, login: Login, command: Command) -> bool:
        """Whether who logged in may call *command* at all."""
        return bool(self._rights_of(login).bits >> command.bit & 1)

    def _rights_of(self, login: Login) -> Rights:
        place = login.user, login.token
        found = self._rights.get(place)
        if found is None:
            narrow = self.table.tokens[login.token].namespaces if login.token else ()
            found = rights_of(self.table.users[login.user], self.book, self.scope, narrow)
            self._rights[place] = found
        return found

    # ---- refusals
    def denied(self, session: Session, command: Command, error: KvError) -> KvError:
        """Note that *session* may not call *command*; the error."""
        if not isinstance(error, Forbidden) or session.login is None:
            return error
        refusal = getattr(error, "refusal", None)
        name = command.name.lower().replace(" ", "|")
        reason, asked = refusal or Refusal("command", name.encode())
        outbox = session.outbox
        address = "" if outbox is None else outbox.address
        context = "multi" if self.engine.tx.within or session.transaction is not None else "toplevel"
        client = f"id={session.id} addr={address} name={session.client} db={session.namespace!r}"
        self.denials.note(reason, context, asked, session.login.user, client, self.engine.now_ms)
        self._report("denied", reason, session.login.user, name, address)
        return error

    # ---- changes
    def change(self, change: Change) -> None:
        """Carry out *change*, after those that were asked for before."""
        self._changes.append(change)
        if len(self._changes) == 1:
            self._begin()

    def _begin(self) -> None:
        change = self._changes[0]

        def made(hashes: Any) -> None:
            if isinstance(hashes, KvError):
                self._end(hashes)
                return
            try:
                table, outcome = change.apply(self.table, hashes)
            except KvError as error:
                self._end(error)
                return
            if self.warden.keeps:
                self.warden.write(lines_of(table), lambda error: written(table, outcome, error))
            else:
                written(table, outcome, None)

        def written(table: Table, outcome: object, error: object) -> None:
            if error is None:
                self.install(table, change.author)
                by = change.author.login
                self.audit(change.audit[0], {**change.audit[1], "by": by.user if by is not None else "?"})
            self._end(outcome if error is None else error)

        try:
            jobs = change.jobs(self.table)
        except KvError as error:
            self._end(error)
            return
        if jobs:
            self.warden.hash(jobs, made)
        else:
            made({})

    def _end(self, outcome: object) -> None:
        self._changes.popleft().told(outcome)
        if self._changes:
            self._begin()

    def save(self, told: Told) -> None:
        """Write the table down as it is."""
        self.warden.write(lines_of(self.table), told)

    def load(self, told: Told) -> None:
        """Let what is written down hold."""

        def read(found: object) -> None:
            if isinstance(found, Table):
                self.install(found)
                self.audit("users loaded", {"users": len(found.users), "tokens": len(found.tokens)})
                told(None)
            else:
                told(found)

        self.warden.read(read)

    def install(self, table: Table, author: Session | None = None) -> None:
        """Let *table* hold from here on. Its *author* need not log in again because of it, if it is still there."""
        self.table = table
        self._rights.clear()
        if author is not None and author.login is not None and not author.login.token:
            author.login = author.login._replace(credential=_KNOWN)
        self.see_to_expiry()
        for session in self.engine.sessions.values():
            self._regate(session)
        self.engine.set_alarm(0, self.settle)

    def _regate(self, session: Session) -> None:
        login = session.login
        if login is None:
            if session.lasting and session.outbox is None and not self._may_return(session):
                self._lost[session] = None
        elif self.holds(login):
            self.admit(session, login)
        else:
            self.admit(session, None)
            self._lost[session] = None

    def _may_return(self, session: Session) -> bool:
        user = self.table.users.get(session.user)
        return user is not None and user.on

    def see_to_expiry(self) -> None:
        """Be awake when the next token expires."""
        if self._expiry is not None:
            self._expiry.pending = False
        now_ms = self.engine.now_ms
        due = [token.expires_ms for token in self.table.tokens.values() if token.expires_ms > now_ms]
        self._expiry = self.engine.set_alarm(min(due) - now_ms, self._expire) if due else None

    def _expire(self) -> None:
        self._expiry = None
        ended = [token for token in self.table.tokens.values() if self._expired(token)]
        for token in ended:
            self.audit("token expired", {"token": token.id, "user": token.user})
        self.see_to_expiry()
        for session in self.engine.sessions.values():
            if session.login is not None and session.login.token:
                self._regate(session)
        self.settle()

    def settle(self) -> None:
        """End what is no longer allowed. No call may be under way."""
        lost, self._lost = self._lost, {}
        for session in lost:
            if self.engine.sessions.get(session.id) is session:
                self._revoke(session)
        for session in list(self.engine.sessions.values()):
            if session.rights != -1 or session.guard is not None:
                self._withdraw(session)

    def _revoke(self, session: Session) -> None:
        self.audit("revoked", {"session": session.id, "user": session.user})
        outbox = session.outbox
        if outbox is not None:
            gone = Unauthenticated("the login of this connection holds no longer: log in again")
            outbox.push(REVOKED, gone.code, gone.message)
            if session.lasting:
                self.engine.detach(session, outbox)
            outbox.close(gone)
        if session.lasting:
            self.engine.end_session(session)

    def _withdraw(self, session: Session) -> None:
        """End the waits and subscriptions of *session* that it could not begin now."""
        for call in list(session.waiting.values()):
            try:
                if isinstance(call, Parked):
                    self.engine.permit(session, call.command, call.args, call.options, call.namespace)
                elif isinstance(call, NativeOnlooker):
                    self._permit(session, self.engine.catalog.commands[b"MONITOR"], [], session.namespace)
                elif isinstance(call, (Subscription, Listener)):
                    self._permit(session, call.command, call.names(), call.namespace)
            except KvError as error:
                self.engine.leave(call)
                call.outbox.fail(call.request_id, error)
        self.engine.serve()
        if not self._may_listen(session) and session.outbox is not None:
            session.outbox.close(Forbidden("this user may no longer see what this connection listens to"))

    def _permit(self, session: Session, command: Command, names: list[Named], namespace: bytes) -> None:
        if not session.rights >> command.bit & 1:
            raise session.refusal(command)
        if isinstance(session.guard, NameGuard):
            refusal = session.guard.refusal(command.bit, names, namespace)
            if refusal is not None:
                raise session.guard.error(refusal)

    def _may_listen(self, session: Session) -> bool:
        """Whether a connection of the text door may go on to listen, and to look on."""
        words = self.engine.catalog.spoken
        hearing = session.hearing
        asked = [] if hearing is None else [
            *((b"SUBSCRIBE", "channel", place) for place in hearing.channels),
            *((b"PSUBSCRIBE", "pattern", place) for place in hearing.patterns),
            *((b"SSUBSCRIBE", "channel", place) for place in hearing.shards),
        ]  # fmt: skip
        if self.engine.observation.watched_by(session):
            asked.append((b"MONITOR", "", (session.namespace, b"")))
        try:
            for word, kind, (space, name) in asked:
                named = [Named(kind, name, Flag.READ)] if kind else []
                own = shared(session.namespace) == space
                self._permit(session, words[word], named, session.namespace if own else space)
        except KvError:
            return False
        return True


def wrong_password() -> LoginFailed:
    return LoginFailed("invalid username-password pair or user is disabled.")
