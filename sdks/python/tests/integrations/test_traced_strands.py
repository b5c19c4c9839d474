"""Strands Agents, which writes spans of its own: what they tell the guard is what its adapter tells it."""

import traced
from identity_os_sdk.integrations.strands import IdentityOSHooks
from opentelemetry import trace
from strands import Agent
from test_strands import ScriptedModel, scripted_tools

trace.set_tracer_provider(traced.PROVIDER)


def run(script, *plugins):
    model = ScriptedModel([(call.tool, call.args) for call in script.calls])
    Agent(name="support-bot", model=model, tools=scripted_tools(script), plugins=list(plugins), callback_handler=None)("go")


test_observed, test_agents, test_guarded_calls_are_reported_once = traced.tests(
    lambda: None,
    {"strands.telemetry.tracer"},
    lambda script, _: run(script),
    lambda script, guard: run(script, IdentityOSHooks(guard)),
)
