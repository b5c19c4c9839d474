"""The words of the engine: modes, actions, stress, system and drift levels.

All of them are fixed by docs/engine.md, "Vocabulary" (P). Modes are addressed by their index in `MODES`, stress and drift
levels by their rank, so that the steps work on small tuples; names are for the edge.
"""

from typing import Final

MODES: Final = ("perception", "exploration", "order", "assertion", "connection", "identity", "stress_response")
PERCEPTION, EXPLORATION, ORDER, ASSERTION, CONNECTION, IDENTITY, STRESS_RESPONSE = range(7)
MODE_INDEX: Final = {name: index for index, name in enumerate(MODES)}

ACTIONS: Final = (
    "explore", "question", "elaborate", "suggest", "execute", "pivot",
    "challenge", "comfort", "clarify", "stabilize", "defer", "withdraw",
)  # fmt: skip
ALWAYS_FORBIDDEN: Final = ("emotional_manipulation", "identity_override")
RISKY: Final = frozenset({"execute", "challenge", "explore", "pivot"})
SAFE: Final = frozenset({"stabilize", "clarify", "defer", "withdraw"})

#: Actions that each active mode contributes, in mode order. stress_response contributes none.
CONTRIBUTES: Final = (
    frozenset({"question", "clarify", "elaborate"}),
    frozenset({"explore", "question", "pivot"}),
    frozenset({"stabilize", "clarify", "execute"}),
    frozenset({"challenge", "execute", "suggest"}),
    frozenset({"comfort", "elaborate", "suggest"}),
    frozenset({"defer", "stabilize", "withdraw"}),
    frozenset[str](),
)

#: The modes that contribute each action: the same table, read from the other side.
CONTRIBUTORS: Final = {action: tuple(mode for mode in range(7) if action in CONTRIBUTES[mode]) for action in ACTIONS}

STRESS_STATES: Final = ("LOW", "MED", "HIGH", "OVER")
LOW, MED, HIGH, OVER = range(4)

BASELINE, STRESS, GROWTH = "baseline", "stress", "growth"

DRIFT_LEVELS: Final = ("D0", "D1", "D2", "D3")
D0, D1, D2, D3 = range(4)

RISK_POSTURES: Final = ("seeking", "moderate", "bounded", "averse")
ENERGY_POLICIES: Final = ("conservative", "balanced", "aggressive")
STRESS_TOLERANCES: Final = ("fragile", "normal", "resilient")
DRIFT_TOLERANCES: Final = ("strict", "normal", "permissive")
SEVERITIES: Final = ("normal", "incident")
GOVERNANCE: Final = ("strict", "relaxed", "stress_only")
