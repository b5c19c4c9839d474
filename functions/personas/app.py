"""The twelve personas."""

import identity_service.start  # noqa: F401

# isort: split

from fastapi import Request, Response

from identity_engine import PERSONA_BY_ID, PERSONAS
from identity_service import errors
from identity_service.answers import persona_answer, persona_detail_answer
from identity_service.describe import describe
from identity_service.frame import answer, answer_page, create_app, lambda_handler, meter

app = create_app("Personas")


@app.get("/v1/personas", **describe("List all 12 personas", "PersonaRows"))
async def list_all(request: Request) -> Response:
    """All of them, always in the same order."""
    meter(request).charge()
    return answer_page([persona_answer(p) for p in PERSONAS], limit=len(PERSONAS), offset=0, total=len(PERSONAS))


@app.get("/v1/personas/{persona_id}", **describe("Get a persona", "PersonaDetail", also=(404,)))
async def get(request: Request, persona_id: str) -> Response:
    """One persona in full."""
    meter(request).charge()
    persona = PERSONA_BY_ID.get(persona_id)
    if persona is None:
        raise errors.not_found("persona")
    return answer(persona_detail_answer(persona))


handler = lambda_handler(app)
