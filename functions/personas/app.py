"""The twelve personas."""

import identity_service.cold_start  # noqa: F401

# isort: split

from fastapi import Request, Response

from identity_engine import PERSONA_BY_ID, PERSONAS
from identity_service import errors
from identity_service.app import create_app, lambda_handler
from identity_service.http import data_response, meter, page_response
from identity_service.openapi import operation
from identity_service.responses import persona_detail_response, persona_response

app = create_app("Personas")


@app.get("/v1/personas", **operation("listPersonas", "List all 12 personas", "PersonaRows"))
async def list_all(request: Request) -> Response:
    """All personas, always in the same order."""
    meter(request).count_request()
    return page_response([persona_response(p) for p in PERSONAS], limit=len(PERSONAS), offset=0, total=len(PERSONAS))


@app.get("/v1/personas/{persona_id}", **operation("getPersona", "Get a persona", "PersonaDetail", also=(404,)))
async def get(request: Request, persona_id: str) -> Response:
    """One persona in full."""
    meter(request).count_request()
    persona = PERSONA_BY_ID.get(persona_id)
    if persona is None:
        raise errors.not_found("persona")
    return data_response(persona_detail_response(persona))


handler = lambda_handler(app)
