"""Step 7, stability: an average in 0..1 of how settled the last cycles were, 1 at birth.

    unrest = 0.2 if the leading mode changed + drift (0 to 0.4 by level) + stress (0 to 0.4 by state)
    s'     = s + 0.05 * ((1 - unrest) - s)

A calm cycle pulls it back up, so it recovers by half in about 14 cycles. Source: docs/engine.md, "Step 7: stability"; figures
C.

>>> round(next_stability(1.0, churned=False, drift_level=None, stress=3), 6)
0.98
"""

from identity_engine.config import CONFIG, Config


def next_stability(stability: float, *, churned: bool, drift_level: int | None, stress: int, config: Config = CONFIG) -> float:
    """Stability in 0..1 after the cycle; `drift_level` None counts as none."""
    unrest = config.stability_stress[stress] + config.stability_drift[drift_level or 0]
    if churned:
        unrest += config.stability_churn
    return stability + config.stability_rate * (1 - unrest - stability)
