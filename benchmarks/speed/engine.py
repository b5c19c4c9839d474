"""The engine against json.dumps of its own answer: the pure-Python work that no service can avoid."""

import json
from random import Random

from benchmarks.speed.ratio import compare
from benchmarks.speed.table import Row
from identity_engine import Observation, State, birth, contract, contract_view, drift_view, process, process_all, snapshot_view


def aged(cycles: int = 500) -> State:
    """A state past its youth, by observations of all modes."""
    random, state = Random(7), birth()
    for _ in range(cycles):
        state, _ = process(state, Observation(random.randrange(7), random.random(), random.random()))
    return state


def rows() -> list[Row]:
    """A cycle with its contract, and a cycle within a batch of a hundred."""
    state, random = aged(), Random(8)
    batch = [Observation(random.randrange(7), random.random(), random.random()) for _ in range(100)]
    after, drifted = process(state, batch[0])
    answer = {"snapshot": snapshot_view(after), "contract": contract_view(contract(after)), "drift": drift_view(drifted)}

    def dumps() -> str:
        return json.dumps(answer)

    def one() -> object:
        return contract(process(state, batch[0])[0])

    single, micro, base = compare(one, dumps)
    hundred, micro_batch, base_batch = compare(lambda: process_all(state, batch), lambda: [dumps() for _ in batch], inner=2)
    return [
        Row(
            "engine: process + contract / json.dumps (specified: 2.6)",
            single,
            2.6,
            "x",
            f"{micro:.0f} us / {base:.0f} us",
        ),
        Row(
            "engine: a cycle of a batch of 100 / the same",
            hundred,
            1.3,
            "x",
            f"{micro_batch / 100:.0f} us / {base_batch / 100:.0f} us",
        ),
    ]
