"""The audit: replays an instance's records through the engine, from its birth, and says which one is wrong first.

The same check serves the API and a file, far from the table. A file is JSON Lines, each line canonical JSON: a heading, then
the records as `GET /instances/{id}/audit` answers them. Source: spec/api.md, "Audit trail".
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from identity_engine import (
    ENGINE_VERSION,
    MODE_CONSTANTS,
    RESETS,
    Observation,
    State,
    canonical,
    decode,
    encode,
    process_all,
    reset,
)
from identity_service.cycles import snapshot_response
from identity_service.store import audit_trail
from identity_service.store.instances import Head

FORMAT: Final = "identity-os-audit/1"
_FIELDS: Final = {"record", "kind", "at", "engine_version", "previous", "digest", "observations"}


class NotAnExport(ValueError):
    """The file is no export."""


@dataclass(eq=False)
class Mismatch(Exception):
    """The first record that is not what it should be, why in a word (`reason`) and in a sentence.

    Reasons: out_of_place (dropped, doubled or swapped), chain (does not follow the record before), digest (changed),
    malformed, replay (the engine decides otherwise), engine_version (another engine made it, this one cannot tell), head (the
    records do not lead to where the instance stands).
    """

    record: int
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What a check found. `verified` is None when there was more than it was allowed to replay; `replayed` counts records."""

    verified: bool | None
    records: int
    replayed: int
    mismatch: Mismatch | None = None

    def view(self) -> dict[str, Any]:
        """As the API answers it."""
        first = self.mismatch and {name: getattr(self.mismatch, name) for name in ("record", "reason", "message")}
        return {"verified": self.verified, "records": self.records, "replayed": self.replayed, "first_mismatch": first}


@dataclass(frozen=True, slots=True)
class ExportHeader:
    """Where the records must lead: how many there are, the observations in them, the last digest, the state."""

    instance_id: str
    records: int
    observations: int
    digest: str
    state: str

    @classmethod
    def of(cls, head: Head) -> "ExportHeader":
        """That of an instance as it stands."""
        return cls(head.id, head.records, head.seq, head.digest, head.encoded)


def verify(heading: ExportHeader, records: Iterable[Any], most: int | None = None) -> Verification:
    """Check the chain and replay every record. `most`: observations after which to stop, with no verdict."""
    replay = _Replay(heading.instance_id)
    try:
        for record in records:
            if most is not None and replay.observations >= most:
                return Verification(None, heading.records, replay.replayed)
            replay.take(record)
        replay.finish(heading)
    except Mismatch as mismatch:
        return Verification(False, heading.records, replay.replayed, mismatch)
    return Verification(replay.foreign is None, heading.records, replay.replayed, replay.foreign)


class _Replay:
    """The chain so far, and the engine's state after it."""

    def __init__(self, instance_id: str) -> None:
        self.instance_id = instance_id
        self.number = self.replayed = self.observations = 0
        self.digest = ""
        self.state: State | None = None
        #: The first record that another version of the engine made: from there on the chain is checked, and nothing replayed.
        self.foreign: Mismatch | None = None

    def take(self, record: Any) -> None:
        """The next record; Mismatch when it is wrong."""
        expected = self.number + 1
        try:
            self._check(record, expected)
        except (LookupError, TypeError, ValueError, AttributeError, RecursionError):
            raise Mismatch(expected, "malformed", f"record {expected} cannot be read") from None
        self.number, self.digest = expected, record["digest"]
        self.observations += len(record["observations"])

    def _check(self, record: Any, expected: int) -> None:
        led_to = "snapshot" if record["kind"] == "observations" else "state"
        if set(record) != _FIELDS | {led_to}:
            raise ValueError("not the fields of a record")
        if record["record"] != expected:
            raise Mismatch(expected, "out_of_place", f"record {record['record']} stands where record {expected} should")
        if record["previous"] != self.digest:
            raise Mismatch(expected, "chain", f"record {expected} does not follow the record before it")
        expected_digest = audit_trail.chain_digest(
            self.instance_id, record, canonical(record["observations"]), canonical(record[led_to])
        )
        if record["digest"] != expected_digest:
            raise Mismatch(expected, "digest", f"record {expected} is not as it was written")
        if self.foreign is None and record["engine_version"] != ENGINE_VERSION:
            text = (
                f"record {expected} was made by engine {record['engine_version']}, and this is engine {ENGINE_VERSION}: "
                "that version alone can replay its decisions; the chain was checked throughout"
            )
            self.foreign = Mismatch(expected, "engine_version", text)
        if self.foreign is None:
            self._play(record, expected)
            self.replayed += 1

    def _play(self, record: Any, number: int) -> None:
        kind = record["kind"]
        if (self.state is None) != (kind == "created"):
            raise Mismatch(number, "replay", f"record {number} is not how a history begins or goes on")
        if kind == "observations":
            observed = [_observation(row) for row in record["observations"]]
            steps = process_all(self.state, observed) if self.state else []
            self.state = steps[-1][0]
            same = snapshot_response(self.instance_id, self.state) == record["snapshot"]
            same &= [row["cycle"] for row in record["observations"]] == [state.cycle for state, _ in steps]
        else:
            text = canonical(record["state"])
            # Birth and a personality test are given, not derived.
            derived = reset(self.state, kind) if self.state and kind in RESETS else decode(text)
            same = encode(derived) == text and not record["observations"] and kind in (*RESETS, "created", "retest")
            self.state = derived
        if not same:
            raise Mismatch(number, "replay", f"the engine does not come to what record {number} says")

    def finish(self, heading: ExportHeader) -> None:
        """Mismatch when the records do not lead to the heading."""
        if self.number < heading.records:
            missing = self.number + 1
            raise Mismatch(missing, "out_of_place", f"the records end before record {missing} of {heading.records}")
        if self.number > heading.records:
            beyond = heading.records + 1
            raise Mismatch(beyond, "out_of_place", f"record {beyond} is one more than the {heading.records} there are")
        state = encode(self.state) if self.state and self.foreign is None else heading.state
        if (self.digest, self.observations, state) != (heading.digest, heading.observations, heading.state):
            raise Mismatch(self.number, "head", "the records do not lead to where the instance stands")


def _observation(row: Any) -> Observation:
    return Observation(MODE_CONSTANTS.index(row["mode_target"]), row["signal_strength"], row["confidence"])


def export(head: Head) -> Iterator[str]:
    """The lines of an instance's export, as the instance stands in `head`."""
    heading = ExportHeader.of(head)
    yield canonical(
        {
            "format": FORMAT,
            "instance_id": heading.instance_id,
            "records": heading.records,
            "observations": heading.observations,
            "digest": heading.digest,
            "state": json.loads(heading.state),
        }
    )
    for record, _ in audit_trail.records(head.trail_position()):
        yield canonical(record)


def verify_export(lines: Iterable[str]) -> tuple[ExportHeader, Verification]:
    """Check an export; NotAnExport when it begins with no heading that can be read."""
    rows = iter(lines)
    heading = _heading(next(rows, ""))
    return heading, verify(heading, (_row(line) for line in rows))


def _heading(line: str) -> ExportHeader:
    row = _row(line)
    if not isinstance(row, dict) or row.pop("format", None) != FORMAT:
        raise NotAnExport(f"the first line is not the heading of an export ({FORMAT})")
    try:
        heading = ExportHeader(**row | {"state": canonical(row["state"])})
        known = (str, int, int, str, str)
        if tuple(type(getattr(heading, name)) for name in ExportHeader.__slots__) != known:
            raise TypeError
    except (KeyError, TypeError):
        raise NotAnExport("the heading is damaged") from None
    return heading


def _row(line: str) -> Any:
    """One line's value; None when it is not canonical JSON: not a byte may differ from what was written."""
    try:
        row = json.loads(line)
        return row if canonical(row) == line.removesuffix("\n") else None
    except (ValueError, RecursionError):
        return None
