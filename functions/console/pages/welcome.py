"""The landing page for strangers; the first steps after a sign-up: a key, a program with it, a light for the first report."""

from fastapi import APIRouter, Request, Response

from functions.console import snippets
from functions.console.render import page, see
from functions.console.visitor import Looking, MaybeSession, NoAccount, Operator, Visitor
from identity_service.clock import now
from identity_service.scopes import AGENT
from identity_service.store import accounts, usage

router = APIRouter()


@router.get("", name="home")
async def home(request: Request, session: MaybeSession) -> Response:
    """Strangers get to know what this is; others their agents."""
    if session is None:
        return page(request, "landing.html")
    if session.account is None:
        raise NoAccount
    return see("agents" if session.account["instance_count"] else "welcome")


@router.get("/", name="home_with_slash")
async def home_with_slash() -> Response:
    """The same page, at the address that some type."""
    return see("home")


@router.get("/welcome", name="welcome")
async def welcome(request: Request, visitor: Looking) -> Response:
    """The first steps."""
    return page(request, "welcome.html", visitor, here="welcome", key=None, snippets=[], reported=first_report(visitor))


@router.post("/welcome", name="first_key")
async def first_key(request: Request, visitor: Operator) -> Response:
    """Make a key for the agent, and show it in the snippets. It is shown in this answer and never again."""
    from functions.console.pages.keys import check_rate

    check_rate(visitor)
    key = accounts.create_key(visitor.account_id, "first agent", AGENT, by=visitor.by())
    shown = snippets.for_key(key.secret)
    return page(request, "welcome.html", visitor, here="welcome", key=key, snippets=shown, reported=first_report(visitor))


@router.get("/welcome/light", name="light")
async def light(request: Request, visitor: Looking) -> Response:
    """The light alone, for htmx, which asks again until it is green; a browser without it reloads the page."""
    return page(request, "light.html", visitor, reported=first_report(visitor))


def first_report(visitor: Visitor) -> bool:
    """Whether an agent of the account has reported this month."""
    return usage.current(visitor.account_id, usage.windows(now())).cycles > 0
