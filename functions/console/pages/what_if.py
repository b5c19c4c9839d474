"""What if: the contract that would follow from some reports, beside today's. Nothing is stored, no cycle is counted.

All of it is in the address: the form is sent with GET, works without scripts, and a result can be kept as a bookmark.
"""

from dataclasses import dataclass, replace
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import ValidationError

from functions.console.agents import find
from functions.console.comparison import compare
from functions.console.reads import beside
from functions.console.render import page
from functions.console.visitor import Looking
from identity_engine import MODE_CONSTANTS, MODE_TITLES
from identity_service.cycles import turn
from identity_service.engines import engine
from identity_service.request_models import ObservationRequest
from identity_service.store import instances

router = APIRouter()
#: Rows of the form, reports of all rows together: as many as the API takes at once.
ROWS: Final = 8
REPORTS: Final = 100
#: Agents to choose from; others are found on the page of all agents.
LISTED: Final = 100
Listed = Annotated[
    Any, Depends(beside(lambda account: instances.page(account, sort="created_at", descending=True, offset=0, limit=LISTED)))
]
Values = Annotated[list[str], Query(default_factory=list)]


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the form as it was typed, and what is wrong with it."""

    mode: str = "STRESS_RESPONSE"
    strength: str = "0.9"
    confidence: str = "1"
    severity: str = "normal"
    times: str = "1"
    problem: str = ""

    def read(self) -> tuple[ObservationRequest, int]:
        """The report and how many times it is made. ValueError says what is wrong."""
        numbers = []
        for name, text in (("strength", self.strength), ("confidence", self.confidence)):
            try:
                numbers.append(float(text))
            except ValueError:
                raise ValueError(f"{name} is a number from 0 to 1") from None
        if not self.times.isascii() or not self.times.isdigit() or not 1 <= int(self.times) <= REPORTS:
            raise ValueError(f"times is a number from 1 to {REPORTS}")
        values = {"mode_target": self.mode, "signal_strength": numbers[0], "confidence": numbers[1], "severity": self.severity}
        try:
            return ObservationRequest.model_validate(values), int(self.times)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            field = {"mode_target": "mode", "signal_strength": "strength"}.get(str(first["loc"][0]), str(first["loc"][0]))
            text = "a number from 0 to 1" if field in ("strength", "confidence") else first["msg"]
            raise ValueError(f"{field}: {text}") from None


@router.get("/what-if", name="what_if")
async def choose(request: Request, listed: Listed, visitor: Looking) -> Response:
    """Choose an agent."""
    agents = listed.result()
    return page(request, "choose_agent.html", visitor, here="what_if", agents=agents, listed=LISTED)


@router.get("/agents/{instance_id}/what-if", name="what_if")
async def show(
    request: Request,
    visitor: Looking,
    instance_id: str,
    mode: Values,
    strength: Values,
    confidence: Values,
    severity: Values,
    times: Values,
    do: str = "",
) -> Response:
    """The form and, once it is sent, what would follow. `do`: add, or the number of a row to remove, or nothing: compute."""
    head = find(visitor, instance_id)
    columns = zip(mode, strength, confidence, severity, times, strict=False)
    rows = [Row(*(value[:20] for value in values)) for values in columns][:ROWS]
    asked = bool(rows) and not do
    if do == "add":
        rows = [*rows, Row()][:ROWS]
    elif do.isascii() and do.isdigit() and int(do) < len(rows):
        del rows[int(do)]
    rows = rows or [Row(times="3")]
    context: dict[str, Any] = {"preview": None, "steps": [], "problem": "", "drift": None}
    status = 200
    if asked:
        read, rows, problem = _read(rows)
        if problem:
            context["problem"], status = problem, 400
        else:
            reports = [report.row("") for report, times in read for _ in range(times)]
            done = engine(head.engine_version).process(head.document(), reports, contracts="every")
            steps = done["steps"]
            context["preview"] = compare(head, done["state"])
            context["drift"] = steps[-1]["drift"]
            context["steps"] = [_step(number, step) for number, step in enumerate(steps, 1)]
    return page(
        request,
        "what_if.html",
        visitor,
        status,
        here="what_if",
        tab="what_if",
        head=head,
        state=turn(head)["stress_state"],
        rows=rows,
        most_rows=ROWS,
        modes=list(zip(MODE_CONSTANTS, MODE_TITLES, strict=True)),
        most=REPORTS,
        **context,
    )


def _read(rows: list[Row]) -> tuple[list[tuple[ObservationRequest, int]], list[Row], str]:
    """The reports, the rows with what is wrong with each, and what is wrong in a sentence."""
    read, marked = [], []
    for row in rows:
        try:
            read.append(row.read())
            marked.append(row)
        except ValueError as error:
            marked.append(replace(row, problem=str(error)))
    if len(read) < len(rows):
        return [], marked, "Nothing was computed: see the rows below."
    if sum(times for _, times in read) > REPORTS:
        return [], rows, f"At most {REPORTS} reports are computed at once."
    return read, rows, ""


def _step(number: int, step: dict[str, Any]) -> dict[str, Any]:
    figures, contract = step["turn"], step["contract"]
    return {
        "number": number,
        "stress": figures["stress_state"],
        "strength": figures["stress_strength"],
        "energy": figures["energy_level"],
        "trust": contract["trust"],
        "drift": figures["drift_level"],
        "allowed": figures["allowed_count"],
        "pause": figures["paused"],
        "escalate": figures["escalated"],
    }
