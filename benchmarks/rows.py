"""A row of the behaviour tables: what was put in, what was measured, what must hold, and whether it does."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One measured behaviour of docs/engine.md, by the id of its row there."""

    id: str
    what: str
    measured: str
    goal: str
    met: bool


def print_rows(title: str, rows: Iterable[Row]) -> bool:
    """Print a table; whether all of it is met."""
    print(f"\n{title}")
    met = True
    for row in rows:
        print(f"{'met    ' if row.met else 'NOT MET'} {row.id:<4} {row.what:<62} {row.measured}   ({row.goal})", flush=True)
        met &= row.met
    return met
