"""Rows of the table, and how they are printed."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement. `budget` None: shown, not judged. `exact`: a count, which no noise excuses."""

    what: str
    value: float
    budget: float | None = None
    unit: str = ""
    how: str = ""
    exact: bool = False

    @property
    def kept(self) -> bool:
        """Within the budget, or without one."""
        return self.budget is None or self.value <= self.budget


def show(rows: Iterable[Row]) -> None:
    """Print rows as they come."""
    for row in rows:
        budget = "" if row.budget is None else f"<= {_number(row.budget)}"
        mark = "" if row.budget is None else "ok" if row.kept else "OVER"
        print(f"{row.what:<62}{_number(row.value):>10} {row.unit:<9}{budget:<11}{mark:<5}{row.how}", flush=True)


def judge(rows: Iterable[Row]) -> int:
    """Print rows; the exit code is 1 when a budget is not met."""
    found = list(rows)
    show(found)
    return int(any(not row.kept for row in found))


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) or value >= 1000 else f"{value:.2f}"
