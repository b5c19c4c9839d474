"""Settings: people. Members and their roles, invitations, and what was changed lately."""

import re
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException

from functions.console import cookies, reads
from functions.console.render import page, see
from functions.console.urls import url_for
from functions.console.visitor import Looking, Visitor, logged_in, require
from identity_service.roles import OWNER, ROLES
from identity_service.store import account_trail, accounts, invitations, one_time, sessions, users
from identity_service.store.invitations import NoInvitation
from identity_service.store.sessions import Session
from identity_service.store.users import LastOwner, NoMember

router = APIRouter()
Owner = Annotated[Visitor, Depends(require(OWNER))]
#: An address that mail can go to; whether it exists, the log-in service finds out.
_ADDRESS: Final = re.compile(r"[^@\s<>\"']{1,64}@[^@\s<>\"']{1,190}\.[^@\s<>\"']{2,63}")
#: Invitations that a person may send in an hour.
INVITATIONS_AN_HOUR: Final = 30


@router.get("/settings/people", name="people")
async def listing(request: Request, visitor: Looking) -> Response:
    """Members, open invitations, latest changes."""
    return _people(request, visitor)


@router.post("/settings/people/invitations", name="invite")
async def invite(
    request: Request, visitor: Owner, email: Annotated[str, Form(max_length=254)], role: Annotated[str, Form()]
) -> Response:
    """Make an invitation and show its link, once."""
    email = email.strip()
    if not _ADDRESS.fullmatch(email) or role not in ROLES:
        return _people(request, visitor, 400, problem="Write an e-mail address, and choose a role.", email=email)
    if not one_time.within_rate("invite", visitor.session.user.ref, INVITATIONS_AN_HOUR, 3600):
        raise HTTPException(429, f"You made {INVITATIONS_AN_HOUR} invitations in this hour. Wait for the next one.")
    token = invitations.invite(visitor.account_id, email, role, visitor.by())
    return _people(request, visitor, link=url_for("invitation", token=token), invited=email)


@router.post("/settings/people/invitations/{invitation_id}/withdraw", name="withdraw")
async def withdraw(visitor: Owner, invitation_id: str) -> Response:
    """End an invitation."""
    try:
        invitations.withdraw(visitor.account_id, invitation_id, visitor.by())
    except NoInvitation:
        raise HTTPException(404) from None
    return see("people")


@router.post("/settings/people/{ref}/role", name="change_role")
async def change_role(request: Request, visitor: Owner, ref: str, role: Annotated[str, Form()]) -> Response:
    """Give a member another role."""
    if role not in ROLES:
        raise HTTPException(400, "There is no such role.")
    try:
        users.change_role(visitor.account_id, ref, role, visitor.by())
    except NoMember:
        raise HTTPException(404) from None
    except LastOwner:
        return _people(request, visitor, 409, problem="An account keeps one owner: make somebody else an owner first.")
    return see("people")


@router.post("/settings/people/{ref}/remove", name="remove_member")
async def remove(request: Request, visitor: Owner, ref: str) -> Response:
    """Remove a member: from the next request on they see nothing of the account."""
    try:
        users.remove(visitor.account_id, ref, visitor.by())
    except NoMember:
        raise HTTPException(404) from None
    except LastOwner:
        return _people(request, visitor, 409, problem="An account keeps one owner: make somebody else an owner first.")
    return see("people")


@router.get("/invitations/{token}", name="invitation")
async def invitation(request: Request, session: Annotated[Session, Depends(logged_in)], token: str) -> Response:
    """Who invites to what, and a button. A stranger logs in first and comes back."""
    try:
        found = invitations.find(token, session.user.email)
    except NoInvitation:
        return _no_invitation(request)
    account = accounts.get_account(found.account_id)
    return page(request, "invitation.html", session=session, token=token, role=found.role, account=account["name"])


@router.post("/invitations/{token}", name="accept")
async def accept(request: Request, session: Annotated[Session, Depends(logged_in)], token: str) -> Response:
    """Become a member, and look at that account from now on."""
    try:
        account_id = invitations.accept(token, session.user, request.state.request_id)
    except NoInvitation:
        return _no_invitation(request)
    sessions.end(session.id)
    response = RedirectResponse(url_for("home"), 303)
    cookies.keep(response, sessions.begin(session.user, account_id))
    return response


def _no_invitation(request: Request) -> Response:
    text = "It was used, withdrawn or is older than seven days, or it is for another e-mail address than yours."
    return page(request, "error.html", status=404, title="No such invitation", text=text)


def _people(request: Request, visitor: Visitor, status: int = 200, **values: Any) -> Response:
    empty = {"problem": "", "email": "", "link": "", "invited": ""}
    account_id = visitor.account_id
    members, open_ones, changes = reads.together(
        lambda: users.members(account_id),
        lambda: invitations.open_ones(account_id) if visitor.may(OWNER) else [],
        lambda: account_trail.latest(account_id),
    )
    context: dict[str, Any] = empty | {
        "members": sorted(members, key=lambda member: str(member["joined_at"])),
        "invitations": open_ones,
        "changes": changes,
        "roles": ROLES,
    }
    return page(request, "people.html", visitor, status, here="people", **(context | values))
