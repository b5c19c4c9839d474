"""Static files: the style sheets, the scripts, the mark. Only names that are in the folder; cached for an hour by browsers."""

from pathlib import Path
from typing import Final

from fastapi import APIRouter, Response
from starlette.exceptions import HTTPException

router = APIRouter()
FOLDER: Final = Path(__file__).resolve().parent / "static"
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


_CACHED: Final = {"Cache-Control": "max-age=3600"}


@router.get("/static/charts.css", name="charts_style")
async def charts() -> Response:
    """The style sheet of the charts, which their package has. A page with charts links it before the console's own."""
    from identity_charts import stylesheet

    return Response(stylesheet(), media_type=_TYPES[".css"], headers=_CACHED)


@router.get("/static/{name}", name="static")
async def file(name: str) -> Response:
    """One file."""
    path = FOLDER / name
    # The folder's own listing decides, so that no name can lead out of it.
    if path.suffix not in _TYPES or path not in FOLDER.iterdir():
        raise HTTPException(404)
    return Response(path.read_bytes(), media_type=_TYPES[path.suffix], headers=_CACHED)
