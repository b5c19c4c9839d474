"""An agent's life, replayed from its audit records: as it was, under the versions that decided, or under another version.

    Lineage   as it was: each record by its own version, through upgrades; what each record must hold
    Rerun     as it would have been: every report since birth under one version

Both are pure: records come from the table or from an export. Source: docs/upgrading.md.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from identity_engine import canonical, snapshot_id
from identity_engine.interface import Which
from identity_service.engines import Engine, engine

#: Kinds whose state is an input: it cannot be derived from earlier records.
_INPUTS: Final = ("created", "retest")
_REPORTED: Final = ("mode_target", "signal_strength", "confidence", "severity")


class OutOfLine(ValueError):
    """A record that cannot follow those before it, or that a version cannot replay."""


class Rerun:
    """Every report since birth under one version, resets and personality tests included."""

    def __init__(self, version: str) -> None:
        self.engine: Engine = engine(version)
        self.state = ""

    def add(self, record: Mapping[str, Any], contracts: Which = "none") -> list[dict[str, Any]]:
        """Replay a record; the steps of its observations. OutOfLine for a reset that the version does not know."""
        kind, version = record["kind"], self.engine
        if kind in _INPUTS:
            self.state = version.birth(**engine(record["engine_version"]).birth_inputs(record["state"]))
        elif kind == "observations":
            done = version.process(json.loads(self.state), record["observations"], snapshots="none", contracts=contracts)
            self.state, steps = done["state"], done["steps"]
            return list(steps)
        elif kind != "upgrade":
            if kind not in version.RESET_MODES:
                raise OutOfLine(f"engine {version.VERSION} knows no {kind}, so it cannot replay record {record['record']}")
            self.state = version.reset(json.loads(self.state), kind)
        return []


class Lineage:
    """An agent as it was. `state` is the text after the records so far, `version` the engine that decides next."""

    def __init__(self) -> None:
        self.state = ""
        self.version = ""
        #: The steps of the last record, one for each observation.
        self.steps: list[dict[str, Any]] = []
        #: What `Rerun` needs of each record, for an upgrade that replayed them all.
        self.past: list[dict[str, Any]] = []

    def add(self, record: Mapping[str, Any], contracts: Which = "none") -> dict[str, Any]:
        """Replay a record; what it must hold: its snapshot or its state, and `upgrade` if it is one.

        OutOfLine when it cannot follow, UnknownEngine when its version is not here.
        """
        kind, version = record["kind"], record["engine_version"]
        if (not self.state) != (kind == "created"):
            raise OutOfLine("only the first record may be of kind created, and it must be")
        if self.state and kind != "upgrade" and version != self.version:
            raise OutOfLine(f"engine {version} decided for an agent that was pinned to {self.version}")
        result = self._results(record, kind, engine(version), contracts)
        self.version = version
        self.past.append(_reported(record))
        return result

    def _results(self, record: Mapping[str, Any], kind: str, version: Engine, contracts: Which) -> dict[str, Any]:
        if kind == "observations":
            rows = record["observations"]
            done = version.process(json.loads(self.state), rows, contracts=contracts)
            self.state, self.steps = done["state"], done["steps"]
            rows = [row | {"cycle": step["cycle"]} for row, step in zip(rows, self.steps, strict=True)]
            return {"observations": rows, "snapshot": self.steps[-1]["snapshot"]}
        more, self.steps = {}, []
        if kind in _INPUTS:
            self.state = canonical(record["state"])
            # The id is that of the state as the engine understands it: another one, and this is no state of its.
            if version.snapshot(json.loads(self.state))["id"] != snapshot_id(self.state):
                raise OutOfLine(f"its state is none of engine {version.VERSION}")
        elif kind == "upgrade":
            before = self.state
            self.state, how = upgraded(before, self.version, version.VERSION, self.past)
            more["upgrade"] = upgrade_entry(before, self.version, self.state, version.VERSION, how)
        elif kind in version.RESET_MODES:
            self.state = version.reset(json.loads(self.state), kind)
        else:
            raise OutOfLine(f"there is no kind {kind}")
        return {"observations": [], "state": json.loads(self.state), **more}


def _reported(record: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a record that `Rerun` reads: without contexts, so that a long history fits into memory."""
    kept = {name: record[name] for name in ("record", "kind", "engine_version")}
    if record["kind"] in _INPUTS:
        kept["state"] = record["state"]
    kept["observations"] = [{name: row[name] for name in _REPORTED if name in row} for row in record["observations"]]
    return kept


def upgraded(state: str, version: str, to: str, past: Iterable[Mapping[str, Any]]) -> tuple[str, str]:
    """The state under the version `to`, and how: "migrated" field by field, or "replayed" from `past`, all records so far.

    OutOfLine when it can be neither.
    """
    target = engine(to)
    if version in target.MIGRATES:
        return target.migrate(json.loads(state)), "migrated"
    rerun = Rerun(to)
    for record in past:
        rerun.add(record)
    return rerun.state, "replayed"


def upgrade_entry(before: str, version: str, after: str, to: str, how: str) -> dict[str, Any]:
    """What an upgrade's record says of it: both versions, how the state was taken over, both snapshots."""
    snapshots = {"before": engine(version).snapshot(json.loads(before)), "after": engine(to).snapshot(json.loads(after))}
    return {"from_version": version, "to_version": to, "how": how, **snapshots}


#: What is compared: a fact of each cycle, by name.
_FACTS: Final = ("stress_state", "drift_level", "should_pause", "should_escalate", "allowed_actions")


class Comparison:
    """What another version would have decided otherwise, cycle by cycle since birth. One record after the other is added.

    `flips` counts the cycles at which a fact differs, by fact; `differing` those at which any does; `first` is the
    first of them.
    """

    def __init__(self, to: str) -> None:
        self.to = to
        self.cycles = self.differing = 0
        self.flips = dict.fromkeys(_FACTS, 0)
        self.first: dict[str, Any] | None = None
        self.lineage = Lineage()
        self._rerun = Rerun(to)

    def add(self, record: Mapping[str, Any]) -> None:
        """Compare a record. OutOfLine, UnknownEngine when it cannot be replayed."""
        self.lineage.add(record, "every")
        steps = self._rerun.add(record, "every")
        for row, then, would in zip(record["observations"], self.lineage.steps, steps, strict=True):
            self._compare(record, row, _facts(then), _facts(would))

    def _compare(self, record: Mapping[str, Any], row: Mapping[str, Any], then: dict[str, Any], would: dict[str, Any]) -> None:
        self.cycles += 1
        differ = [name for name in _FACTS if then[name] != would[name]]
        for name in differ:
            self.flips[name] += 1
        self.differing += bool(differ)
        if differ and self.first is None:
            facts = {"then": {name: then[name] for name in differ}, "would": {name: would[name] for name in differ}}
            self.first = {"cycle": row["cycle"], "record": record["record"], "at": record["at"], **facts}

    def view(self) -> dict[str, Any]:
        """The comparison as an API response: with the contract as it is, and as it would be after the upgrade."""
        lineage, target = self.lineage, engine(self.to)
        state, how = upgraded(lineage.state, lineage.version, self.to, lineage.past)
        return {
            "from_version": lineage.version,
            "engine_version": self.to,
            "preview": True,
            "how": how,
            "cycles": self.cycles,
            "differing_cycles": self.differing,
            "flips": self.flips,
            "first_difference": self.first,
            "contract": engine(lineage.version).contract(json.loads(lineage.state)),
            "upgraded_contract": target.contract(json.loads(state)),
        }


def _facts(step: Mapping[str, Any]) -> dict[str, Any]:
    contract = step["contract"]
    facts = {name: contract[name] for name in ("stress_state", "should_pause", "should_escalate")}
    return facts | {"drift_level": step["drift"]["level"], "allowed_actions": sorted(contract["allowed_actions"])}
