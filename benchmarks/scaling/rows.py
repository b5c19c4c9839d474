"""A short form of the simulation for `make bench-counts`: no noise can change it."""

from benchmarks.scaling.loads import instance, usage_item
from benchmarks.speed.table import Row


def rows() -> list[Row]:
    """An account and an agent beyond what their partitions write."""
    hot, leased, agent = usage_item(10, seconds=0.3), usage_item(10, lease=100, seconds=0.3), instance(50, seconds=4)
    refused = leased.unavailable / leased.offered * 100
    lost = agent.conflicts / agent.offered * 100
    return [
        Row(
            "usage item at 10 x a partition: calls for a request", hot.calls / hot.offered, 3, "calls", "simulated", exact=True
        ),
        Row("usage item at 10 x: 99 of 100 answers within", hot.percentile(99) * 1000, 50, "ms", "simulated", exact=True),
        Row("usage item at 10 x, leased in hundreds: refused", refused, 0, "%", "simulated; not built", exact=True),
        Row("an agent with 50 reports a second: 409", lost, 5, "%", "simulated", exact=True),
    ]
