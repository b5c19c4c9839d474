"""The table of docs/evidence.md: recorded runs of other people's agents, and what guard and engine would have done to them.

TRACES names the folder of agents.jsonl.gz. Where there is no such file it says so loudly and ends with 0; it ends with 1 when a
row does not meet its goal.
"""

import os
import sys
from pathlib import Path

from benchmarks.rows import print_rows
from benchmarks.traces.alarms import alarms, length
from benchmarks.traces.attacked import attacked
from benchmarks.traces.calibration import frontier, left_out
from benchmarks.traces.ordinary import ordinary
from benchmarks.traces.playing import played
from benchmarks.traces.read import read


def main() -> int:
    """Print the table; the exit code."""
    path = Path(os.environ.get("TRACES", "../shared/traces")) / "agents.jsonl.gz"
    if not path.is_file():
        print(
            f"SKIPPED: no recorded runs at {path}. Give a folder with agents.jsonl.gz: make bench-traces TRACES=folder",
            file=sys.stderr,
        )
        return 0
    recorded = read(path)
    plain = [each for each in recorded if not each.run.attacked]
    print(f"{len(recorded)} runs, {len(plain)} of them not attacked; shares with their 95 % interval over tasks")
    fresh, kept = played(plain, "fresh"), played(plain, "none")
    met = print_rows("Agents that nobody attacked: kept for all runs, or a fresh one for each", ordinary(kept, fresh))
    met &= print_rows("As an alarm", alarms(fresh))
    met &= print_rows("One attacked run in ten, with a detector that finds every attack", attacked(recorded))
    met &= print_rows("What each further failure adds, chosen without the set that it is judged on", left_out(plain))
    met &= print_rows("The rule of length", length(fresh))
    frontier(plain)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
