"""LangChain, instrumented by OpenInference, Traceloop and both: what the spans tell the guard is what its adapter tells it."""

import story
import traced
from identity_os_sdk import Guard
from identity_os_sdk.integrations.langchain import IdentityOSMiddleware
from langchain.agents import create_agent
from langchain_fakes import Conversation, Tools, model, player
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import interrupt
from openinference.instrumentation.langchain import LangChainInstrumentor as OpenInference
from opentelemetry.instrumentation.langchain import LangchainInstrumentor as Traceloop

LIBRARIES = {OpenInference: "openinference.instrumentation.langchain", Traceloop: "opentelemetry.instrumentation.langchain"}


def instrument(*instrumentors):
    for each in LIBRARIES:
        if each().is_instrumented_by_opentelemetry:
            each().uninstrument()
    for each in instrumentors:
        each().instrument(tracer_provider=traced.PROVIDER)


def agent(middleware):
    return lambda model, tools, guard: create_agent(model, tools, middleware=middleware(guard), name="support-bot")


def instrumented_by(*instrumentors):
    """The tests of every framework, and one of what LangGraph does alone."""
    libraries = {LIBRARIES[each] for each in instrumentors}

    def test_a_tool_that_asks_a_person_is_reported_once_when_it_has_run():
        guard, tools = Guard(story.RecordingEngine(), "inst_1"), Tools()
        instrument(*instrumentors)
        tools.work = lambda name, target: interrupt("sure?") and "paid"
        talk = Conversation(create_agent(model([("refund", "a")]), tools.make(), checkpointer=InMemorySaver()))
        assert traced.observe(guard, talk.run) == libraries
        assert guard.engine.reports == []
        assert traced.observe(guard, lambda: talk.answer("yes")) == libraries
        assert guard.engine.reports == [["EXPLORATION", 0.5]]

    return *traced.tests(
        lambda: instrument(*instrumentors),
        libraries,
        player(agent(lambda _: [])),
        player(agent(lambda guard: [IdentityOSMiddleware(guard)])),
    ), test_a_tool_that_asks_a_person_is_reported_once_when_it_has_run


# In this order: Traceloop's instrumentation cannot be taken back.
test_observed, test_agents, test_once, test_asks = instrumented_by(OpenInference)
test_observed_by_traceloop, test_agents_by_traceloop, test_once_by_traceloop, test_asks_by_traceloop = instrumented_by(
    Traceloop
)
# Two libraries record each call: it counts once.
test_observed_by_both, test_agents_by_both, test_once_by_both, test_asks_by_both = instrumented_by(OpenInference, Traceloop)
