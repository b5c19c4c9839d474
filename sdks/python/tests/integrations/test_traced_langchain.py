"""LangChain, instrumented by OpenInference: what the spans tell the guard is what its adapter tells it."""

import traced
from identity_os_sdk.integrations.langchain import IdentityOSMiddleware
from langchain.agents import create_agent
from langchain_fakes import player
from openinference.instrumentation.langchain import LangChainInstrumentor


def agent(middleware):
    return lambda model, tools, guard: create_agent(model, tools, middleware=middleware(guard), name="support-bot")


def play(script, guard, build=None):
    return player(agent(lambda guard: []))(script, guard)


def play_guarded(script, guard):
    return player(agent(lambda guard: [IdentityOSMiddleware(guard)]))(script, guard)


test_observed, test_agents, test_guarded_calls_are_reported_once = traced.tests(
    lambda provider: LangChainInstrumentor().instrument(tracer_provider=provider), play, play_guarded
)
