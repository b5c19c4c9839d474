"""Who asks for a page. A page takes `Visitor` from `require(role)`, and so never runs for somebody who may not see it.

    async def page(request: Request, visitor: Annotated[Visitor, Depends(require(VIEWER))]) -> Response

A request that changes something is refused here, too, unless it carries the session's CSRF token in the field `csrf`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hmac import compare_digest
from typing import Annotated

from fastapi import Depends, Request

from functions.console import cookies
from identity_service.roles import OPERATOR, VIEWER, covers
from identity_service.store import sessions
from identity_service.store.account_trail import By
from identity_service.store.audit_trail import Actor
from identity_service.store.dynamodb import Item
from identity_service.store.sessions import Session


class NotLoggedIn(Exception):
    """Nobody is logged in: answered by a way to the log-in."""


class NoAccount(Exception):
    """The person belongs to no account (any more)."""


class Forbidden(Exception):
    """The person's role does not allow it, or the form does not come from our page. The argument says which."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """A person who is logged in, in one account with one role. `account`: its item."""

    session: Session
    account: Item
    role: str
    request_id: str

    @property
    def account_id(self) -> str:
        """The account's id."""
        return self.session.account_id

    @property
    def email(self) -> str:
        """The person's address."""
        return self.session.user.email

    @property
    def csrf(self) -> str:
        """The token that each form of this session carries."""
        return self.session.csrf

    def may(self, role: str) -> bool:
        """Whether their role covers this one."""
        return covers(self.role, role)

    def actor(self, note: str = "") -> Actor:
        """The visitor as actor of an agent's audit record."""
        return Actor(self.session.user.id, note)

    def by(self) -> By:
        """The visitor as author of an entry in the account's trail."""
        return By(self.session.user.id, self.email, self.request_id)


async def session_of(request: Request) -> Session | None:
    """The session of a request, None without one. Read once for each request."""
    if not hasattr(request.state, "session"):
        known = cookies.read(request, cookies.SESSION)
        request.state.session = sessions.read(known["id"], known["ref"], known["account"]) if known else None
    found: Session | None = request.state.session
    return found


MaybeSession = Annotated[Session | None, Depends(session_of)]


async def logged_in(request: Request, session: MaybeSession) -> Session:
    """The session of somebody who is logged in, with or without an account; checks the CSRF token of a change."""
    if session is None:
        raise NotLoggedIn
    if request.method not in ("GET", "HEAD"):
        token = (await request.form()).get("csrf")
        if not isinstance(token, str) or not compare_digest(token.encode(), session.csrf.encode()):
            raise Forbidden("This form is too old, or it does not come from this page. Go back, reload, and try again.")
    return session


def require(role: str) -> Callable[..., Awaitable[Visitor]]:
    """The dependency of a page for people with at least this role."""

    async def visitor(request: Request, session: Annotated[Session, Depends(logged_in)]) -> Visitor:
        if session.account is None or session.role is None:
            raise NoAccount
        if not covers(session.role, role):
            raise Forbidden(f"This needs the role {role}, and yours is {session.role}. An owner of the account can change it.")
        return Visitor(session, session.account, session.role, request.state.request_id)

    return visitor


#: Somebody who may look.
Looking = Annotated[Visitor, Depends(require(VIEWER))]
#: Somebody who may also decide about agents, keys and webhooks.
Operator = Annotated[Visitor, Depends(require(OPERATOR))]
