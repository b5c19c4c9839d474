"""A guarded turn: what guard and engine in this process add to a tool call, beside the same turn over the local API."""

import sys
import tempfile
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks.speed.ratio import fastest
from benchmarks.speed.table import Row
from local.template import ROOT
from tests.serving import serving

_LOCAL = "guarded turn (before and after a tool), LocalEngine on a file"


def rows() -> list[Row]:
    """The fastest of some rounds of both."""
    # The SDK is no dependency of the project: it is tested as built, and measured as it lies here.
    sys.path.insert(0, str(ROOT / "sdks" / "python"))
    from identity_os_sdk import Guard, IdentityOS
    from identity_os_sdk.local import LocalEngine

    with tempfile.TemporaryDirectory() as folder, LocalEngine(str(Path(folder) / "agents.db")) as engine:
        local = fastest(_turn(Guard(engine, "inst_1")), inner=50)
    with serving("embedded") as (url, keys), IdentityOS(keys["enterprise"], url) as client:
        api = fastest(_turn(Guard.open(client, "bench")), rounds=5, inner=10)
    return [
        Row(_LOCAL, local / 1000, 0.5, "ms"),
        Row("  the same over the local API, embedded DynamoDB", api / 1000, None, "ms", f"{api / local:.0f} times"),
    ]


def _turn(guard: Any) -> Callable[[], None]:
    numbers = count()

    def turn() -> None:
        number = next(numbers)
        guard.before_tool("get_order", {"order": number}, f"c{number}")
        guard.after_tool("get_order", f"c{number}", result=number)

    return turn
