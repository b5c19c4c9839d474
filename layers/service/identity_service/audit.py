"""Audit verification: replays an instance's records through the engine, from its birth, and reports the first wrong record.

The API and the command line share this check; the command line needs only an export file, not the table. An export is JSON
Lines, each line canonical JSON: a header, then the records as `GET /instances/{id}/audit` returns them. Source: docs/api.md,
"Audit trail".
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from identity_engine import canonical
from identity_service.cycles import snapshot_response
from identity_service.engines import UnknownEngine, engine
from identity_service.lineage import Lineage, OutOfLine
from identity_service.replays import contract_view
from identity_service.store import audit_trail
from identity_service.store.instances import Head

FORMAT: Final = "identity-os-audit/1"
_FIELDS: Final = {"record", "kind", "at", "engine_version", "previous", "digest", "observations"}
#: What records have since format 2; `note` where a person gave one, `upgrade` where another engine took over,
#: `forked_from` in the first record of a fork.
_SINCE_2: Final = {"format", "actor"}
_OPTIONAL: Final = {"note", "upgrade", "forked_from"}


class NotAnExport(ValueError):
    """The file is not a valid export."""


@dataclass(eq=False)
class Mismatch(Exception):
    """The first wrong record. `reason` is a code, `message` explains it.

    Reasons: out_of_place (a record was dropped, duplicated or swapped), chain (it does not follow the previous record), digest
    (its content was changed), malformed, replay (the engine computes a different result), engine_version (an engine
    wrote it that is not here, so it cannot be replayed), head (the records do not lead to the instance's current state), anchor
    (a digest that a customer kept is in no record: the trail was written anew).
    """

    record: int
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Verification:
    """The result of a check. `verified` is None when it stopped at its replay limit; `replayed` counts records."""

    verified: bool | None
    records: int
    replayed: int
    mismatch: Mismatch | None = None

    def view(self) -> dict[str, Any]:
        """The verification as an API response."""
        first = self.mismatch and {name: getattr(self.mismatch, name) for name in ("record", "reason", "message")}
        return {"verified": self.verified, "records": self.records, "replayed": self.replayed, "first_mismatch": first}


@dataclass(frozen=True, slots=True)
class ExportHeader:
    """What the records must add up to: the number of records and observations, the last digest, the final state."""

    instance_id: str
    records: int
    observations: int
    digest: str
    state: str

    @classmethod
    def from_head(cls, head: Head) -> "ExportHeader":
        """The header for an instance's current state."""
        return cls(head.id, head.records, head.seq, head.digest, head.encoded)


def verify(header: ExportHeader, records: Iterable[Any], max_observations: int | None = None) -> Verification:
    """Check the chain and replay every record. Stops without a verdict after `max_observations`."""
    replay = _Replay(header.instance_id)
    try:
        for record in records:
            if max_observations is not None and replay.observations >= max_observations:
                return Verification(None, header.records, replay.replayed)
            replay.add(record)
        replay.finish(header)
    except Mismatch as mismatch:
        return Verification(False, header.records, replay.replayed, mismatch)
    return Verification(replay.foreign is None, header.records, replay.replayed, replay.foreign)


class _Replay:
    """The chain checked so far, and the engine's state after it."""

    def __init__(self, instance_id: str) -> None:
        self.instance_id = instance_id
        self.number = self.replayed = self.observations = 0
        self.digest = ""
        self.lineage = Lineage()
        #: The first record of an engine that is not here: from there on only the chain is checked, nothing is replayed.
        self.foreign: Mismatch | None = None

    def add(self, record: Any) -> None:
        """Check and replay the next record; raises Mismatch when it is wrong."""
        expected = self.number + 1
        try:
            self._check(record, expected)
        except (LookupError, TypeError, ValueError, AttributeError, RecursionError):
            raise Mismatch(expected, "malformed", f"record {expected} cannot be read") from None
        self.number, self.digest = expected, record["digest"]
        self.observations += len(record["observations"])

    def _check(self, record: Any, expected: int) -> None:
        led_to = "snapshot" if record["kind"] == "observations" else "state"
        since_2 = _SINCE_2 | (_OPTIONAL & set(record)) if "format" in record else set()
        if set(record) != _FIELDS | since_2 | {led_to} or record.get("format", audit_trail.FORMAT) != audit_trail.FORMAT:
            raise ValueError("unexpected fields")
        if record["record"] != expected:
            raise Mismatch(expected, "out_of_place", f"expected record {expected}, found record {record['record']}")
        # A fork's trail goes on from the record of the original that it was made at.
        follows = record["forked_from"]["digest"] if expected == 1 and "forked_from" in record else self.digest
        if record["previous"] != follows:
            raise Mismatch(expected, "chain", f"record {expected} does not follow the previous record")
        expected_digest = audit_trail.chain_digest(
            self.instance_id, record, canonical(record["observations"]), canonical(record[led_to])
        )
        if record["digest"] != expected_digest:
            raise Mismatch(expected, "digest", f"record {expected} was changed after it was written")
        if self.foreign is None:
            self._replay(record, expected, led_to)

    def _replay(self, record: Any, number: int, led_to: str) -> None:
        try:
            result = self.lineage.add(record)
        except UnknownEngine as unknown:
            text = (
                f"record {number} was written by engine {unknown.version}, and {unknown}: only that version can replay its "
                "decisions; the chain was checked to the end"
            )
            self.foreign = Mismatch(number, "engine_version", text)
            return
        except OutOfLine as error:
            raise Mismatch(number, "replay", f"record {number}: {error}") from None
        if led_to == "snapshot":
            result["snapshot"] = snapshot_response(self.instance_id, result["snapshot"])
        if any(record[name] != value for name, value in result.items()):
            raise Mismatch(number, "replay", f"the engine computes a different result than record {number} holds")
        self.replayed += 1

    def finish(self, header: ExportHeader) -> None:
        """Compare the replayed records with the header; raises Mismatch when they differ."""
        if self.number < header.records:
            missing = self.number + 1
            raise Mismatch(missing, "out_of_place", f"record {missing} of {header.records} is missing")
        if self.number > header.records:
            extra = header.records + 1
            raise Mismatch(extra, "out_of_place", f"record {extra} was added: the instance has {header.records} records")
        state = self.lineage.state if self.foreign is None else header.state
        if (self.digest, self.observations, state) != (header.digest, header.observations, header.state):
            raise Mismatch(self.number, "head", "the records do not lead to the instance's current state")


def header_line(header: ExportHeader) -> str:
    """The first line of an export."""
    return canonical(
        {
            "format": FORMAT,
            "instance_id": header.instance_id,
            "records": header.records,
            "observations": header.observations,
            "digest": header.digest,
            "state": json.loads(header.state),
        }
    )


def export(head: Head) -> Iterator[str]:
    """The lines of an instance's export, for the state in `head`."""
    yield header_line(ExportHeader.from_head(head))
    for record, _ in audit_trail.records(head.trail_position()):
        yield canonical(record)


@dataclass(frozen=True, slots=True)
class Anchor:
    """The digest of a record of this instance, as a customer's SDK kept it. `line` of the customer's file."""

    line: int
    digest: str


def anchors_of(instance_id: str, lines: Iterable[str]) -> list[Anchor]:
    """The anchors of an instance in a file that an SDK wrote (`audit_log`). ValueError names a line that is none."""
    anchors = []
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            if row["instance_id"] == instance_id:
                anchors.append(Anchor(number, str(row["digest"])))
        except (ValueError, KeyError, TypeError, RecursionError):
            raise ValueError(f"line {number} is no anchor") from None
    return anchors


def instance_of(lines: Iterable[str]) -> str:
    """The instance of an export; NotAnExport when its first line is not a valid header."""
    return _parse_header(next(iter(lines), "")).instance_id


def verify_export(lines: Iterable[str], anchors: Sequence[Anchor] = ()) -> tuple[ExportHeader, Verification]:
    """Check an export, and that each anchor is in it. NotAnExport when its first line is not a valid header."""
    rows = iter(lines)
    header = _parse_header(next(rows, ""))
    missing = {anchor.digest: anchor for anchor in reversed(anchors)}

    def records() -> Iterator[Any]:
        for record in (_parse_line(line) for line in rows):
            if isinstance(record, dict):
                missing.pop(record.get("digest", ""), None)
            yield record

    verification = verify(header, records())
    if missing and not verification.mismatch:
        first = min(missing.values(), key=lambda anchor: anchor.line)
        text = f"no record has the digest of line {first.line} of the anchors: the trail was written anew after it"
        mismatch = Mismatch(header.records, "anchor", text)
        verification = replace(verification, verified=False, mismatch=mismatch)
    return header, verification


def explain_export(lines: Iterable[str], cycle: int) -> dict[str, Any] | None:
    """The contract that was handed out at a cycle, explained, with the record that proves it; None if there is no such cycle.

    If the agent was reset to a birth, the last time that it was at the cycle. Every record up to there is checked and replayed;
    Mismatch names the first wrong one, and one of an engine that is not here. NotAnExport as in `verify_export`.
    """
    remaining = iter(lines)
    replay = _Replay(_parse_header(next(remaining, "")).instance_id)
    found: tuple[Any, str] | None = None
    for record in map(_parse_line, remaining):
        before = replay.lineage.state
        replay.add(record)
        if replay.foreign:
            raise replay.foreign
        at = [number for number, step in enumerate(replay.lineage.steps, 1) if step["cycle"] == cycle]
        if at:
            rows = record["observations"][: at[0]]
            found = record, engine(record["engine_version"]).process(json.loads(before), rows, snapshots="none")["state"]
        elif cycle == 0 and record["kind"] != "observations" and record["state"]["cycle"] == 0:
            found = record, replay.lineage.state
    return found and contract_view(*found, cycle, explain=True)


def verify_fork(fork: Iterable[str], original: Iterable[str]) -> str | None:
    """Why an export is not the fork of the agent of another export, that it says to be; None when it is.

    Both are verified by themselves first (`verify_export`); this compares what a digest alone cannot: that the fork follows a
    record of the original, and that its reports up to there are the original's. NotAnExport when a first line is no header.
    """
    ours, theirs = iter(fork), iter(original)
    ours_of, theirs_of = _parse_header(next(ours, "")), _parse_header(next(theirs, ""))
    records = map(_parse_line, ours)
    first = next(records, None) or {}
    origin = first.get("forked_from")
    if origin is None:
        return f"{ours_of.instance_id} is no fork"
    if origin["instance_id"] != theirs_of.instance_id:
        return f"{ours_of.instance_id} is a fork of {origin['instance_id']}, not of {theirs_of.instance_id}"
    reported = (row for record in records for row in record["observations"])
    seen = 0
    for record in map(_parse_line, theirs):
        for row in record["observations"]:
            if seen == origin["seq"]:
                break
            seen += 1
            if next(reported, None) != row:
                return f"observation {seen} of the fork is another than the original's"
        if record["record"] == origin["record"]:
            same = record["digest"] == origin["digest"] and seen == origin["seq"]
            return None if same else f"record {origin['record']} of the original is not the one that the fork follows"
    return f"the original has no record {origin['record']}, which the fork follows"


def _parse_header(line: str) -> ExportHeader:
    row = _parse_line(line)
    if not isinstance(row, dict) or row.pop("format", None) != FORMAT:
        raise NotAnExport(f"the first line is not an export header ({FORMAT})")
    try:
        header = ExportHeader(**row | {"state": canonical(row["state"])})
        types = (str, int, int, str, str)
        if tuple(type(getattr(header, name)) for name in ExportHeader.__slots__) != types:
            raise TypeError
    except (KeyError, TypeError):
        raise NotAnExport("the export header is damaged") from None
    return header


def _parse_line(line: str) -> Any:
    """The value of one line; None when it is not canonical JSON, since every byte must be as written."""
    try:
        row = json.loads(line)
        return row if canonical(row) == line.removesuffix("\n") else None
    except (ValueError, RecursionError):
        return None
