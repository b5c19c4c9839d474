"""What previews, forks and earlier contracts cost: `make bench-upgrades` prints one table (docs/upgrading.md).

Everything runs in this process over the embedded table, whose answers take no network: so the times are those of replaying.
Engine 1.0.0, which was never released, is the older version, as in the tests.
"""

import contextlib
import io
import os
import time
from collections.abc import Callable

import httpx

from cli.main import main as command
from identity_service.store import accounts
from local import template

_MODES = ("PERCEPTION", "ORDER", "CONNECTION", "STRESS_RESPONSE")
_AGENTS, _CYCLES, _LONG = 200, 60, 10_000


def main() -> None:
    """Print the table."""
    os.environ |= {"IDENTITY_OS_TABLE": "identity-os", "IDENTITY_OS_ENGINE_RELEASES": str(template.ROOT / "tests" / "engines")}
    from fastapi.testclient import TestClient

    from local import dynamodb
    from local.edge import Edge

    with dynamodb.running("embedded"):
        account = accounts.create_account("bench", "enterprise")
        key = accounts.create_key(account, "bench").secret
        client = TestClient(Edge(), base_url="http://edge/v1", headers={"Authorization": f"Bearer {key}"})
        agents = [_agent(client, number) for number in range(_AGENTS)]
        for _ in range((_LONG - _CYCLES) // 100):
            _report(client, agents[0], 100)
        cycles = client.get(f"/instances/{agents[0]}").json()["data"]["cycle_count"]
        upgrade = ["upgrade", account]
        _row(f"preview of {_AGENTS} agents, one of them of {cycles:,} cycles", lambda: _quiet([*upgrade, "--all", "--preview"]))
        _row(f"preview of {cycles:,} cycles", lambda: _quiet([*upgrade, agents[0], "--preview"]))
        at = f"/instances/{agents[0]}"
        _row(f"fork at cycle {cycles:,}", lambda: _ok(client.post(f"{at}/fork", json={"at_cycle": cycles, "name": "Fork"})))
        for cycle in (1, cycles // 2, cycles):
            _row(f"contract of cycle {cycle:,}", lambda cycle=cycle: _ok(client.get(f"{at}/contract?cycle={cycle}")))


def _agent(client: httpx.Client, number: int) -> str:
    config = {"engine_version": "1.0.0"}
    answer = _ok(client.post("/instances", json={"name": f"agent-{number}", "initial_config": config}))
    instance_id = str(answer.json()["data"]["id"])
    _report(client, instance_id, _CYCLES, 3 if number % 5 else 4)
    return instance_id


def _report(client: httpx.Client, instance_id: str, cycles: int, modes: int = 3) -> None:
    rows = [{"mode_target": _MODES[turn * 7 % modes], "signal_strength": 0.5} for turn in range(cycles)]
    _ok(client.post(f"/instances/{instance_id}/process/batch", json={"observations": rows}))


def _ok(answer: httpx.Response) -> httpx.Response:
    if answer.status_code >= 300:
        raise AssertionError(answer.text)
    return answer


def _quiet(arguments: list[str]) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        if command(arguments):
            raise AssertionError(arguments)


def _row(what: str, run: Callable[[], object]) -> None:
    began = time.perf_counter()
    run()
    print(f"{what:<62} {time.perf_counter() - began:7.2f} s", flush=True)


if __name__ == "__main__":
    main()
