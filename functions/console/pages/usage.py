"""Settings: usage and plan. What is used of the minute and of the month, and what the plans are."""

from calendar import monthrange
from datetime import UTC, date, datetime

from fastapi import APIRouter, Request, Response
from markupsafe import Markup

from functions.console import charts
from functions.console.render import page
from functions.console.visitor import Looking
from identity_service.clock import now
from identity_service.plans import PLANS
from identity_service.store import usage

router = APIRouter()


@router.get("/settings/usage", name="usage")
async def show(request: Request, visitor: Looking) -> Response:
    """Counts, limits, pace, plans."""
    seconds = now()
    moment = datetime.fromtimestamp(seconds, UTC)
    account, plan = visitor.account, PLANS[visitor.account["plan"]]
    counts, counted = usage.current_days(visitor.account_id, usage.windows(seconds))
    per_month = account.get("per_month", plan.per_month)
    days = monthrange(moment.year, moment.month)[1]
    gone = (moment.day - 1 + moment.hour / 24 + moment.minute / 1440) / days
    return page(
        request,
        "usage.html",
        visitor,
        here="usage",
        counts=counts,
        per_minute=account.get("per_minute", plan.per_minute),
        per_month=per_month,
        pace=int(per_month * gone),
        days=_days(moment.date(), counted, per_month / days) if counted else None,
        forecast=int(counts.cycles / gone) if moment.day > 1 else None,
        month=f"{moment:%B}",
        instances=account["instance_count"],
        instance_limit=plan.instances,
        plans=PLANS.values(),
        plan=plan,
    )


def _days(today: date, counted: dict[str, int], pace: float) -> tuple[Markup, Markup]:
    """The chart of the month's days up to today, for a desk and for a phone."""
    counts = {today.replace(day=number): counted.get(f"{today:%Y%m}{number:02d}", 0) for number in range(1, today.day + 1)}
    return charts.days(counts, pace)
