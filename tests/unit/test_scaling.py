"""The simulated partition: the same run each time, no unit too many, and the figures of docs/scaling.md."""

import pytest

from benchmarks.scaling.clock import Clock
from benchmarks.scaling.loads import instance, usage_item
from benchmarks.scaling.partition import WRITES, Bucket
from identity_service.store import dynamodb, retry
from local import template

PAGE = (template.ROOT / "docs" / "scaling.md").read_text()


def test_those_who_sleep_wake_in_order_and_time_passes_for_nobody_else():
    clock, seen = Clock(), []

    def sleeper(name, seconds):
        clock.sleep(seconds)
        seen.append((name, clock.now))

    for name, seconds in (("a", 0.3), ("b", 0.1), ("c", 0.1)):
        clock.at(1.0, lambda name=name, seconds=seconds: sleeper(name, seconds))
    clock.run()
    assert [name for name, _ in seen] == ["b", "c", "a"]
    assert [moment for _, moment in seen] == pytest.approx([1.1, 1.1, 1.3])


def test_what_fails_in_simulated_time_fails_the_run():
    clock = Clock()
    clock.at(0, lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        clock.run()


def test_a_bucket_gives_what_comes_back_in_a_second_and_keeps_no_more():
    clock = Clock()
    bucket = Bucket(clock, 8)
    clock.now = 5.0
    assert [bucket.take(1) for _ in range(9)] == [True] * 8 + [False]
    clock.now = 5.125
    assert bucket.take(1)
    assert not bucket.take(1)


def test_a_hot_account_gets_what_its_partition_writes_and_each_request_a_bounded_number_of_calls():
    hot = usage_item(1.5)
    assert hot.units <= WRITES * hot.seconds
    assert hot.calls <= hot.offered * dynamodb._ATTEMPTS
    assert hot == usage_item(1.5), "the same seed, the same run"
    calls, refused = hot.calls / hot.offered, hot.unavailable / hot.offered
    p50, p99 = (round(hot.percentile(share) * 1000) for share in (50, 99))
    row = f"| {hot.offered:,} | {hot.admitted:,} | {refused:.0%} | {calls:.1f} | {p50}, {p99} ms |"
    assert row.replace("%", " %") in PAGE


def test_writers_of_one_head_lose_races_and_commit_all_the_same():
    busy = instance(25)
    assert busy.admitted == busy.offered, "no report is lost while six attempts are enough"
    assert busy.calls > 2 * busy.offered, "and some needed more than a read and a commit"
    p50, p99 = (round(busy.percentile(share) * 1000) for share in (50, 99))
    offered, committed = (round(number / busy.seconds) for number in (busy.offered, busy.admitted))
    calls = busy.calls / busy.offered
    assert f"| {offered} | {committed} | 0 % | 0 % | {calls:.1f} | {p50}, {p99} ms |" in PAGE


def test_the_retries_are_those_of_the_store(monkeypatch):
    """Without its pauses the same load is refused more: so it is the store's code that ran."""
    with_pauses = usage_item(1.5)
    monkeypatch.setattr(retry, "_LONGEST", 0.0)
    assert usage_item(1.5).unavailable != with_pauses.unavailable
