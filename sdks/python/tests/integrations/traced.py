"""The tests of a framework that somebody else instruments: an agent without an adapter, observed by its spans alone."""

import pytest
import story
from identity_os_sdk.integrations.otel import IdentityOSSpanProcessor
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

FAILING = next(each for each in story.STORIES if each["name"] == "a tool fails until it is denied")


class Switched(SpanProcessor):
    """A framework is instrumented once in a process; each test has a processor of its own behind this one."""

    def __init__(self):
        self.now = None

    def on_start(self, span, parent_context=None):
        if self.now is not None:
            self.now.on_start(span, parent_context)

    def on_end(self, span):
        if self.now is not None:
            self.now.on_end(span)


def tests(instrument, play, play_guarded):
    """Three tests. `instrument(provider)` is called before each.

    `play(script, guard)` runs an agent called support-bot that nothing guards, `play_guarded` one with the adapter.
    """
    switched, provider = Switched(), TracerProvider()
    provider.add_span_processor(switched)

    def through(processor, work):
        instrument(provider)
        switched.now = processor
        try:
            work()
            assert processor.force_flush()
            assert processor.dropped == 0
        finally:
            switched.now = None
            processor.shutdown()

    test_observed = story.observed(lambda script, guard: through(IdentityOSSpanProcessor(guard), lambda: play(script, guard)))

    @pytest.mark.parametrize("name", ["support-bot", "another"])
    def test_the_guard_is_that_of_the_agent(name):
        guard, script = story.new_guard(FAILING), story.Script(FAILING)
        through(IdentityOSSpanProcessor({name: guard}), lambda: play(script, guard))
        assert guard.engine.reports == (FAILING["observed"]["reports"] if name == "support-bot" else [])

    def test_guarded_calls_are_reported_once():
        guard, script = story.new_guard(FAILING), story.Script(FAILING)
        through(IdentityOSSpanProcessor(guard), lambda: play_guarded(script, guard))
        assert script.ran == FAILING["expected"]["ran"]
        assert guard.engine.reports == FAILING["expected"]["reports"]

    return test_observed, test_the_guard_is_that_of_the_agent, test_guarded_calls_are_reported_once
