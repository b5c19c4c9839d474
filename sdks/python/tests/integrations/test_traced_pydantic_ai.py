"""Pydantic AI with its own instrumentation (GenAI conventions): what the spans tell the guard is what its adapter tells it."""

import traced
from identity_os_sdk.integrations.pydantic_ai import IdentityOSCapability
from pydantic_ai import Agent, DeferredToolRequests, ModelRetry, Tool
from pydantic_ai.capabilities import Instrumentation
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import FunctionModel
from pydantic_ai.models.instrumented import InstrumentationSettings

INSTRUMENTED = Instrumentation(InstrumentationSettings(tracer_provider=traced.PROVIDER))


def run(script, *capabilities):
    def tool(name):
        def run(target: str) -> str:
            try:
                return script.run(name, {"target": target})
            except script.ToolFailed as error:
                raise ModelRetry(str(error)) from error

        return Tool(run, name=name, max_retries=100)

    def answer(messages, info):
        turn = sum(isinstance(message, ModelResponse) for message in messages)
        if turn == len(script.calls):
            return ModelResponse([TextPart("done")])
        call = script.calls[turn]
        return ModelResponse([ToolCallPart(call.tool, call.args, tool_call_id=f"call_{turn}")])

    Agent(
        FunctionModel(answer),
        name="support-bot",
        tools=[tool(name) for name in script.tools],
        output_type=[str, DeferredToolRequests],
        capabilities=[INSTRUMENTED, *capabilities],
    ).run_sync("Please.")


test_observed, test_agents, test_guarded_calls_are_reported_once = traced.tests(
    lambda: None,
    {"pydantic-ai"},
    lambda script, _: run(script),
    lambda script, guard: run(script, IdentityOSCapability(guard)),
)
