"""Plans and their limits (docs/api.md, "Envelope"). The usage plans in template.yaml repeat these figures.

A limit of None is unlimited. `enterprise` is custom for each account: these are the initial limits of such an account.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class Plan:
    """`per_minute` in requests, `per_month` in cycles, `instances` as a count, `price` in dollars a month."""

    name: str
    per_minute: int
    per_month: int
    instances: int | None
    price: int | None


PLANS: Final = MappingProxyType(
    {
        plan.name: plan
        for plan in (
            Plan("free", 10, 10_000, 3, 0),
            Plan("indie", 60, 100_000, 50, 29),
            Plan("pro", 300, 500_000, None, 99),
            Plan("enterprise", 100_000, 1_000_000_000, None, None),
        )
    }
)
