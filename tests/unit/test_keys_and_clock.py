"""API keys, counting windows and time formats."""

import pytest

from identity_service import clock, keys
from identity_service.store.usage import windows


def test_key_format():
    key = keys.new_key()
    assert key.startswith("idos_sk_")
    assert len(key) == len("idos_sk_") + 32 + 6
    assert keys.well_formed(key)
    assert keys.new_key() != key


def test_any_single_character_typo_is_detected():
    key = keys.new_key()
    for position in range(len("idos_sk_"), len(key)):
        other = "0" if key[position] != "0" else "1"
        assert not keys.well_formed(key[:position] + other + key[position + 1 :])


@pytest.mark.parametrize("text", ["", "idos_sk_", "idos_sk_" + "x" * 38, "sk_" + "0" * 40, "idos_sk_" + "é" * 38])
def test_malformed_keys(text):
    assert not keys.well_formed(text)


def test_windows_are_contiguous():
    at = windows(1_774_347_330.9)
    assert (at.minute_ends, at.month) == (1_774_347_360, "c202603")
    assert clock.iso(at.month_ends) == "2026-04-01T00:00:00Z"
    assert clock.iso(windows(1_798_761_599).month_ends) == "2027-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-24T10:15:30Z", "2026-03-24T10:15:30Z"),
        ("2026-03-24T10:15:30", "2026-03-24T10:15:30Z"),
        ("2026-03-24T10:15:30.25+05:30", "2026-03-24T04:45:30.250000Z"),
        ("20260324T101530Z", "2026-03-24T10:15:30Z"),
    ],
)
def test_times_are_converted_to_utc(text, expected):
    assert clock.parse_iso(text) == expected
