"""The tests of a framework that somebody else instruments: an agent without an adapter, observed by its spans alone."""

import pytest
import story
from identity_os_sdk.integrations.otel import IdentityOSSpanProcessor
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

FAILING = next(each for each in story.STORIES if each["name"] == "a tool fails until it is denied")


class Switched(SpanProcessor):
    """Instrumentations keep the first provider that they are given: each test has a processor of its own behind this one."""

    def __init__(self):
        self.now, self.libraries = None, set()

    def on_start(self, span, parent_context=None):
        if self.now is not None:
            self.now.on_start(span, parent_context)

    def on_end(self, span):
        if self.now is not None:
            self.libraries.add(span.instrumentation_scope.name)
            self.now.on_end(span)


SWITCHED, PROVIDER = Switched(), TracerProvider()
PROVIDER.add_span_processor(SWITCHED)


def observe(guard, work, **options):
    """Do the work while the guard, or whatever a processor takes, observes. The libraries that wrote spans."""
    processor = IdentityOSSpanProcessor(guard, **options)
    SWITCHED.now, SWITCHED.libraries = processor, set()
    try:
        work()
        assert processor.force_flush()
        assert processor.dropped == 0
        return SWITCHED.libraries
    finally:
        SWITCHED.now = None
        processor.shutdown()


def tests(instrument, libraries, play, play_guarded):
    """Three tests. `instrument()` with PROVIDER is called before each; `libraries` are the ones that write spans then.

    `play(script, guard)` runs an agent called support-bot that nothing guards, `play_guarded` one with the adapter.
    """

    def through(guard, work):
        instrument()
        assert observe(guard, work) == libraries

    test_observed = story.observed(lambda script, guard: through(guard, lambda: play(script, guard)))

    @pytest.mark.parametrize("name", ["support-bot", "another"])
    def test_the_guard_is_that_of_the_agent(name):
        guard, script = story.new_guard(FAILING), story.Script(FAILING)
        through({name: guard}, lambda: play(script, guard))
        assert guard.engine.reports == (FAILING["observed"]["reports"] if name == "support-bot" else [])

    def test_guarded_calls_are_reported_once():
        guard, script = story.new_guard(FAILING), story.Script(FAILING)
        through(guard, lambda: play_guarded(script, guard))
        assert script.ran == FAILING["expected"]["ran"]
        assert guard.engine.reports == FAILING["expected"]["reports"]

    return test_observed, test_the_guard_is_that_of_the_agent, test_guarded_calls_are_reported_once
