"""The timeline: a few figures for each cycle, kept beside the record of its request and read as a key range.

    OBS#<last seq>   turns: seven columns of small integers, one entry for each observation of the request

A record's snapshot has neither the drift distance nor the contract, and a batch has one snapshot for all its cycles. So the
figures are kept when they are known, in ten-thousandths: about 40 bytes for one cycle, less for each of a batch. They follow
from the records, and so stand outside digest and export. Records of engine 1.0.0 have none: of their last cycle the snapshot
tells some, of the others nothing is known. Source: docs/api.md, "Timeline".
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from identity_engine import DRIFT_LEVELS, STRESS_STATES
from identity_service.store import audit_trail
from identity_service.store.audit_trail import LARGEST_BATCH, PAGE_BYTES
from identity_service.store.dynamodb import Item
from identity_service.store.packing import RECORD, pack, unpack

_UNIT: Final = 10_000
#: Bits of the last column, in the order in which they are named.
_FLAGS: Final = ("paused", "escalated", "rolled_back")
#: Shorter texts do not become smaller by packing.
_WORTH_PACKING: Final = 100


@dataclass(frozen=True, slots=True)
class Row:
    """A cycle: its number, the observation as received, its figures (`turn_view`), and what people set after it, oldest first.

    `figures` lacks what an old record does not tell. `events` are retests and resets: record, kind, at, actor, note, digest.
    """

    seq: int
    observation: Mapping[str, Any]
    figures: Mapping[str, Any]
    events: tuple[Item, ...] = ()

    @property
    def denied(self) -> bool:
        """Whether a guard reported that it denied a call (docs/guard.md, "What is reported")."""
        return bool(self.observation["mode_target"] == "IDENTITY" and self.observation["context"].get("outcome") == "denied")

    def flags(self) -> list[str]:
        """What happened in the cycle, in words, and what people set after it."""
        words = ["incident"] * (self.observation.get("severity") == "incident") + ["denied"] * self.denied
        words += [name for name in _FLAGS if self.figures.get(name)]
        return words + list(dict.fromkeys(event["kind"] for event in self.events))

    def view(self) -> dict[str, Any]:
        """The row as a response."""
        names = ("stress_strength", "stress_state", "energy_level", "drift_distance", "drift_level", "allowed_count")
        head = {"seq": self.seq} | {name: self.observation[name] for name in ("cycle", "timestamp")}
        return head | {name: self.figures.get(name) for name in names} | {"flags": self.flags()}


def packed(turns: Sequence[Mapping[str, Any]]) -> bytes | str:
    """The figures of a request's cycles, as its record keeps them.

    >>> packed([{"stress_strength": 0.71234, "stress_state": "HIGH", "energy_level": 0.09, "drift_distance": None,
    ...          "drift_level": None, "allowed_count": 8, "paused": True, "escalated": False, "rolled_back": True}])
    '[[7123],[2],[900],[-1],[-1],[8],[5]]'
    """
    # Integers are JSON as they print: this takes half the time of json.dumps.
    columns = [",".join(map(str, column)) for column in zip(*map(_entry, turns), strict=True)]
    text = f"[[{'],['.join(columns)}]]"
    return text if len(text) < _WORTH_PACKING else pack(text, RECORD)


def _entry(turn: Mapping[str, Any]) -> tuple[int, ...]:
    known = turn["drift_level"] is not None
    return (
        round(turn["stress_strength"] * _UNIT),
        STRESS_STATES.index(turn["stress_state"]),
        round(turn["energy_level"] * _UNIT),
        round(turn["drift_distance"] * _UNIT) if known else -1,
        DRIFT_LEVELS.index(turn["drift_level"]) if known else -1,
        turn["allowed_count"],
        sum(1 << bit for bit, name in enumerate(_FLAGS) if turn[name]),
    )


def _figures(stored: bytes | str) -> Iterator[dict[str, Any]]:
    for stress, state, energy, distance, level, allowed, flags in zip(*json.loads(unpack(stored)), strict=True):
        yield {
            "stress_strength": stress / _UNIT,
            "stress_state": STRESS_STATES[state],
            "energy_level": energy / _UNIT,
            "drift_distance": None if level < 0 else distance / _UNIT,
            "drift_level": None if level < 0 else DRIFT_LEVELS[level],
            "allowed_count": allowed,
        } | {name: bool(flags >> bit & 1) for bit, name in enumerate(_FLAGS)}


Read = Callable[[], Any]


def _in_turn(*reads: Read) -> list[Any]:
    return [read() for read in reads]


def page(pk: str, newest: int, limit: int, run: Callable[..., list[Any]] = _in_turn) -> list[Row]:
    """Up to `limit` cycles from number `newest` downwards, newest first, with what was set after each of them.

    Fewer when the observations would be too large for one response; the next page starts below them. Reads two key ranges,
    strongly consistent, so that a page agrees with the head that was read before it. `run` gets both reads and may run them at
    the same time.
    """
    oldest = max(newest - limit + 1, 1)
    if newest < 1:
        return []
    rows, events = run(
        lambda: list(_cycles(_reports(pk, oldest, newest + LARGEST_BATCH - 1), oldest, newest)),
        lambda: events_after(pk, oldest, newest, limit),
    )
    return [Row(row.seq, row.observation, row.figures, tuple(events.get(row.seq, ()))) for row in rows]


def _cycles(items: Iterable[Item], oldest: int, newest: int) -> Iterator[Row]:
    known: dict[int, Mapping[str, Any]] = {}
    size = 0
    for item in items:
        # The item with the record comes first of those that the request was split into: it is the last of them.
        if "record" in item:
            known = _known(item)
        text = unpack(item["observations"])
        size += len(text.encode())
        numbered = list(enumerate(json.loads(text), start=item["first"]))
        for seq, observation in reversed(numbered):
            if oldest <= seq <= newest:
                yield Row(seq, observation, known.get(seq, {}))
        if size > PAGE_BYTES:
            return


def _known(item: Item) -> dict[int, Mapping[str, Any]]:
    """The figures of a record's cycles by their number."""
    last = int(item["SK"].rpartition("#")[2])
    if "turns" not in item:
        snapshot = json.loads(unpack(item["snapshot"]))
        strength = abs(snapshot["mode_strengths"]["STRESS_RESPONSE"])
        return {last: snapshot | {"stress_strength": strength}}
    found = list(_figures(item["turns"]))
    return dict(enumerate(found, start=last - len(found) + 1))


def events_after(pk: str, oldest: int, newest: int, most: int) -> dict[int, list[Item]]:
    """What was set without observations, by the number of the cycle before it, oldest first; at most the latest `most`."""
    found: dict[int, list[Item]] = {}
    range_of_events = audit_trail.key_range(pk, f"EVENT#{oldest:012d}", f"EVENT#{newest:012d}#~", backwards=True)
    for item in islice(range_of_events, most):
        seq = int(item["SK"].split("#")[1])
        event: Item = {name: item[name] for name in ("record", "kind", "at", "actor", "note", "digest") if name in item}
        found.setdefault(seq, []).insert(0, event)
    return found


def _reports(pk: str, oldest: int, newest: int) -> Iterator[Item]:
    """The items of observations between two numbers, newest first."""
    return audit_trail.key_range(pk, f"OBS#{oldest:012d}", f"OBS#{newest:012d}", backwards=True)


def record_at(pk: str, seq: int, total: int) -> Item | None:
    """The record of the request that processed cycle number `seq`; None without one. One read, unless the record was split.

    It has `first`, the number of its first cycle, and `figures`, those of each of its cycles, beside what `records` has.
    """
    last = min(seq + LARGEST_BATCH - 1, total)
    ahead = audit_trail.key_range(pk, f"OBS#{seq:012d}", f"OBS#{last:012d}", page=1)
    item = next((item for item in ahead if "record" in item), None)
    if item is None:
        return None
    end = int(item["SK"].rpartition("#")[2])
    parts = [item]
    known = _known(item)
    if min(known) < item["first"] or "turns" not in item:
        # It may have been split, or is too old to tell: what lies before it, up to the record before, belongs to it.
        for part in _reports(pk, max(end - LARGEST_BATCH + 1, 1), end - 1):
            if "record" in part:
                break
            parts.insert(0, part)
    ((record, _),) = audit_trail.join_items(iter(parts))
    return record | {"first": parts[0]["first"], "figures": known}
