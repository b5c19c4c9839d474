"""Three agents of a free account: one is escalated, one under stress after failures and denials, one works."""

import httpx


def calm(tool, mode="PERCEPTION", strength=0.5):
    """A call that worked, as a guard reports it."""
    context = {"tool": tool, "action": "clarify", "outcome": "worked", "trace": "run-1"}
    return {"mode_target": mode, "signal_strength": strength, "context": context}


def failed(tool, error, strength):
    """A call that failed."""
    context = {"tool": tool, "action": "execute", "outcome": "failed", "error_class": error, "trace": "run-2"}
    return {"mode_target": "STRESS_RESPONSE", "signal_strength": strength, "context": context}


def denied(tool, reason):
    """A call that the guard denied."""
    context = {"tool": tool, "outcome": "denied", "reason": reason, "trace": "run-2"}
    return {"mode_target": "IDENTITY", "signal_strength": 0.2, "context": context}


WORK = [calm("search_orders"), calm("read_policy", "ORDER"), calm("reply", "CONNECTION", 0.4)]
RISING = [failed("refund", "TimeoutError", strength) for strength in (0.45, 0.7, 0.8, 0.9, 0.95, 0.95, 0.95)]
STORY = {
    "invoice-agent": [[*WORK * 8, *[failed("post_invoice", "PermissionError", 0.95)] * 26]],
    "support-bot": [
        WORK * 20,
        [
            *WORK * 6,
            *RISING,
            denied("wire_money", "execute is held back at HIGH"),
            *WORK * 5,
            denied("refund", "execute is held back at HIGH"),
            *RISING,
            *WORK * 2,
        ],
    ],
    "researcher": [[calm("search_web", "EXPLORATION", 0.6), calm("read_page")] * 30],
}


def play(api, key):
    """Make the agents and report for them; returns their ids by name."""
    headers, made = {"Authorization": f"Bearer {key}"}, {}
    for name, batches in STORY.items():
        answer = httpx.post(f"{api}/instances", json={"name": name}, headers=headers)
        answer.raise_for_status()
        made[name] = answer.json()["data"]["id"]
        for observations in batches:
            path = f"{api}/instances/{made[name]}/process/batch"
            httpx.post(path, json={"observations": observations}, headers=headers).raise_for_status()
    return made
