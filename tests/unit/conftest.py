"""Fixtures of the tests of the command line on a stack."""

from tests.unit.stack import killed_at, usage_plans  # noqa: F401 - fixtures
