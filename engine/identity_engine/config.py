"""Every figure of the engine, once, with its unit, its range and where it comes from.

P: from the system's public documents and papers; kept as it is. C: calibrated here against the reference behaviours of
docs/engine.md; may move as long as all of them hold. A change of any figure is a new `ENGINE_VERSION`.
"""

from dataclasses import dataclass
from typing import Final

#: Part of every state and of every audit record. Raised whenever the same history could give other bytes.
ENGINE_VERSION: Final = "1.1.0"


# Compared and hashed by identity: caches ask for the hash every cycle, and all fields together take a tenth of one.
@dataclass(frozen=True, slots=True, eq=False)
class Config:
    """The engine's figures. Strengths, energy, stability and distances have no unit; durations are in cycles."""

    # Step 1, mode activation
    alpha: float = 0.10  # C, (0, 1]: share of the way a mode moves to the signal
    beta: float = 4.5  # P, factor on alpha for stress_response
    incident_above_high: float = 0.05  # C, strength above HIGH that an incident leaves at least

    # Step 2, energy (0..1)
    energy_start: float = 0.80  # P
    energy_recovery: float = 0.10  # C, per cycle out of stress
    energy_mode_cost: float = 0.02  # P, per active mode and cycle
    energy_modes_counted: int = 4  # C, modes that cost at the most
    energy_least_gain: float = 0.02  # C, what a cycle out of stress gains at least, whatever modes cost
    energy_stress_cost: float = 0.13  # C, per report of stress at a signal of 0.9, in stress
    energy_cost_signal: float = 0.9  # C, the signal that costs that much; calm_signal and less cost nothing
    energy_loud_gain: float = 0.01  # C, per other turn that is not calm, in stress
    energy_calm_gain: float = 0.03  # C, per calm turn in stress
    energy_floor: float = 0.20  # P, out of stress
    energy_floor_raised: float = 0.30  # C, once energy has been nearly empty
    energy_near_empty: float = 0.10  # C, what "nearly empty" is
    energy_policy_conservative: float = 0.5  # C, factor on costs
    energy_policy_aggressive: float = 1.5  # C, factor on costs
    active_at: float = 0.15  # C, |strength| from which a mode is active
    dominant_at: float = 0.35  # C, strength from which a mode is dominant

    # Step 3, stress and system state
    stress_med: float = 0.30  # C, |stress_response| from which stress is MED
    stress_high: float = 0.55  # C
    stress_over: float = 0.87  # C
    stress_tolerance_shift: float = 0.05  # C, fragile lowers HIGH and OVER by it, resilient raises them
    stress_spikes_shift: float = 0.03  # C, what two or more past spikes lower HIGH and OVER by
    stress_spikes_from: int = 2  # P
    bleed_low: float = 0.02  # P, per cycle at LOW and MED
    bleed_high: float = 0.01  # P, per cycle at HIGH, and at OVER on a calm turn
    calm_signal: float = 0.5  # P, signal strength up to which a turn is calm
    calm_to_leave: int = 3  # C, cycles in a row below HIGH that end the system state stress
    growth_after: int = 20  # C, calm, rested and stable cycles in a row before growth
    growth_stress: float = 0.15  # C, |stress_response| under which a cycle is calm enough for growth
    growth_energy: float = 0.80  # C
    growth_stability: float = 0.80  # C

    # Step 3, volatility and chronic stress
    volatility_window: int = 40  # C, ranks that count
    volatility_ranks: int = 6  # C, ranks above 0; the range of `alternatives` is 1 to this
    volatility_rate: float = 0.05  # C, least rate of the mean error
    volatility_error: float = 0.25  # C, mean error from which strengths count as not foretold
    volatility_learning: int = 20  # C, reports of a mode with a strength from birth before its reports are expected
    volatile_from: float = 0.48  # C, volatility that makes an agent volatile
    volatile_until: float = 0.40  # C, volatility under which it is no longer
    chronic_window: int = 40  # C, reports
    chronic_from: int = 24  # C, reports of stress among them
    chronic_signal: float = 0.15  # C, signal from which a report of stress counts

    # Step 4, arbitration: weights in mode order
    weights: tuple[float, ...] = (2.5, 3.0, 2.0, 1.0, 1.0, 3.0, 0.0)  # P
    weight_core: float = 1.5  # P
    weight_suppressed: float = -1.0  # P
    weight_shift: tuple[float, ...] = (
        0.0,
        0.25,
        0.75,
        1.5,
    )  # C, by stress: to perception, order, identity, off the rest

    # Step 6, drift
    warm_cap: float = 0.5  # C, least divisor of the bias correction
    anchor_reports: int = 20  # P, report (confidence above 0) that sets the anchor
    anchor_rate: float = 0.02  # C, share of the way the anchor follows at D0
    youth_reports: int = 100  # C, reports from which youth may end
    youth_again: int = 60  # C, the same after a rebaseline
    drift_d1: float = 0.08  # P, distance from which drift is D1
    drift_d2: float = 0.24  # P
    drift_d3: float = 0.40  # P, and sudden
    drift_rise: float = 0.24  # C, rise that makes a shift sudden
    drift_window: int = 20  # C, cycles in which it must rise
    drift_tolerance_strict: float = 0.8  # C, factor on the three distances
    drift_tolerance_permissive: float = 1.25  # C
    core_break: float = 0.24  # C, fall of a core mode under its anchor that breaks it
    rollback_memory: int = 60  # C, cycles after which a rollback no longer counts as repeated
    rollbacks_pause: int = 2  # C, repeated rollbacks that ask for a pause
    rollbacks_most: int = 3  # C, those that call a human; after them nothing is rolled back
    rollback_guard: int = 20  # C, cycles after a rollback without risky actions

    # Step 7, stability: an average that forgets at `stability_rate` a cycle
    stability_rate: float = 0.05  # C
    stability_churn: float = 0.2  # C, weight of a change of leading mode
    stability_drift: tuple[float, ...] = (0.0, 0.15, 0.3, 0.4)  # C, by drift level
    stability_stress: tuple[float, ...] = (0.0, 0.15, 0.3, 0.4)  # C, by stress state

    # Step 8, memory
    memory_feedback: bool = True  # whether the past acts on the present; off for comparison alone
    recent: int = 20  # C, cycles that count as recent
    trend_fast: float = 0.3  # C, rate of the fast average of energy
    trend_slow: float = 0.05  # C
    pattern_depleted: float = 0.25  # C, fast average of energy under which the agent is depleted
    pattern_sustained: int = 10  # C, cycles at HIGH or OVER
    pattern_drifting: int = 10  # C, drifting cycles among the recent ones
    exploring_switches: int = 10  # C, changes of leader among the recent cycles
    pattern_locked: int = 50  # C, cycles with one leader
    growth_fast: float = 0.10  # C
    growth_slow: float = 0.02  # C
    resilience_start: float = 0.5  # P
    resilience_keep: float = 0.7  # P, share that an episode leaves as it was
    resilience_half: int = 50  # P, cycles of an episode that halve what it adds
    resilience_root: float = 0.9862327044933592  # P, 0.5 to the power of 1/50
    resilience_low: float = 0.45  # P, under which the agent is guarded
    trait_window: int = 50  # P, cycles
    coherence_descriptive: float = 0.6  # P, the rest is normative
    coherence_core: float = 0.5  # C, control of core modes that is enough
    coherence_low: float = 0.40  # C, what counts as incoherent
    coherence_pause: int = 20  # C, incoherent cycles in a row that ask for a pause
    rested_energy: float = 0.50  # C, under which recovering goes on
    exploring_drift: int = 5  # C, drifting cycles among the recent ones

    # Step 9, timing, trust, goals and locks
    verify_below: float = 0.60  # C, coherence that asks for verification
    trust_at: tuple[float, ...] = (0.8, 0.6, 0.35, 0.1)  # C, by stress state, of a coherent agent of middling resilience
    trust_coherence: float = 0.5  # C, share of it that coherence carries
    trust_resilience: float = 0.4  # C, what resilience moves it by, per unit off 0.5
    trust_delegation: float = 0.5  # C, from which work may be handed over
    trust_autonomous: float = 0.7  # C
    trust_paired: float = 0.4  # C
    goal_cost: tuple[float, ...] = (0.05, 0.15, 0.30, 0.45)  # C, energy by complexity
    preferred_at: float = 0.25  # C, alignment from which an action is preferred
    suppression_cost: float = 0.5  # C, alignment that suppressed contributors cost
    energy_gone: float = 0.05  # C, energy at or under which it is gone
    energy_back: float = 0.20  # C, energy at which it is back
    pause_volatile: int = 20  # C, volatile cycles in a row that ask for a pause
    pause_chronic: int = 60  # C, chronic cycles in a row that ask for a pause
    escalate_over: int = 10  # P, cycles at OVER before a human is called
    escalate_empty: int = 10  # C, cycles without energy before a human is called
    escalate_deviation: float = 0.60  # C, distance that calls a human at once
    voice_high: float = 0.5  # C, control of outward modes from which expressiveness is high
    voice_medium: float = 0.2  # C, and medium
    identity_lock_at: float = 0.80  # C, strength of identity that locks goals and pivots
    lock_options: int = 3  # C, options to weigh at a time at OVER
    lock_novelty: float = 0.1  # C, share of new approaches at OVER
    lock_noise: float = 0.8  # C, least noise filter at OVER
    lock_strictness: float = 0.9  # C, least strictness of execution at OVER
    lock_goals: float = 0.8  # C, least resistance to new goals while identity is very high
    lock_pivot: float = 0.8  # C, least threshold of a pivot while identity is very high
    explain_turns: int = 100  # C, calm turns that an explanation plays at most


CONFIG: Final = Config()
