"""LangChain, instrumented by OpenInference, Traceloop and both: what the spans tell the guard is what its adapter tells it."""

import traced
from identity_os_sdk.integrations.langchain import IdentityOSMiddleware
from langchain.agents import create_agent
from langchain_fakes import player
from openinference.instrumentation.langchain import LangChainInstrumentor
from opentelemetry.instrumentation.langchain import LangchainInstrumentor


def agent(middleware):
    return lambda model, tools, guard: create_agent(model, tools, middleware=middleware(guard), name="support-bot")


def instrumented_by(*instrumentors):
    def instrument(provider):
        for each in (LangChainInstrumentor(), LangchainInstrumentor()):
            each.uninstrument()
        for each in instrumentors:
            each.instrument(tracer_provider=provider)

    return traced.tests(instrument, player(agent(lambda _: [])), player(agent(lambda guard: [IdentityOSMiddleware(guard)])))


test_observed, test_agents, test_guarded_calls_are_reported_once = instrumented_by(LangChainInstrumentor())
test_observed_by_traceloop, test_agents_by_traceloop, test_guarded_by_traceloop = instrumented_by(LangchainInstrumentor())
# Two libraries record each call: it counts once.
test_observed_by_both, test_agents_by_both, test_guarded_by_both = instrumented_by(
    LangChainInstrumentor(), LangchainInstrumentor()
)
