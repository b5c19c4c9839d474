"""The pages, one router for each group. A page that is listed here is served, and is in the navigation if it is named there."""

from fastapi import APIRouter
from fastapi.routing import APIRoute

from functions.console.pages import keys, login, people, usage, webhooks, welcome

ROUTERS: tuple[APIRouter, ...] = (
    login.router,
    welcome.router,
    keys.router,
    usage.router,
    webhooks.router,
    people.router,
)


def routes() -> list[APIRoute]:
    """All routes of the pages, with paths below the console's."""
    return [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
