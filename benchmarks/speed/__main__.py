"""Print the table; the exit code is 1 when a budget is not met. `counts` prints only what no noise can change, for CI."""

import logging
import sys
from collections.abc import Callable
from functools import partial

from benchmarks.scaling import rows as scaling
from benchmarks.speed import calls, cold, engine, guard, handler, load, sizes
from benchmarks.speed.table import Row, show

Sections = tuple[Callable[[], list[Row]], ...]
CLOCKED: Sections = (engine.rows, guard.rows, handler.rows, cold.rows, load.rows)


def counted(offset: int, cycles: int) -> Sections:
    """What needs no clock: a page as far back as `offset`, a state as old as `cycles`."""
    page, state = partial(calls.page_rows, offset), partial(sizes.state_rows, cycles)
    return calls.rows, calls.unit_rows, page, sizes.import_rows, state, sizes.embedded_rows, scaling.rows, sizes.build_rows


def main() -> int:
    """Run the sections one after the other."""
    logging.disable()
    over = 0
    cheap = sys.argv[1:] == ["counts"]
    for section in counted(2_000, 10_000) if cheap else (*CLOCKED, *counted(400_000, 1_000_000)):
        rows = section()
        show(rows)
        over += sum(not row.kept for row in rows)
    print(f"\n{over} over budget" if over else "\nall within budget")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
