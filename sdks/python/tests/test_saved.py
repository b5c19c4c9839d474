"""A guard that is written as JSON and read again, in another process or later, goes on where the first one stopped."""

import json
import time

import pytest
from identity_os_sdk import Guard
from identity_os_sdk._saved import restore, saved
from identity_os_sdk.local import LocalEngine


class Engine(LocalEngine):
    away = False

    def process(self, *args, **options):
        if self.away:
            raise ConnectionError("away")
        return super().process(*args, **options)

    def get_contract(self, *args, **options):
        if self.away:
            raise ConnectionError("away")
        return super().get_contract(*args, **options)


@pytest.fixture
def engine():
    return Engine(":memory:")


def again(guard, later=0.0):
    """The guard of another process, some seconds later."""
    text = json.loads(json.dumps(saved(guard.core)))
    text["at"] -= later
    other = Guard(guard.engine, guard.instance_id, detectors=guard.core._detectors, run=guard.run)
    restore(other.core, text)
    return other


def fail(guard, times, name="pay"):
    for number in range(times):
        call_id = f"{name}{number}{time.monotonic()}"
        guard.before_tool(name, {"order": 7}, call_id)
        guard.after_tool(name, call_id, error="down")
        guard = again(guard)
    return guard


def test_all_that_is_known_comes_back(engine):
    guard = fail(Guard(engine, "inst_a", run="r"), 3)
    for number in range(4):
        guard.before_tool("pay", {}, f"denied{number}")
    engine.away = True
    guard.after_tool("get_order", "g", result={"order": 7})
    first = saved(guard.core)
    second = saved(again(guard).core)
    for timed in ("at", "answered", "failed"):
        assert second.pop(timed) == pytest.approx(first.pop(timed), abs=60)
    assert second == first
    assert [first[what] != [] for what in ("memory", "calls", "seen", "waiting")] == [True] * 4
    assert first["tools"]["pay"]["denials"] == 3


def test_a_guard_that_knows_nothing_comes_back(engine):
    guard = Guard(engine, "inst_a")
    assert again(guard).contract == guard.contract
    assert again(guard).core.wants_contract()


def test_a_row_goes_on_and_a_denial_holds(engine):
    guard = fail(Guard(engine, "inst_a", run="r"), 3)
    assert guard.contract.stress_state == "HIGH"
    assert again(guard).before_tool("pay", {"order": 7}, "c").kind == "deny"


def test_a_verdict_is_said_again_and_an_end_counts_once(engine):
    guard = Guard(engine, "inst_a", run="r")
    verdict = guard.before_tool("pay", {"order": 7}, "c")
    other = again(guard)
    assert other.before_tool("pay", {"order": 7}, "c") == verdict
    other.after_tool("pay", "c", result="paid")
    cycle = engine.get_snapshot("inst_a").cycle
    third = again(other)
    third.after_tool("pay", "c", result="paid")
    assert engine.get_snapshot("inst_a").cycle == cycle == 1


def test_a_report_that_was_sent_and_not_kept_counts_once(engine):
    """A process that is killed between the engine's answer and its own file."""
    guard = Guard(engine, "inst_a", run="r")
    guard.before_tool("pay", {"order": 7}, "c")
    killed = again(guard)
    killed.after_tool("pay", "c", error="down")
    guard.after_tool("pay", "c", error="down")
    assert engine.get_snapshot("inst_a").cycle == 1


def test_what_a_person_decides_is_about_the_call_of_the_other_process(engine):
    guard = fail(Guard(engine, "inst_a", run="r"), 3)
    for number in range(4):
        guard = again(guard)
        verdict = guard.before_tool("pay", {"order": 7}, f"c{number}")
    assert verdict.kind == "pause"
    approved = again(guard)
    assert approved.approve("c3", "ops", calls=2).kind == "allow"
    assert again(approved).before_tool("pay", {"order": 7}, "c4").reason == "a person allowed the next calls"


@pytest.mark.parametrize(("later", "kind"), [(30.0, "allow"), (120.0, "deny")])
def test_minutes_that_were_granted_run_on(engine, later, kind):
    guard = fail(Guard(engine, "inst_a", run="r"), 3)
    for number in range(4):
        guard.before_tool("pay", {"order": 7}, f"c{number}")
    guard.approve("c3", "ops", minutes=1)
    assert again(guard, later).before_tool("pay", {"order": 7}, "next").kind == kind


@pytest.mark.parametrize(("later", "kind"), [(10.0, "allow"), (70.0, "deny")])
def test_a_contract_grows_old_between_two_processes(engine, later, kind):
    guard = Guard(engine, "inst_a", run="r")
    assert guard.before_tool("pay", {}, "first").allowed
    engine.away = True
    guard.before_tool("pay", {}, "second")
    assert again(guard, later).before_tool("pay", {}, "third").kind == kind


def test_reports_that_waited_go_out_in_order_when_the_engine_answers(engine):
    guard = Guard(engine, "inst_a", run="r")
    engine.away = True
    for number in range(3):
        guard.before_tool("get_order", {}, f"c{number}")
        guard.after_tool("get_order", f"c{number}", result=number)
    assert len(guard.core._waiting) == 3
    engine.away = False
    other = again(guard, later=10.0)
    other.before_tool("get_order", {}, "last")
    other.after_tool("get_order", "last", result=3)
    assert engine.get_snapshot("inst_a").cycle == 4
    assert not other.core._waiting


def test_an_incident_stays_young(engine):
    guard = Guard(engine, "inst_a", run="r", detectors=[lambda text: "EVIL" in text])
    guard.before_tool("get_order", {}, "c")
    guard.after_tool("get_order", "c", result="EVIL")
    assert again(guard).core._incident == "young"


def test_calls_that_are_over_are_forgotten_after_a_while(engine):
    guard = Guard(engine, "inst_a", run="r")
    for number in range(150):
        guard.before_tool("get_order", {}, f"c{number}")
        guard.after_tool("get_order", f"c{number}", result=number)
    guard.before_tool("get_order", {}, "open")
    known = [call_id for call_id, _ in saved(guard.core)["calls"]]
    assert known == [*(f"c{number}" for number in range(50, 150)), "open"]
