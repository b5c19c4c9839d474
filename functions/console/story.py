"""The latest reports in words, newest first: what stays the same is said once, what changed stands out.

Names and texts come from agents and strangers: they are plain text here, and templates escape them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from identity_service.store.dynamodb import Item
from identity_service.store.timeline import Row

_STATES: Final = ("LOW", "MED", "HIGH", "OVER")
_MODES: Final = ("perception", "exploration", "order", "assertion", "connection", "identity", "stress response")
_WORKED: Final = "worked"
#: Tools that one line names.
_NAMES: Final = 4
#: What only a person decides; the other kinds are begun anew.
DECISIONS: Final = ("rebaseline", "last_stable", "upgrade")
_RESETS: Final = {
    "rebaseline": "decided: this is the new normal",
    "upgrade": "decided: another engine takes over",
    "last_stable": "decided: back to the last stable state",
    "initial": "reset to birth",
    "default": "reset to a neutral state",
    "retest": "took the test again",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One line. `subject`, such as a tool, stands out before `text`; `detail` is small after it.

    `kind`: the mark or the stress state beside it. `seq`: the report that the line leads to, the last of `count`.
    """

    at: str
    seq: int
    text: str
    subject: str = ""
    detail: str = ""
    kind: str = ""
    count: int = 1
    #: Whether there were more before those that were read.
    more: bool = False


def latest(rows: Sequence[Row], most: int) -> list[Entry]:
    """The entries of rows that come newest first, at most so many. The first row only says where the others begin."""
    entries: list[Entry] = []
    before: Row | None = None
    for row in reversed(rows):
        for entry in _entries(row, before):
            joined = _joined(entries[-1], entry) if entries else None
            if joined:
                entries[-1] = joined
            else:
                entries.append(entry)
        before = row
    if rows and rows[-1].seq > 1:
        entries[0] = replace(entries[0], more=True)
    return entries[::-1][:most]


def _entries(row: Row, before: Row | None) -> Iterator[Entry]:
    at = str(row.observation["timestamp"])
    yield _reported(row, at)
    if before is not None and before.figures:
        yield from (replace(entry, at=at, seq=row.seq) for entry in _changes(before.figures, row.figures))
    if row.figures.get("rolled_back"):
        yield Entry(at, row.seq, "put back to its last stable self", kind="rollback")
    for event in row.events:
        yield _decided(event, row.seq)


def _decided(event: Item, seq: int) -> Entry:
    kind = "decision" if event["kind"] in DECISIONS else "reset"
    text, note = _RESETS.get(event["kind"], str(event["kind"])), str(event.get("note", ""))
    return Entry(str(event["at"]), seq, text, detail=note, kind=kind)


def _reported(row: Row, at: str) -> Entry:
    observation, context = row.observation, row.observation["context"]
    tool, outcome = _text(context.get("tool")), context.get("outcome")
    mode = str(observation["mode_target"])
    if row.denied:
        return Entry(at, row.seq, f"denied: {_text(context.get('reason')) or 'the contract forbids it'}", tool, kind="denial")
    if observation.get("severity") == "incident":
        return Entry(at, row.seq, "incident", tool or _text(context.get("detector")), kind="incident")
    if tool and mode == "STRESS_RESPONSE":
        return Entry(at, row.seq, "failed", tool, _text(context.get("error_class") or context.get("error")))
    if tool:
        return Entry(at, row.seq, _text(outcome) or _WORKED, tool)
    return Entry(at, row.seq, mode.replace("_", " ").lower())


def _changes(before: Any, now: Any) -> Iterator[Entry]:
    was, state = before.get("stress_state"), now.get("stress_state")
    if was and state and was != state:
        risen = _STATES.index(state) > _STATES.index(was)
        text = f"{was} → {state}" + (": only the safe actions are left" if state == "OVER" else "")
        yield Entry("", 0, text, "stress rose" if risen else "stress fell", kind=state)
    level = now.get("drift_level")
    if level != before.get("drift_level") and level in ("D2", "D3"):
        yield Entry("", 0, f"{level}, distance {now['drift_distance']:.2f}", "drift", kind="d2" if level == "D2" else "d3")
    for flag, text, kind in (("escalated", "a person has to decide", "escalation"), ("paused", "it should pause", "pause")):
        if now.get(flag) and not before.get(flag):
            yield Entry("", 0, text, kind=kind)
        elif before.get(flag) and not now.get(flag):
            yield Entry("", 0, "no longer waits for a person" if flag == "escalated" else "no longer has to pause")


def _joined(before: Entry, entry: Entry) -> Entry | None:
    """Both in one line: the same said again, calls that worked, or reports without a tool."""
    if entry.seq == before.seq or entry.kind != before.kind or entry.kind not in ("", "denial"):
        return None
    together = replace(entry, count=before.count + 1)
    if (entry.subject, entry.text) == (before.subject, before.text):
        return together
    if entry.text == before.text == _WORKED:
        return replace(together, subject=_listed(before.subject, entry.subject))
    if entry.subject or before.subject or not (_is_mode(before.text) and _is_mode(entry.text)):
        return None
    return replace(together, text=", ".join(dict.fromkeys([*before.text.split(", "), entry.text])))


def _listed(before: str, name: str) -> str:
    """Names in the order of their first use; the first few of many."""
    names = before.split(", ")
    if name in names or names[-1] == "…":
        return before
    return ", ".join([*names, name if len(names) < _NAMES else "…"])


def _is_mode(text: str) -> bool:
    return all(word in _MODES for word in text.split(", "))


def _text(value: Any) -> str:
    """What a context holds, as a line of at most 80 characters."""
    line = " ".join(str(value).split()) if isinstance(value, str | int | float) else ""
    return line if len(line) <= 80 else f"{line[:79]}…"
