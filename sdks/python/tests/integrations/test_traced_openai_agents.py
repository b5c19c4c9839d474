"""The OpenAI Agents SDK, instrumented by Traceloop: what the spans tell the guard is what its adapter tells it."""

import asyncio
import functools

import agents
import traced
from agents import Agent, Runner, function_tool
from agents.testing import ScriptedModel, assistant_message, function_call
from identity_os_sdk.integrations.openai_agents import guarded
from opentelemetry.instrumentation.openai_agents import OpenAIAgentsInstrumentor


def support(script):
    def tool(name):
        @function_tool(name_override=name, failure_error_function=lambda _, error: str(error))
        def run(target: str) -> str:
            return script.run(name, {"target": target})

        return run

    turns = [[function_call(call.tool, call.args, call_id=f"call_{turn}")] for turn, call in enumerate(script.calls)]
    model = ScriptedModel([*turns, [assistant_message("done")]])
    return Agent(name="support-bot", tools=[tool(name) for name in script.tools], model=model)


def run(agent):
    asyncio.run(Runner.run(agent, "Please.", max_turns=100))


@functools.cache
def instrument():
    agents.set_trace_processors([])  # OpenAI's own exporter
    OpenAIAgentsInstrumentor().instrument(tracer_provider=traced.PROVIDER)


test_observed, test_agents, test_guarded_calls_are_reported_once = traced.tests(
    instrument,
    {"opentelemetry.instrumentation.openai_agents"},
    lambda script, _: run(support(script)),
    lambda script, guard: run(guarded(support(script), guard)),
)
