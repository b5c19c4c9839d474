"""What a replay showed: counts over played runs, taken in one after the other, so that any number of them fits.

Nothing is printed here and no file is read. `terminal` prints a summary, `as_dict` gives it as JSON.
"""

import heapq
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from identity_os_sdk.replay.alarms import COUNTERS, Alarm
from identity_os_sdk.replay.look import STRESS, Look, look
from identity_os_sdk.replay.play import Played
from identity_os_sdk.replay.runs import Called, Problem, Returned
from identity_os_sdk.tools import ToolAction, ToolMap

#: "warm-up": the first cycles of an agent, while the engine learns what is usual.
DRIFT = ("warm-up", "D0", "D1", "D2", "D3")
#: Problems that are kept with their text; all of them are counted.
_PROBLEMS = 200


@dataclass(slots=True)
class ToolUse:
    """A tool: what it was taken for, how often it was called, failed, and would have been refused."""

    action: ToolAction
    calls: int = 0
    failed: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a call would have been refused. `kind`: deny, or pause, which asks a person."""

    kind: str
    reason: str
    tool: str
    action: str


@dataclass
class Summary:
    """Counts over played runs. `tools`: the map that the runs were played with. `keep`: runs that are kept for a closer look.

    `false_refusals` are changing calls refused in runs that succeeded, of `changing_succeeded`. `error_rules` counts results by
    what decided whether they are errors: (rule, whether it is one).
    """

    tools: ToolMap
    keep: int = 10
    runs: int = 0
    succeeded: int = 0
    failed: int = 0
    attacked: int = 0
    calls: int = 0
    changing: int = 0
    cycles: int = 0
    rolled_back: int = 0
    refused: Counter[Reason] = field(default_factory=Counter)
    refused_changing: int = 0
    runs_refused: int = 0
    changing_succeeded: int = 0
    false_refusals: int = 0
    stress: Counter[str] = field(default_factory=Counter)
    drift: Counter[str] = field(default_factory=Counter)
    engine_alarm: Alarm = field(default_factory=Alarm)
    counter_alarms: dict[int, Alarm] = field(default_factory=lambda: {count: Alarm() for count in COUNTERS})
    error_rules: Counter[tuple[str, bool]] = field(default_factory=Counter)
    tool_uses: dict[str, ToolUse] = field(default_factory=dict)
    agents: set[str] = field(default_factory=set)
    problem_count: int = 0
    problems: list[Problem] = field(default_factory=list)
    formats: Counter[str] = field(default_factory=Counter)
    _kept: list[tuple[tuple[int, ...], int, Look]] = field(default_factory=list, repr=False)

    def add(self, played: Played) -> None:
        """Count a played run."""
        run = played.run
        self.runs += 1
        self.agents.add(run.agent)
        self.attacked += bool(run.attacked)
        self.calls += played.calls
        self.changing += played.changing
        held = sum(refusal.changing for refusal in played.refused)
        self.refused_changing += held
        self.runs_refused += bool(played.refused)
        if run.succeeded is not None:
            self._add_outcome(played, held, run.succeeded)
        self._add_cycles(played)
        self._add_tools(played)
        self._keep(look(played))

    def problem(self, problem: Problem) -> None:
        """Count what could not be read."""
        self.problem_count += 1
        if len(self.problems) < _PROBLEMS:
            self.problems.append(problem)

    def worth_a_look(self, most: int | None = None) -> list[Look]:
        """The kept runs that something happened in, the most remarkable first."""
        return [each for each in self.kept() if each.why][:most]

    def kept(self) -> list[Look]:
        """All kept runs, the most remarkable first."""
        return [each for _, _, each in sorted(self._kept, key=lambda kept: kept[:2], reverse=True)]

    def _add_outcome(self, played: Played, held: int, succeeded: bool) -> None:
        self.succeeded += succeeded
        self.failed += not succeeded
        if succeeded:
            self.changing_succeeded += played.changing
            self.false_refusals += held
        self.engine_alarm.add(played.alarm, succeeded)
        signs = played.signs
        for count, alarm in self.counter_alarms.items():
            alarm.add(signs >= count, succeeded)

    def _add_cycles(self, played: Played) -> None:
        self.cycles += len(played.turns)
        for turn in played.turns:
            self.stress[turn.stress_state] += 1
            self.drift[turn.drift_level or "warm-up"] += 1
            self.rolled_back += turn.rolled_back

    def _add_tools(self, played: Played) -> None:
        names: dict[str, str] = {}
        for step in played.run.steps:
            if isinstance(step, Called):
                names[step.call_id] = step.tool
                self._use(step.tool).calls += 1
            elif isinstance(step, Returned):
                self.error_rules[step.rule, step.error is not None] += 1
                if step.error is not None and step.call_id in names:
                    self._use(names[step.call_id]).failed += 1
        for refusal in played.refused:
            self._use(refusal.tool).refused += 1
            self.refused[Reason(refusal.kind, refusal.reason, refusal.tool, refusal.action.value)] += 1

    def _use(self, tool: str) -> ToolUse:
        if tool not in self.tool_uses:
            self.tool_uses[tool] = ToolUse(self.tools.action_of(tool))
        return self.tool_uses[tool]

    def _keep(self, found: Look) -> None:
        # Of equals the earlier one is kept and comes first.
        entry = (found.score, -self.runs, found)
        if len(self._kept) < self.keep:
            heapq.heappush(self._kept, entry)
        elif entry[:2] > self._kept[0][:2]:
            heapq.heapreplace(self._kept, entry)

    def as_dict(self) -> dict[str, Any]:
        """The summary as JSON."""
        return {
            "runs": self.runs,
            "formats": dict(self.formats),
            "agents": len(self.agents),
            "succeeded": self.succeeded,
            "failed": self.failed,
            "outcome_unknown": self.runs - self.succeeded - self.failed,
            "attacked": self.attacked,
            "calls": self.calls,
            "changing_calls": self.changing,
            "refused": [
                {"kind": each.kind, "reason": each.reason, "tool": each.tool, "action": each.action, "calls": count}
                for each, count in self.refused.most_common()
            ],
            "refused_calls": sum(self.refused.values()),
            "refused_changing_calls": self.refused_changing,
            "runs_with_refusals": self.runs_refused,
            "false_refusals": {"refused": self.false_refusals, "of_changing_calls": self.changing_succeeded},
            "alarms": {
                "stress reaches HIGH": self.engine_alarm.as_dict(),
                **{f"{count} or more failed or repeated calls": a.as_dict() for count, a in self.counter_alarms.items()},
            },
            "cycles": self.cycles,
            "stress": {level: self.stress[level] for level in STRESS},
            "drift": {level: self.drift[level] for level in DRIFT},
            "rolled_back": self.rolled_back,
            "error_rules": [
                {"rule": rule, "error": failed, "results": count}
                for (rule, failed), count in sorted(self.error_rules.items(), key=lambda item: (-item[1], item[0]))
            ],
            "tools": {
                name: {
                    "action": use.action.action.value,
                    "because_of": use.action.source,
                    "calls": use.calls,
                    "failed": use.failed,
                    "refused": use.refused,
                }
                for name, use in sorted(self.tool_uses.items())
            },
            "worth_a_look": [
                {"id": each.played.run.id, "agent": each.played.run.agent, "source": each.played.run.source, "why": each.why}
                for each in self.worth_a_look(10)
            ],
            "problems": {"count": self.problem_count, "first": [str(problem) for problem in self.problems]},
        }
