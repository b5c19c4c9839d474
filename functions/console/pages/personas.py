"""The twelve personas: all of them, one with its profile as a radar, and an agent made from it."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from starlette.exceptions import HTTPException

from functions.console import charts
from functions.console.creation import NAME_LIMIT, CannotCreate, create_agent, new_form
from functions.console.render import page, see_agent
from functions.console.visitor import Looking, Operator, Visitor
from identity_engine import PERSONA_BY_ID, PERSONAS, Persona
from identity_service.request_models import InitialConfig
from identity_service.responses import persona_detail_response, persona_response

router = APIRouter()


@router.get("/personas", name="personas")
async def show_all(request: Request, visitor: Looking) -> Response:
    """All of them."""
    return page(request, "personas.html", visitor, here="personas", personas=[persona_response(one) for one in PERSONAS])


@router.get("/personas/{persona_id}", name="persona")
async def show(request: Request, visitor: Looking, persona_id: str) -> Response:
    """One, and a form that makes an agent from it."""
    return _page(request, visitor, _find(persona_id))


@router.post("/personas/{persona_id}", name="create_from_persona")
async def make(
    request: Request, visitor: Operator, persona_id: str, form: Annotated[str, Form()] = "", name: Annotated[str, Form()] = ""
) -> Response:
    """Create an agent from it."""
    persona = _find(persona_id)
    try:
        instance_id = create_agent(visitor, name, InitialConfig(persona_id=persona.id).born(), form)
    except CannotCreate as problem:
        return _page(request, visitor, persona, 400, str(problem), name)
    return see_agent(instance_id)


def _find(persona_id: str) -> Persona:
    if persona_id not in PERSONA_BY_ID:
        raise HTTPException(404)
    return PERSONA_BY_ID[persona_id]


def _page(
    request: Request, visitor: Visitor, persona: Persona, status: int = 200, problem: str = "", name: str = ""
) -> Response:
    return page(
        request,
        "persona.html",
        visitor,
        status,
        here="personas",
        persona=persona_detail_response(persona),
        profile=persona.profile,
        radar=charts.modes(persona.mode_profile, f"Modes of {persona.name}"),
        problem=problem,
        name=name,
        form=new_form(),
        name_limit=NAME_LIMIT,
    )
