"""The contract as a whole, its dimensions in the order of docs/engine.md, "The contract"."""

from dataclasses import dataclass

from identity_engine.arbitration import control_vector
from identity_engine.config import CONFIG, Config
from identity_engine.contract.action_space import action_space
from identity_engine.contract.narrative import narrative_prompt
from identity_engine.contract.personality import Personality, action_alignment, personality
from identity_engine.contract.style import (
    DecisionStyle,
    HardLocks,
    RecoveryProfile,
    decision_style,
    hard_locks,
    recovery_profile,
)
from identity_engine.contract.timing import Timing, timing
from identity_engine.contract.trust import Trust, trust
from identity_engine.state import State
from identity_engine.vocabulary import ACTIONS, ALWAYS_FORBIDDEN, ASSERTION, EXPLORATION, HIGH

_DAMPENED = frozenset({EXPLORATION, ASSERTION})


@dataclass(frozen=True, slots=True)
class Contract:
    """What the agent may do now. Modes are indexes in mode order; floats carry full precision until the edge."""

    dominant_modes: tuple[int, ...]
    suppressed_modes: tuple[int, ...]
    allowed_actions: tuple[str, ...]
    forbidden_actions: tuple[str, ...]
    stress: int
    system: str
    energy: float
    stability: float
    timing: Timing
    trust: Trust
    personality: Personality
    decision_style: DecisionStyle
    recovery_profile: RecoveryProfile
    hard_locks: HardLocks
    narrative_prompt: str


def contract(state: State, config: Config = CONFIG) -> Contract:
    """The ExecutionContract of a state. The state carries its last drift, so one argument says it all."""
    strengths, profile, level = state.strengths, state.profile, state.stress
    control = control_vector(strengths, level, profile, config)
    when = timing(state, config)
    space = action_space(state, when=when, config=config)
    alignment = action_alignment(control, profile, config)
    allowed = tuple(sorted((a for a in ACTIONS if a in space.allowed), key=lambda action: -alignment[action]))
    removed = tuple(action for action in ACTIONS if action in space.removed)
    style = decision_style(state, control, space, config)
    character = personality(alignment, space.allowed, config)
    return Contract(
        dominant_modes=tuple([m for m, v in enumerate(strengths) if v >= config.dominant_at]),
        suppressed_modes=tuple(
            [m for m, v in enumerate(strengths) if m in profile.suppressed_modes or v < 0 or (level >= HIGH and m in _DAMPENED)]
        ),
        allowed_actions=allowed,
        forbidden_actions=(*ALWAYS_FORBIDDEN, *removed),
        stress=level,
        system=state.system,
        energy=state.energy,
        stability=state.stability,
        timing=when,
        trust=trust(state, when, config),
        personality=character,
        decision_style=style,
        recovery_profile=recovery_profile(state, config),
        hard_locks=hard_locks(state, config),
        narrative_prompt=narrative_prompt(allowed, removed, character.discouraged_actions, style, when, level),
    )
