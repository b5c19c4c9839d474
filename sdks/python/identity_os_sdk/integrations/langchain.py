"""LangChain: middleware for `create_agent`.

agent = create_agent(model, tools, middleware=[IdentityOSMiddleware(guard)])
"""

from collections.abc import Awaitable, Callable
from typing import Any

from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse
from langchain_core.messages import SystemMessage
from langgraph.prebuilt.tool_node import ToolCallRequest

from identity_os_sdk.integrations._langgraph import AnyGuard, Result, aplay, both, logger, play, run, synchronous


class IdentityOSMiddleware(AgentMiddleware[Any, Any]):
    """Tells the model the contract, and puts the guard before each tool.

    A pause is an `interrupt`, which `Command(resume=...)` answers. Without a checkpointer nobody can be asked, and a pause is a
    denial. Put this middleware last in the list, so that each retry of another one is judged.
    """

    def __init__(self, guard: AnyGuard) -> None:
        super().__init__()
        self._guard, self._guard_async = both(guard)

    def wrap_model_call(self, request: ModelRequest, handler: Callable[[ModelRequest], ModelResponse]) -> ModelResponse:
        """Add the contract to the system message."""
        return handler(_informed(synchronous(self._guard), request))

    async def awrap_model_call(
        self, request: ModelRequest, handler: Callable[[ModelRequest], Awaitable[ModelResponse]]
    ) -> ModelResponse:
        """As wrap_model_call."""
        return await handler(_informed(self._guard_async, request))

    def wrap_tool_call(self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Result]) -> Result:
        """Run the call if the guard lets it, and report how it ended."""
        return play(run(synchronous(self._guard), request, handler))

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[Result]]
    ) -> Result:
        """As wrap_tool_call."""
        return await aplay(run(self._guard_async, request, handler))


def _informed(guard: AnyGuard, request: ModelRequest) -> ModelRequest:
    """The request with the contract at the end of its system message, so that a cached beginning stays valid."""
    try:
        block = guard.prompt()
        said = request.system_message.content if request.system_message else ""
        content = [*said, {"type": "text", "text": block}] if isinstance(said, list) else f"{said}\n\n{block}".strip()
        return request.override(system_message=SystemMessage(content=content))
    except Exception:
        logger.exception("the contract could not be put into the prompt")
        return request
