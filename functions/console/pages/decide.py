"""Decide about an agent: what each decision would do, computed on a copy, then the decision with a note."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Form, Query, Request, Response
from starlette.exceptions import HTTPException

from functions.console.agents import find
from functions.console.comparison import Comparison, compare
from functions.console.render import page, see
from functions.console.visitor import Looking, Operator, Visitor
from identity_service.cycles import Outdated, reset_state
from identity_service.decisions import decide
from identity_service.engines import engine
from identity_service.request_models import NOTE_LIMIT
from identity_service.store.instances import Head

router = APIRouter()
#: The decisions: name, words, what it means.
CHOICES: Final = (
    ("rebaseline", "This is the new normal", "Drift is measured from here on. Stress, energy and memory stay."),
    ("last_stable", "Back to the last calm state", "Modes and energy of the last calm cycle, stress at rest. Memory stays."),
    ("initial", "Back to its birth", "As it was created. What it has learned since is forgotten."),
    ("default", "A neutral start", "All modes at rest, full starting energy. What it has learned is forgotten."),
)
_NAMES: Final = tuple(name for name, _, _ in CHOICES)


@router.get("/agents/{instance_id}/decide", name="decide")
async def show(request: Request, visitor: Looking, instance_id: str, to: Annotated[str, Query()] = "") -> Response:
    """The decisions, and what the chosen one would do."""
    head = find(visitor, instance_id)
    if to not in ("", *_NAMES):
        raise HTTPException(404)
    return _page(request, visitor, head, to)


@router.post("/agents/{instance_id}/decide", name="make_decision")
async def make(
    request: Request,
    visitor: Operator,
    instance_id: str,
    to: Annotated[str, Form()],
    version: Annotated[int, Form()],
    note: Annotated[str, Form()] = "",
) -> Response:
    """Make the decision that was previewed, unless the agent changed since."""
    head, note = find(visitor, instance_id), note.replace("\r\n", "\n").strip()
    if to not in _NAMES:
        raise HTTPException(400, "There is no such decision.")
    if not note or len(note) > NOTE_LIMIT:
        problem = f"Write why, in at most {NOTE_LIMIT} characters: the audit trail keeps it."
        return _page(request, visitor, head, to, 400, problem=problem, note=note)
    try:
        decide(head, to, version, note, visitor.by())
    except Outdated:
        problem = "The agent changed since you looked: nothing was decided. This is what it would do now."
        return _page(request, visitor, find(visitor, instance_id), to, 409, problem=problem, note=note)
    return see("audit", instance_id=instance_id)


def _helps(preview: Comparison) -> bool:
    """Whether the agent would be free of what holds it."""
    before, after = preview.before, preview.after
    return any(before[flag] and not after[flag] for flag in ("should_pause", "should_escalate")) or bool(preview.freed)


def _page(
    request: Request, visitor: Visitor, head: Head, to: str, status: int = 200, problem: str = "", note: str = ""
) -> Response:
    known = engine(head.engine_version).RESET_MODES
    previews = {name: compare(head, reset_state(head, name)) for name in _NAMES if name in known}
    if to and to not in previews:
        raise HTTPException(400, f"Engine {head.engine_version}, which decides for this agent, has no such decision.")
    # Shown first: the mildest one that helps.
    to = to or next((name for name in previews if _helps(previews[name])), next(iter(previews)))
    context: dict[str, Any] = {
        "head": head,
        "to": to,
        "choices": [
            {"name": name, "words": words, "means": means, "preview": previews[name]}
            for name, words, means in CHOICES
            if name in previews
        ],
        "preview": previews[to],
        "now": previews[to].before,
        "problem": problem,
        "note": note,
        "note_limit": NOTE_LIMIT,
    }
    return page(request, "decide.html", visitor, status, here="agents", tab="decide", **context)
