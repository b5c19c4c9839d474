"""The pages, one router for each group. A page that is listed here is served, and is in the navigation if it is named there."""

from fastapi import APIRouter
from fastapi.routing import APIRoute

from functions.console.pages import agent, agents, keys, login, people, usage, welcome

ROUTERS: tuple[APIRouter, ...] = (
    login.router,
    welcome.router,
    agents.router,
    agent.router,
    keys.router,
    usage.router,
    people.router,
)


def routes() -> list[APIRoute]:
    """All routes of the pages, with paths below the console's."""
    return [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
