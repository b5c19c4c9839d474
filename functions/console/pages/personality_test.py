"""The personality test: a form, its result, an agent that gets it. The answers are in the address; nothing is stored before.

A person who may only look takes the test as well; giving its result to an agent is an operator's.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Form, Query, Request, Response
from starlette.exceptions import HTTPException

from functions.console import charts
from functions.console.agents import find
from functions.console.comparison import compare
from functions.console.creation import NAME_LIMIT, CannotCreate, create_agent, new_form
from functions.console.render import page, see, see_agent
from functions.console.visitor import Looking, Operator, Visitor
from identity_engine import (
    MODE_TITLES,
    PERSONA_BY_ID,
    VERSIONS,
    persona_matches,
    profile_of,
    question_ids,
    score,
    starting_strengths,
)
from identity_service.cycles import Outdated, retested, turn
from identity_service.decisions import give_test
from identity_service.engines import birth
from identity_service.request_models import NOTE_LIMIT
from identity_service.store.instances import Head
from identity_service.testing import questions_response

router = APIRouter()
#: What each version asks about.
ABOUT: Final = {"v1": "every mode", "v2": "and how it decides", "v3": "and how it takes stress"}
Version = Annotated[str, Query(pattern="^v[123]$")]
FormVersion = Annotated[str, Form(pattern="^v[123]$")]


@router.get("/test", name="test")
async def show(request: Request, visitor: Looking, test: Version = "v1", sent: str = "") -> Response:
    """The test for a new agent."""
    return _test(request, visitor, None, test, bool(sent))


@router.get("/agents/{instance_id}/test", name="test")
async def show_for(request: Request, visitor: Looking, instance_id: str, test: Version = "v1", sent: str = "") -> Response:
    """The test for an agent that is there."""
    return _test(request, visitor, find(visitor, instance_id), test, bool(sent))


@router.post("/test", name="create_from_test")
async def make(
    request: Request,
    visitor: Operator,
    test: FormVersion,
    answers: Annotated[str, Form()],
    form: Annotated[str, Form()] = "",
    name: Annotated[str, Form()] = "",
) -> Response:
    """Create an agent with the result."""
    chosen = _unpacked(test, answers)
    profile = score(test, chosen)
    try:
        instance_id = create_agent(visitor, name, birth(profile_of(profile), starting_strengths(profile)), form)
    except CannotCreate as problem:
        return _result(request, visitor, None, test, chosen, 400, problem=str(problem), name=name)
    return see_agent(instance_id)


@router.post("/agents/{instance_id}/test", name="give_test")
async def give(
    request: Request,
    visitor: Operator,
    instance_id: str,
    test: FormVersion,
    answers: Annotated[str, Form()],
    version: Annotated[int, Form()],
    note: Annotated[str, Form()] = "",
) -> Response:
    """Restart an agent with the result, unless it changed since it was previewed."""
    head, note, chosen = find(visitor, instance_id), note.replace("\r\n", "\n").strip(), _unpacked(test, answers)
    if not note or len(note) > NOTE_LIMIT:
        problem = f"Write why, in at most {NOTE_LIMIT} characters: the audit trail keeps it."
        return _result(request, visitor, head, test, chosen, 400, problem=problem, note=note)
    profile = score(test, chosen)
    try:
        give_test(head, profile_of(profile), starting_strengths(profile), version, note, visitor.by())
    except Outdated:
        problem = "The agent changed since you looked: nothing was stored. This is what the result would do now."
        return _result(request, visitor, find(visitor, instance_id), test, chosen, 409, problem=problem, note=note)
    return see("audit", instance_id=instance_id)


def _test(request: Request, visitor: Visitor, head: Head | None, test: str, sent: bool) -> Response:
    questions = questions_response(test)["questions"]
    given = request.query_params
    offered = {question["id"]: {option["id"] for option in question["options"]} for question in questions}
    answers = {name: given[name] for name in offered if given.get(name) in offered[name]}
    missing = [name for name in offered if name not in answers] if sent else []
    if sent and not missing:
        return _result(request, visitor, head, test, answers)
    versions = [{"name": name, "count": count, "about": ABOUT[name]} for name, count in VERSIONS.items()]
    return page(
        request,
        "test.html",
        visitor,
        400 if missing else 200,
        **_about(head),
        test=test,
        versions=versions,
        questions=questions,
        answers=answers,
        missing=missing,
    )


def _result(
    request: Request,
    visitor: Visitor,
    head: Head | None,
    test: str,
    answers: Mapping[str, str],
    status: int = 200,
    problem: str = "",
    name: str = "",
    note: str = "",
) -> Response:
    strengths = score(test, answers)
    profile, start = profile_of(strengths), starting_strengths(strengths)
    matches = persona_matches(strengths)[:3]
    preview = compare(head, retested(head, profile, start)) if head else None
    return page(
        request,
        "test_result.html",
        visitor,
        status,
        **_about(head),
        test=test,
        answers=dict(answers),
        packed=_packed(test, answers),
        radar=charts.modes(strengths, "Modes of the result"),
        matches=[{"id": found, "name": PERSONA_BY_ID[found].name, "score": value} for found, value in matches],
        core=[MODE_TITLES[mode] for mode in profile.core_modes],
        suppressed=[MODE_TITLES[mode] for mode in profile.suppressed_modes],
        profile=profile,
        preview=preview,
        problem=problem,
        name=name,
        note=note,
        form=new_form(),
        name_limit=NAME_LIMIT,
        note_limit=NOTE_LIMIT,
    )


def _about(head: Head | None) -> dict[str, Any]:
    """What the page's frame needs: the agent, if there is one."""
    if head is None:
        return {"here": "personas", "head": None}
    return {"here": "agents", "tab": "test", "head": head, "state": turn(head)["stress_state"]}


def _packed(test: str, answers: Mapping[str, str]) -> str:
    """The answers as letters, one for each question."""
    return "".join(answers[name].rpartition("_")[2] for name in question_ids(test))


def _unpacked(test: str, letters: str) -> dict[str, str]:
    answers = {name: f"{name}_{letter}" for name, letter in zip(question_ids(test), letters, strict=False)}
    try:
        score(test, answers)
    except (KeyError, ValueError):
        raise HTTPException(400, "These answers are not complete. Go back to the test.") from None
    return answers
