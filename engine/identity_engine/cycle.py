"""One cycle: the steps of spec/engine.md in their order.

    process(state, observation) -> (state', drift)

Pure and deterministic. Step 5 (composites) and step 9 (the contract) read a state and keep nothing, so they stand in modules
of their own and run only when an answer is built.
"""

from collections.abc import Iterable

from identity_engine import activation, arbitration, drift, energy, stability, stress
from identity_engine.config import CONFIG, Config
from identity_engine.memory import CycleRecord, feedback, remember
from identity_engine.state import RestPoint, State
from identity_engine.values import Drift, Observation
from identity_engine.vocabulary import D0, D3, LOW, OVER, STRESS_RESPONSE


def process(state: State, observation: Observation, config: Config = CONFIG) -> tuple[State, Drift]:
    """The state after one observation, and where the agent stands against its anchor.

    Total on valid values: an `Observation` within its ranges never raises, whatever the state.
    """
    profile = state.profile
    cycle = state.cycle + 1

    # 1 mode activation
    strengths, coldness = activation.activate(state.strengths, state.coldness, observation, config)

    past = feedback(state.memory, config)

    # 2 energy, by the system state before this cycle
    left = energy.next_energy(state.energy, strengths, state.system, profile, near_empty_past=past.near_empty, config=config)

    # 3 stress and system state
    limits = stress.thresholds(profile, past.spikes, config)
    bled = stress.bleed(strengths[STRESS_RESPONSE], observation, limits, config)
    strengths = (*strengths[:STRESS_RESPONSE], bled)
    level = stress.stress_level(bled, limits)
    system, calm, rested = stress.next_system(state, level, left, config)

    # 4 arbitration
    control = arbitration.control_vector(strengths, level, profile, config)
    leader = arbitration.leading(control)

    # 6 drift
    warm = drift.warm_strengths(strengths, coldness, config)
    anchor, stable, distances = state.anchor, state.stable, state.distances
    moved = Drift()
    strikes, last_strike = state.strikes, state.last_strike
    if strikes and cycle - last_strike > config.strike_memory:
        strikes = 0
    if anchor is not None:
        moved = drift.measure(warm, anchor, distances, profile, config)
        settled = moved.magnitude
        if moved.level == D3:
            strengths, coldness, left, anchor = stable.strengths, stable.coldness, stable.energy, stable.anchor
            level = stress.stress_level(strengths[STRESS_RESPONSE], limits)
            warm = drift.warm_strengths(strengths, coldness, config)
            anchor = warm if anchor is None else anchor
            settled = drift.distance(tuple([x - a for x, a in zip(warm, anchor, strict=True)]))
            strikes, last_strike = strikes + 1, cycle
        elif moved.level == D0:
            anchor = drift.follow(anchor, warm, config)
            if level == LOW:
                stable = RestPoint(strengths, coldness, left, anchor)
        distances = (*distances, settled)[-config.drift_window :]
    elif cycle >= config.anchor_cycle:
        anchor = warm

    # 7 stability
    churned = leader != state.leader and state.leader is not None
    settledness = stability.next_stability(
        state.stability, churned=churned, drift_level=moved.level, stress=level, config=config
    )

    # 8 memory
    record = CycleRecord(cycle, profile, strengths, control, leader, left, level, system, moved.level, moved.magnitude)
    memory = remember(state.memory, record, config)

    after = State(
        profile=profile,
        birth_strengths=state.birth_strengths,
        birth_energy=state.birth_energy,
        strengths=strengths,
        coldness=coldness,
        energy=left,
        stable=stable,
        memory=memory,
        cycle=cycle,
        stress=level,
        system=system,
        calm_streak=calm,
        rested_streak=rested,
        over_streak=state.over_streak + 1 if level == OVER else 0,
        empty_streak=state.empty_streak + 1 if left <= config.energy_gone else 0,
        anchor=anchor,
        distances=distances,
        drift=moved,
        strikes=strikes,
        last_strike=last_strike,
        leader=leader,
        stability=settledness,
    )
    return after, moved


def process_all(state: State, observations: Iterable[Observation], config: Config = CONFIG) -> list[tuple[State, Drift]]:
    """One by one, in order: a batch is nothing else."""
    results = []
    for observation in observations:
        state, moved = process(state, observation, config)
        results.append((state, moved))
    return results
