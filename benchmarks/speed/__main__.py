"""Print the table; the exit code is 1 when a budget is not met. `counts` prints only what no noise can change, for CI."""

import logging
import sys
from collections.abc import Callable

from benchmarks.speed import calls, cold, engine, handler, load, sizes
from benchmarks.speed.table import Row, show

#: Without clocks, and cheap.
COUNTS: tuple[Callable[[], list[Row]], ...] = (
    calls.rows,
    lambda: calls.page_rows(2_000),
    sizes.import_rows,
    lambda: sizes.state_rows(10_000),
    sizes.build_rows,
)
ALL: tuple[Callable[[], list[Row]], ...] = (
    engine.rows,
    handler.rows,
    cold.rows,
    load.rows,
    calls.rows,
    lambda: calls.page_rows(400_000),
    sizes.import_rows,
    lambda: sizes.state_rows(1_000_000),
    sizes.build_rows,
)


def main() -> int:
    """Run the sections one after the other."""
    logging.disable()
    over = 0
    for section in COUNTS if sys.argv[1:] == ["counts"] else ALL:
        rows = section()
        show(rows)
        over += sum(not row.kept for row in rows)
    print(f"\n{over} over budget" if over else "\nall within budget")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
