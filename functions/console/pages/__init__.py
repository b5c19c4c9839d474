"""The pages, one router for each group. A page that is listed here is served, and is in the navigation if it is named there."""

from fastapi import APIRouter
from fastapi.routing import APIRoute

from functions.console.pages import (
    agent,
    agents,
    audit,
    decide,
    keys,
    login,
    people,
    personality_test,
    personas,
    usage,
    webhooks,
    welcome,
    what_if,
)

ROUTERS: tuple[APIRouter, ...] = (
    login.router,
    welcome.router,
    agents.router,
    agent.router,
    decide.router,
    audit.router,
    what_if.router,
    personality_test.router,
    personas.router,
    keys.router,
    usage.router,
    webhooks.router,
    people.router,
)


def routes() -> list[APIRoute]:
    """All routes of the pages, with paths below the console's."""
    return [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
