"""The pages, one router for each group. A page that is listed here is served, and is in the navigation if it is named there."""

from fastapi import APIRouter

from functions.console.pages import keys, login, people, usage, welcome

ROUTERS: tuple[APIRouter, ...] = (login.router, welcome.router, keys.router, usage.router, people.router)
