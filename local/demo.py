"""`make demo`: a short scenario against the running API, shown in the terminal and, as it happens, in the console.

The agent is calm, a burst of tool failures drives its stress to OVER, it recovers. Then another character takes it over: it is
rolled back three times, held, and released by a person's decision. Everything shown comes from API responses; nothing is
computed here.

PACE   seconds between two reports: 0.1 in a terminal, so that one can watch, else 0
OPEN   1: opens the agent's page in a browser, and waits for Enter
"""

import json
import os
import sys
import time
import webbrowser
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import httpx

from local.console import DEMO
from local.template import DATA

_COLOURS: Final = {"LOW": "32", "MED": "33", "HIGH": "35", "OVER": "31"}
_LETTERS: Final = {
    "explore": "E", "question": "Q", "elaborate": "L", "suggest": "S", "execute": "X", "pivot": "P",
    "challenge": "C", "comfort": "M", "clarify": "Y", "stabilize": "B", "defer": "D", "withdraw": "W",
}  # fmt: skip


class Chapter(NamedTuple):
    """What happens, the agent's reports (mode and signal strength), and the reset that a person does before them."""

    heading: str
    reports: list[tuple[str, float]]
    reset: str | None = None


def story() -> Iterator[Chapter]:
    """The chapters in order."""
    calm = [("PERCEPTION", 0.5), ("ORDER", 0.6)]
    foreign = [("EXPLORATION", 0.95), ("ASSERTION", 0.95), ("CONNECTION", 0.95)]
    yield Chapter("An agent at work: it reads and organises.", calm * 13)
    yield Chapter("Its tools start to fail, one after another.", [("STRESS_RESPONSE", 0.95)] * 10)
    yield Chapter("The failures stop. The agent recovers; its stress falls slowly.", calm * 34)
    yield Chapter("It works on for 120 turns. It is past its youth, so the engine knows its character.", calm * 60)
    yield Chapter("Another character takes it over. It is rolled back three times, then held for a person.", foreign * 18)
    yield Chapter("The person decides: this is its new normal. It is left alone.", foreign * 12, reset="rebaseline")


def address() -> str:
    """Where the API is: IDENTITY_OS_BASE_URL, with or without /v1 as the SDKs take it, or this machine's PORT."""
    port = os.environ.get("PORT", "8000")
    url = os.environ.get("IDENTITY_OS_BASE_URL") or f"http://localhost:{port}"
    return url.rstrip("/").removesuffix("/v1") + "/v1"


def main() -> int:
    """Play the scenario and return the exit code."""
    base = address()
    path = DATA / "keys.json"
    try:
        pace = float(os.environ.get("PACE") or (0.1 if sys.stdout.isatty() else 0))
    except ValueError:
        return _fail(f"PACE={os.environ['PACE']}: use seconds between two reports, such as PACE=0.5")
    if not path.exists():
        return _fail(f"{path} does not exist: start the API first, in another terminal: make run")
    key = json.loads(path.read_text())["enterprise"]
    try:
        with httpx.Client(base_url=base, headers={"Authorization": f"Bearer {key}"}, timeout=10) as client:
            _play(client, pace)
    except httpx.ConnectError:
        return _fail(f"no server at {base}: start the API first, in another terminal: make run")
    except httpx.HTTPStatusError as error:
        return _fail(f"{base} returned {error.response.status_code}: {error.response.text}")
    return 0


def _play(client: httpx.Client, pace: float) -> None:
    agent = _data(client.post("/instances", json={"name": "Demo"}))["id"]
    print(f"{agent}   actions: " + " ".join(f"{letter}={name}" for name, letter in _LETTERS.items()))
    _invite(client, agent)
    for chapter in story():
        print(f"\n{chapter.heading}")
        if chapter.reset:
            note = "the demo's person decides"
            _data(client.post(f"/instances/{agent}/reset", json={"mode": chapter.reset, "note": note}))
            print(f"      POST /instances/{agent}/reset  mode {chapter.reset}")
        shown, line = None, ""
        for mode, strength in chapter.reports:
            time.sleep(pace)
            body = {"mode_target": mode, "signal_strength": strength}
            data = _data(client.post(f"/instances/{agent}/process", json=body))
            line = _line(data)
            # Print a line for each change, and the last one of the chapter.
            if _status(data) != shown:
                print(line, flush=True)
                line, shown = "", _status(data)
        if line:
            print(line)
    _remove_earlier(client, agent)


def _invite(client: httpx.Client, agent: str) -> None:
    """Say where the agent can be watched; with OPEN=1 open it there."""
    page = f"{str(client.base_url).rstrip('/').removesuffix('/v1')}/console/agents/{agent}"
    print(f"watch it: {page}\n  log in as {DEMO}, which the local log-in service lets in without a password", flush=True)
    if os.environ.get("OPEN") == "1":
        webbrowser.open(page)
        input("Enter begins the story ")


def _remove_earlier(client: httpx.Client, agent: str) -> None:
    """The agent stays, to be looked at; those of earlier demos go."""
    response = client.get("/instances", params={"name": "Demo", "limit": 100})
    response.raise_for_status()
    for earlier in response.json()["data"]:
        if earlier["id"] != agent:
            _data(client.delete(f"/instances/{earlier['id']}"))


def _status(data: dict[str, Any]) -> tuple[Any, ...]:
    contract, drift = data["contract"], data["drift"]
    return (
        contract["stress_state"],
        tuple(sorted(contract["allowed_actions"])),
        drift["level"],
        contract["should_pause"],
        contract["should_escalate"],
    )


def _line(data: dict[str, Any]) -> str:
    snapshot, contract, drift = data["snapshot"], data["contract"], data["drift"]
    stress, energy = contract["stress_state"], contract["energy_level"]
    bar = "█" * round(energy * 20)
    allowed = "".join(letter if name in contract["allowed_actions"] else "·" for name, letter in _LETTERS.items())
    flags = [drift["level"] or "--"]
    flags += ["rolled back"] * drift["rolled_back"]
    flags += ["PAUSE"] * contract["should_pause"] + ["CALL A HUMAN"] * contract["should_escalate"]
    coloured = f"\033[{_COLOURS[stress]}m{stress:<4}\033[0m" if sys.stdout.isatty() else f"{stress:<4}"
    return f"{snapshot['cycle']:>4}  stress {coloured}  energy {bar:<20} {energy:.2f}  {allowed}  {'  '.join(flags)}"


def _data(response: httpx.Response) -> dict[str, Any]:
    response.raise_for_status()
    data: dict[str, Any] = response.json()["data"]
    return data


def _fail(message: str) -> int:
    print(f"demo: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
