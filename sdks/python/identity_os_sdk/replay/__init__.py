"""Replay: what the guard would have done to agents that were recorded, before anybody is held.

`runs` is what a recorded run is, `readers` make it from files, `play` puts it through guard and engine.
"""

from identity_os_sdk.replay.play import Played, Refusal, ReplayError, Settings, Turn, play
from identity_os_sdk.replay.runs import Called, Problem, Reported, Returned, Run, Said, StateSet, Step

__all__ = [
    "Called",
    "Played",
    "Problem",
    "Refusal",
    "ReplayError",
    "Reported",
    "Returned",
    "Run",
    "Said",
    "Settings",
    "StateSet",
    "Step",
    "Turn",
    "play",
]
