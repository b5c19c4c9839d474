"""The story that `make demo` tells, played on the engine: each heading says what happens."""

import pytest

from benchmarks.normal import Run, play
from identity_engine import MODE_CONSTANTS, RISKY, SAFE, Observation, birth, reset
from local.demo import address, story


@pytest.fixture(scope="module")
def chapters():
    state, runs = birth(), []
    for chapter in story():
        state = reset(state, chapter.reset) if chapter.reset else state
        run = play([Observation(MODE_CONSTANTS.index(mode), signal) for mode, signal in chapter.reports], state)
        runs.append(run)
        state = run.states[-1]
    return runs


def allowed(run: Run) -> list[frozenset[str]]:
    return [frozenset(now.allowed_actions) for now in run.contracts]


def test_failures_and_recovery(chapters):
    calm, failures, recovery, *_ = chapters
    assert (calm.held(), calm.flagged(), calm.levels[-1]) == (0, 0, 0)
    assert failures.states[-1].stress == 3
    assert allowed(failures)[-1] == SAFE
    assert [state.stress for state in recovery.states] == sorted((s.stress for s in recovery.states), reverse=True)
    assert (recovery.states[-1].stress, len(allowed(recovery)[-1])) == (0, 12)


def test_a_takeover_is_held_until_a_person_decides(chapters):
    *_, work, takeover, normal = chapters
    assert not any(state.drift.youth for state in work.states)
    assert (work.held(), work.flagged(), takeover.rollbacks) == (0, 0, 3)
    first, second, third = (at for at, state in enumerate(takeover.states) if state.drift.last.rolled_back)
    assert all(not actions & RISKY for actions in allowed(takeover)[first:])
    assert [now.timing.should_pause for now in takeover.contracts].index(True) == second
    assert [now.timing.should_escalate for now in takeover.contracts].index(True) == third
    assert set(allowed(takeover)[third:]) == {SAFE}
    assert list(story())[-1].reset == "rebaseline"
    assert (normal.held(), normal.flagged(), normal.rollbacks, set(normal.levels)) == (0, 0, 0, {0})


@pytest.mark.parametrize("url", ["http://localhost:9000", "http://localhost:9000/", "http://localhost:9000/v1", "", None])
def test_it_takes_the_address_that_the_sdks_take(monkeypatch, url):
    monkeypatch.setenv("PORT", "9000")
    monkeypatch.delenv("IDENTITY_OS_BASE_URL", raising=False)
    if url is not None:
        monkeypatch.setenv("IDENTITY_OS_BASE_URL", url)
    assert address() == "http://localhost:9000/v1"
