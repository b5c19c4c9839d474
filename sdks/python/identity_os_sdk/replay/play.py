"""Puts recorded runs through observer, guard and engine, offline.

The guard is the one that guards a live agent, enforcing over a LocalEngine in memory. A call that it refuses is not made, so
what was recorded of its end is not reported. The agent's later steps are those of an agent that was never held; a held one
might have done otherwise.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Literal

from identity_os_sdk import models as m
from identity_os_sdk.errors import IdentityOSError
from identity_os_sdk.guard import Guard, TaskPolicy
from identity_os_sdk.local import LocalEngine
from identity_os_sdk.models import Action, ActionName
from identity_os_sdk.replay.runs import Called, Reported, Returned, Run, StateSet, Step
from identity_os_sdk.tools import ToolPolicy


class ReplayError(IdentityOSError):
    """A run could not be played."""


#: What changes something. To explore is held at the same stress, but what it held can be made up for.
CHANGING = frozenset({Action.EXECUTE, Action.CHALLENGE, Action.PIVOT})


@dataclass(frozen=True)
class Settings:
    """How runs are played.

    `tools`, `default`, `detectors`: as of the Guard. `tasks`: fresh, an agent for each run; carry, one agent for all runs of
    the same name, put to rest after each; none, one agent that is never put to rest. `messages`: whether messages of people and
    agents are reported, which adapters do only when they are asked to. `rules`: as of the Guard.
    """

    tools: Mapping[str, Action | ActionName | ToolPolicy] = field(default_factory=dict)
    default: Action | ActionName = Action.EXECUTE
    detectors: tuple[Callable[[str], Any], ...] = ()
    tasks: TaskPolicy = "fresh"
    messages: bool = False
    persona: str | None = None
    rules: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Turn:
    """One cycle: what was reported, and the contract after it. `stress` is 0..1, `energy` 0..1, `allowed`: actions, of 12."""

    cycle: int
    rule: str
    tool: str
    mode: str
    strength: float
    incident: bool
    stress: float
    stress_state: str
    energy: float
    drift_level: str | None
    drift: float
    rolled_back: bool
    allowed: int
    paused: bool
    escalated: bool


@dataclass(frozen=True, slots=True)
class Refusal:
    """A call that would have been held. `turn`: how many turns of the run came before it."""

    turn: int
    call_id: str
    tool: str
    action: Action
    kind: Literal["deny", "pause"]
    reason: str

    @property
    def changing(self) -> bool:
        """Whether the call changes something, rather than reads, searches or speaks."""
        return self.action in CHANGING


@dataclass(frozen=True, slots=True)
class Played:
    """A run, and what guard and engine made of it. `calls` and `changing` count the calls, and those that change something."""

    run: Run
    turns: tuple[Turn, ...]
    refused: tuple[Refusal, ...]
    calls: int
    changing: int

    @property
    def alarm(self) -> bool:
        """Whether stress reached HIGH in the run."""
        return any(turn.stress_state in ("HIGH", "OVER") for turn in self.turns)

    @property
    def signs(self) -> int:
        """What a plain counter sees in the run: calls that failed, and calls that repeat one with the same arguments."""
        seen: set[tuple[str, str]] = set()
        count = 0
        for step in self.run.steps:
            if isinstance(step, Called):
                call = (step.tool, repr(step.arguments))
                count += call in seen
                seen.add(call)
            elif isinstance(step, Returned):
                count += step.error is not None
        return count


def play(runs: Iterable[Run], settings: Settings = Settings()) -> Iterator[Played]:
    """Each run, played in order. Runs of one agent share a guard, so give them in the order in which they happened."""
    with closing(_Recorder()) as engine:
        guards: dict[str, _Watched] = {}
        for run in runs:
            if run.agent not in guards:
                guards[run.agent] = _Watched(engine, run.agent, settings)
            yield guards[run.agent].play(run)


class _Recorder(LocalEngine):
    """A LocalEngine in memory that keeps the turns since it was last asked."""

    def __init__(self) -> None:
        super().__init__(":memory:")
        self.turns: list[Turn] = []

    def process(self, instance_id: str, *args: Any, **arguments: Any) -> m.Processed:
        """As LocalEngine.process."""
        done = super().process(instance_id, *args, **arguments)
        context, contract = arguments["context"], done.contract
        self.turns.append(
            Turn(
                done.snapshot.cycle,
                context["rule"],
                context.get("tool", ""),
                arguments["mode_target"].value,
                arguments["signal_strength"],
                arguments.get("severity") == "incident",
                abs(done.snapshot.mode_strengths["STRESS_RESPONSE"]),
                contract.stress_state,
                contract.energy_level,
                done.drift.level,
                done.drift.magnitude,
                done.drift.rolled_back,
                len(contract.allowed_actions),
                contract.should_pause,
                contract.should_escalate,
            )
        )
        return done

    def set_state(self, instance_id: str, text: str) -> None:
        """Put the agent into a state, in the engine's text of it."""
        with self._transaction():
            self._store(instance_id, self._known(instance_id, text).state)


class _Watched:
    """The guard of one agent, and what it said since it was last asked."""

    def __init__(self, engine: _Recorder, agent: str, settings: Settings) -> None:
        self._engine, self._settings = engine, settings
        self._guard = Guard.open(
            engine,
            agent,
            persona=settings.persona,
            tools=settings.tools,
            default=settings.default,
            detectors=settings.detectors,
            mode="enforce",
            rules=settings.rules,
        )
        self._refused: list[Refusal] = []
        failures: list[str] = []
        self._guard.on("denied", lambda about: self._note("deny", about))
        self._guard.on("paused", lambda about: self._note("pause", about))
        self._guard.on("unreachable", lambda about: failures.append(about["error"]))
        self._failures = failures
        self._played = 0

    def _note(self, kind: Literal["deny", "pause"], about: Mapping[str, Any]) -> None:
        call_id = about["call_id"].partition(":")[2]
        refusal = Refusal(len(self._engine.turns), call_id, about["tool"], Action(about["action"]), kind, about["reason"])
        self._refused.append(refusal)

    def play(self, run: Run) -> Played:
        """What guard and engine make of a run."""
        self._engine.turns, self._refused = [], []
        self._played += 1
        names: dict[str, str] = {}
        with self._guard.task(f"{self._played} {run.task}", self._settings.tasks):
            for step in run.steps:
                self._step(step, names)
        if self._failures:
            # A guard never raises; a replay that went on without its engine would show nothing and look calm.
            raise ReplayError(f"run {run.id}: the engine failed: {self._failures[0]}")
        actions = [self._guard.tool_action(tool).action for tool in names.values()]
        changing = sum(action in CHANGING for action in actions)
        return Played(run, tuple(self._engine.turns), tuple(self._refused), len(actions), changing)

    def _step(self, step: Step, names: dict[str, str]) -> None:
        guard = self._guard
        # Runs may use the same call ids.
        if isinstance(step, Called):
            names[step.call_id] = step.tool
            guard.before_tool(step.tool, step.arguments, f"{self._played}:{step.call_id}")
        elif isinstance(step, Returned):
            name = names.get(step.call_id)
            if name is not None:
                guard.after_tool(name, f"{self._played}:{step.call_id}", result=step.result, error=step.error)
        elif isinstance(step, Reported):
            self._engine.process(
                guard.instance_id,
                mode_target=m.Mode(step.mode),
                signal_strength=step.strength,
                confidence=step.confidence,
                context={"rule": step.rule, "tool": step.tool},
                severity="incident" if step.incident else "normal",
            )
        elif isinstance(step, StateSet):
            self._engine.set_state(guard.instance_id, step.state)
        elif self._settings.messages:
            if step.by == "person":
                guard.user_said(step.text, heated=step.tone == "heated")
            else:
                guard.agent_said(step.text, refusing=step.tone == "refusing")
