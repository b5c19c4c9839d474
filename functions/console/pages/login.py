"""Log in, come back from the issuer, choose or make an account, log out."""

from typing import Annotated, Final

from authlib.common.errors import AuthlibBaseError
from fastapi import APIRouter, Depends, Form, Query, Request, Response
from fastapi.responses import RedirectResponse
from httpx2 import HTTPError
from joserfc.errors import JoseError

from functions.console import cookies, oidc
from functions.console.config import config
from functions.console.render import page, see
from functions.console.urls import safe_next, url_for
from functions.console.visitor import Forbidden, Looking, MaybeSession, logged_in
from identity_service.log import logger
from identity_service.store import one_time, sessions, users
from identity_service.store.sessions import Session
from identity_service.store.users import User

router = APIRouter()
#: Log-ins that one address may begin in a minute.
LOGINS_A_MINUTE: Final = 60


@router.get("/login", name="login")
async def login(request: Request, target: Annotated[str, Query(alias="next", max_length=2000)] = "") -> Response:
    """Send the person to the issuer, and keep where they wanted to go."""
    if not one_time.within_rate("login", _address(request), LOGINS_A_MINUTE, 60):
        return page(
            request, "error.html", status=429, headers={"Retry-After": "60"},
            title="Too many log-ins", text="Wait a minute, then try again.",
        )  # fmt: skip
    request.scope["session"] = {}
    try:
        response = await oidc.begin(request, url_for("callback"))
    except (HTTPError, AuthlibBaseError) as error:
        logger().error("issuer unavailable", reason=type(error).__name__)
        return page(
            request, "error.html", status=503,
            title="Nobody can log in now", text="The log-in service does not respond. Try again in a moment.",
        )  # fmt: skip
    kept = {"session": request.scope["session"], "next": target if safe_next(target) else ""}
    cookies.put(response, cookies.LOGIN, kept, oidc.LOGIN_LASTS)
    return response


@router.get("/callback", name="callback")
async def callback(request: Request) -> Response:
    """Come back from the issuer: verify, begin a session with a new id, and make an account for who is new."""
    kept = cookies.read(request, cookies.LOGIN) or {}
    request.scope["session"] = kept.get("session", {})
    try:
        claims = await oidc.claims(request)
    except (AuthlibBaseError, JoseError, HTTPError, KeyError, TypeError, ValueError) as error:
        logger().warning("log-in refused", reason=type(error).__name__)
        response = page(
            request, "error.html", status=400,
            title="This log-in did not work", text="It was used before, took too long, or began in another browser.",
            again=True,
        )  # fmt: skip
        cookies.drop(response, cookies.LOGIN)
        return response
    if claims.get("email_verified") not in (True, "true") or not claims.get("email"):
        return page(
            request, "error.html", status=403,
            title="Confirm your e-mail address first", text="The log-in service has not verified it yet.", again=True,
        )  # fmt: skip
    user = users.sign_in(config().issuer, claims["sub"], str(claims["email"]).lower())
    target = kept.get("next", "")
    owned = users.accounts_of(user.ref)
    new = not owned and not target.startswith("/invitations/")
    if new:
        owned = [users.create_account(user, request.state.request_id)]
    if earlier := cookies.read(request, cookies.SESSION):
        sessions.end(earlier["id"])
    goal = url_for("welcome") if new else safe_next(target) or url_for("home")
    return _enter(user, owned[0] if owned else "", goal)


def _enter(user: User, account_id: str, goal: str) -> Response:
    response = RedirectResponse(goal, 303)
    cookies.drop(response, cookies.LOGIN)
    cookies.keep(response, sessions.begin(user, account_id))
    return response


@router.get("/start", name="start")
async def start(request: Request, session: MaybeSession) -> Response:
    """For somebody who belongs to no account: make one, or use an invitation."""
    if session is None or session.account is not None:
        return see("home")
    others = users.accounts_of(session.user.ref)
    return page(request, "start.html", session=session, others=others)


@router.post("/start", name="start_account")
async def start_account(request: Request, session: Annotated[Session, Depends(logged_in)]) -> Response:
    """Make the account of somebody who has none."""
    if users.accounts_of(session.user.ref):
        raise Forbidden("You belong to an account already.")
    account_id = users.create_account(session.user, request.state.request_id)
    sessions.end(session.id)
    return _enter(session.user, account_id, url_for("welcome"))


@router.post("/switch", name="switch")
async def switch(session: Annotated[Session, Depends(logged_in)], account: Annotated[str, Form()]) -> Response:
    """Look at another of one's accounts: a new session, so that a session has one account for all its life."""
    if account not in users.accounts_of(session.user.ref):
        raise Forbidden("You do not belong to that account.")
    sessions.end(session.id)
    return _enter(session.user, account, url_for("home"))


@router.post("/logout", name="logout")
async def logout(session: Annotated[Session, Depends(logged_in)]) -> Response:
    """End the session here, then at the issuer."""
    sessions.end(session.id)
    response = RedirectResponse(await oidc.logout_url(url_for("home")), 303)
    cookies.drop(response, cookies.SESSION)
    return response


@router.get("/accounts", name="accounts")
async def accounts(request: Request, visitor: Looking) -> Response:
    """The accounts that one belongs to."""
    return page(request, "accounts.html", visitor, accounts=users.accounts_of(visitor.session.user.ref))


def _address(request: Request) -> str:
    identity = request.scope.get("aws.event", {}).get("requestContext", {}).get("identity") or {}
    return str(identity.get("sourceIp") or (request.client.host if request.client else ""))
