"""One cycle: the steps of docs/engine.md in their order.

    process(state, observation) -> (state', drift)

Pure and deterministic. Step 5 (composites) and step 9 (the contract) read a state and keep nothing, so they stand in modules of
their own and run only when an answer is built. Step 4 (arbitration) is computed after step 6, since a rollback changes what it
reads, and step 6 does not read it.
"""

from collections.abc import Iterable

from identity_engine import activation, arbitration, chronic, drift, energy, stability, stress, volatility
from identity_engine.config import CONFIG, Config
from identity_engine.memory import CycleRecord, feedback, remember
from identity_engine.state import State
from identity_engine.values import Drift, Observation
from identity_engine.vocabulary import MED, OVER, STRESS, STRESS_RESPONSE


def process(state: State, observation: Observation, config: Config = CONFIG) -> tuple[State, Drift]:
    """The state after one observation, and where the agent stands against its anchor.

    Total on valid values: an `Observation` within its ranges never raises, whatever the state.
    """
    profile, cycle, mode = state.profile, state.cycle + 1, observation.mode
    past = feedback(state.memory, config)
    levels = stress.thresholds(profile, past.spikes, config)
    expected = volatility.expected_signal(state.volatility, mode, state.strengths[mode], state.coldness[mode], config)

    # 1 mode activation
    strengths, coldness = activation.activate(state.strengths, state.coldness, observation, levels, config)

    # 2 energy, by the system state before this cycle
    energy_left = energy.next_energy(
        state.energy, strengths, state.system, observation, profile, near_empty_past=past.near_empty, config=config
    )

    # 3 stress and system state
    stress_strength = stress.bleed(strengths[STRESS_RESPONSE], observation, levels, config)
    if stress_strength != strengths[STRESS_RESPONSE]:
        strengths = (*strengths[:STRESS_RESPONSE], stress_strength)
    unrest = volatility.next_volatility(state.volatility, observation, expected, cycle, config)
    pressure = chronic.next_chronic(state.chronic, observation, config)
    level = stress.stress_level(stress_strength, levels)
    if unrest.streak or pressure.streak:
        level = max(level, MED)
    system, calm_streak, rested_streak = stress.next_system(
        state.system,
        state.calm_streak,
        state.rested_streak,
        strength=stress_strength,
        level=level,
        energy=energy_left,
        stability=state.stability,
        config=config,
    )

    # 6 drift
    drift_state, strengths, coldness = drift.step(
        state.drift,
        strengths,
        coldness,
        counted=observation.confidence > 0,
        cycle=cycle,
        level=level,
        volatile=unrest.streak > 0,
        energy=energy_left,
        profile=profile,
        config=config,
    )
    drifted = drift_state.last

    # 4 arbitration
    control = arbitration.control_vector(strengths, level, profile, config)
    leader = arbitration.leading(control)

    # 7 stability
    churned = leader != state.leader and state.leader is not None
    stability_index = stability.next_stability(
        state.stability, churned=churned, drift_level=drifted.level, stress=level, config=config
    )

    # 8 memory
    record = CycleRecord(
        cycle,
        profile,
        strengths,
        control,
        leader,
        energy_left,
        level,
        system,
        drifted.level,
        drift_state.distance,
        drift_state.youth > 0,
        unrest.streak > 0,
    )
    memory = remember(state.memory, record, config)

    # Flags of energy fall when it is back or when stress ends, so that they do not flap around one figure.
    gone_at = config.energy_back if state.exhausted_streak else config.energy_gone
    exhausted = system == STRESS and (energy_left < gone_at if state.exhausted_streak else energy_left <= gone_at)
    # In the order of the fields, here and above: keywords would cost a tenth of a cycle.
    after = State(
        profile,
        state.birth_strengths,
        state.birth_energy,
        strengths,
        coldness,
        energy_left,
        drift_state,
        memory,
        unrest,
        pressure,
        cycle,
        level,
        system,
        calm_streak,
        rested_streak,
        state.over_streak + 1 if level == OVER else 0,
        state.exhausted_streak + 1 if exhausted else 0,
        leader,
        stability_index,
    )
    return after, drifted


def process_all(state: State, observations: Iterable[Observation], config: Config = CONFIG) -> list[tuple[State, Drift]]:
    """One by one, in order: a batch is nothing else."""
    results = []
    for observation in observations:
        state, drifted = process(state, observation, config)
        results.append((state, drifted))
    return results
