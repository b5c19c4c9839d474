"""Settings: usage and plan. What is used of the minute and of the month, and what the plans are."""

from calendar import monthrange
from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response

from functions.console.render import page
from functions.console.visitor import Looking
from identity_service.clock import now
from identity_service.plans import PLANS
from identity_service.store import usage

router = APIRouter()


@router.get("/settings/usage", name="usage")
async def show(request: Request, visitor: Looking) -> Response:
    """Counts, limits, pace, plans."""
    moment = datetime.fromtimestamp(now(), UTC)
    account, plan = visitor.account, PLANS[visitor.account["plan"]]
    counts = usage.current(visitor.account_id, usage.windows(now()))
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
        forecast=int(counts.cycles / gone) if moment.day > 1 else None,
        month=f"{moment:%B}",
        instances=account["instance_count"],
        instance_limit=plan.instances,
        plans=PLANS.values(),
        plan=plan,
    )
