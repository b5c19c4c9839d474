"""`make bench-scaling`: what happens to callers when one account or one agent gets ten times what its partition can write.

The counting, the commits and their retries are the store's own code, in simulated time; no clock of the machine is read.
"""

import sys

from benchmarks.scaling.loads import HOT, Result, instance, usage_item

HEADER = ("offered/s", "of limit", "admitted/s", "503", "409", "calls", "units/s", "p50 ms", "p99 ms")


def main() -> int:
    """Print both tables."""
    _title("An account's usage item: one write unit for each request")
    for times in HOT:
        _show(f"{times:g} x", usage_item(times))
    _title("The same, counted in leases of a hundred for each container (docs/scaling.md; not built)")
    for times in (0.9, 10):
        result = usage_item(times, lease=100)
        _show(f"{times:g} x", result)
        print(f"{'':<10}leased and not used when the load ends: {result.stranded:,} counts")
    _title("An agent's head: a commit of four units, one at a time")
    for rate in (10, 25, 50, 100, 250, 2_500):
        _show(f"{rate / 250:g} x", instance(rate, seconds=2 if rate > 250 else 10))
    _title("The same observations in batches")
    for rate, batch in ((250, 10), (2_500, 100)):
        result = instance(rate / batch, seconds=10)
        _show(f"by {batch}", result)
        print(f"{'':<10}observations processed a second: {result.admitted * batch / result.seconds:,.0f}")
    return 0


def _title(text: str) -> None:
    print(f"\n{text}\n{'':<10}{''.join(f'{name:>11}' for name in HEADER)}")


def _show(label: str, result: Result) -> None:
    share = result.offered / 100
    cells = (
        f"{result.offered / result.seconds:,.0f}", label, f"{result.admitted / result.seconds:,.0f}",
        f"{result.unavailable / share:.1f} %", f"{result.conflicts / share:.1f} %", f"{result.calls / result.offered:.2f}",
        f"{result.units / result.seconds:,.0f}", f"{result.percentile(50) * 1000:.0f}", f"{result.percentile(99) * 1000:.0f}",
    )  # fmt: skip
    print(f"{'':<10}{''.join(f'{cell:>11}' for cell in cells)}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
