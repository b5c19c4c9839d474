"""Pydantic AI: a capability that asks the guard before each tool. The rules live in `identity_os_sdk.guard`.

    agent = Agent(model, tools=[search, refund], capabilities=[IdentityOSCapability(guard)])

A pause is the framework's own approval: the run ends with `DeferredToolRequests`, and `decide` makes the results that the
next run takes.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

from pydantic_ai import (
    AgentRunResult,
    ApprovalRequired,
    CallDeferred,
    DeferredToolRequests,
    DeferredToolResults,
    RunContext,
    ToolApproved,
    ToolDefinition,
    ToolDenied,
)
from pydantic_ai.capabilities import AbstractCapability, CapabilityOrdering, HandleDeferredToolCalls, WrapToolExecuteHandler
from pydantic_ai.exceptions import ModelRetry, SkipToolExecution, ToolFailed, ToolFailedError, ToolRetryError
from pydantic_ai.messages import ToolCallPart, ToolReturn

from identity_os_sdk.guard import Guard, GuardAsync, Verdict, decision

log = logging.getLogger("identity_os_sdk")
MARK = "identity_os"
BROKEN = "This call was not made: the guard could not decide about it. Do not try again; tell the user."


@dataclass
class IdentityOSCapability(AbstractCapability[Any]):
    """Asks `guard` before each tool, function tools and MCP tools alike, and reports to it what came of the call.

    With `messages`, what a person says and what the agent answers is reported, too; what is reported of it is never the text.
    """

    guard: Guard | GuardAsync
    messages: bool = False
    awaited: GuardAsync = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.awaited = self.guard if isinstance(self.guard, GuardAsync) else self.guard.asynchronous()

    async def wrap_tool_execute(
        self,
        ctx: RunContext[Any],
        *,
        call: ToolCallPart,
        tool_def: ToolDefinition,
        args: dict[str, Any],
        handler: WrapToolExecuteHandler,
    ) -> Any:
        """Deny, pause or run the tool, then report the result or the exception."""
        call_id = f"{ctx.conversation_id}:{call.tool_call_id}"  # some models number their calls anew in each conversation
        try:
            annotations = (tool_def.metadata or {}).get("annotations")
            if isinstance(annotations, Mapping):  # of an MCP tool
                self.guard.annotate(call.tool_name, annotations)
            verdict = await self.awaited.before_tool(call.tool_name, args, call_id)
            if verdict.kind == "pause" and ctx.tool_call_approved:
                by = str((ctx.tool_call_metadata or {}).get("by", "a person"))
                verdict = await self.awaited.approve(call_id, by)
        except Exception:
            log.exception("the guard failed before %s: the call is denied", call.tool_name)
            return ToolDenied(BROKEN)
        if verdict.kind == "pause":
            raise ApprovalRequired(metadata={MARK: call_id, "message": verdict.message, "reason": verdict.reason})
        if not verdict.allowed:
            return ToolDenied(verdict.message)
        try:
            result = await handler(args)
        except (ApprovalRequired, CallDeferred):
            raise  # the tool waits for somebody: it has no outcome yet
        except SkipToolExecution as skipped:
            await self.tell("after_tool", call.tool_name, call_id, result=skipped.result)
            raise
        except Exception as error:
            await self.tell("after_tool", call.tool_name, call_id, error=_cause(error))
            raise
        await self.tell("after_tool", call.tool_name, call_id, result=_value(result))
        return result

    def get_ordering(self) -> CapabilityOrdering:
        """Come after the capability that answers approvals during the run, where the agent has one."""
        return CapabilityOrdering(wrapped_by=[HandleDeferredToolCalls])

    async def handle_deferred_tool_calls(
        self, ctx: RunContext[Any], *, requests: DeferredToolRequests
    ) -> DeferredToolResults | None:
        """Where the agent cannot end with a question, a pause becomes a denial whose message names who decides."""
        if ctx.agent is None or _can_ask(ctx.agent.output_type):
            return None
        paused = {call_id: told["message"] for call_id, told in requests.metadata.items() if MARK in told}
        return DeferredToolResults(approvals={call_id: ToolDenied(message) for call_id, message in paused.items()})

    def get_instructions(self) -> Any:
        """Give the model the contract as it is now, at each request."""

        return self.contract

    def contract(self) -> str | None:
        """What the model reads."""
        try:
            return self.guard.prompt()
        except Exception:
            log.exception("the guard failed: the model gets no contract")
            return None

    async def before_run(self, ctx: RunContext[Any]) -> None:
        """Tell the guard what the person said. A run that goes on after a pause has no prompt."""
        if self.messages and ctx.prompt is not None:
            parts = [ctx.prompt] if isinstance(ctx.prompt, str) else ctx.prompt
            await self.tell("user_said", " ".join(part for part in parts if isinstance(part, str)))

    async def after_run(self, ctx: RunContext[Any], *, result: AgentRunResult[Any]) -> AgentRunResult[Any]:  # noqa: ARG002
        """Tell the guard what the agent said."""
        if self.messages and not isinstance(result.output, DeferredToolRequests):
            await self.tell("agent_said", str(result.output))
        return result

    async def tell(self, what: str, *args: Any, **kwargs: Any) -> Any:
        """Call the guard. What breaks in it must not break the run, nor lose a tool's result."""
        try:
            return await getattr(self.awaited, what)(*args, **kwargs)
        except Exception:
            log.exception("the guard failed at %s", what)
            return None


def decide(guard: Guard, requests: DeferredToolRequests, decisions: Mapping[str, Any]) -> DeferredToolResults:
    """Record a person's decisions about paused calls, by call id, and return the results that the next run takes.

    A decision is as `identity_os_sdk.guard.decision` reads it: "approve", "refuse", or {"decision": ..., "by": ...}.
    """
    results = DeferredToolResults()
    for call in requests.approvals:
        kind, by = decision(decisions[call.tool_call_id])
        verdict, told = None, requests.metadata.get(call.tool_call_id, {})
        if MARK in told:  # the guard asks, and not the tool itself; another process learns of the call here
            verdict = guard.before_tool(call.tool_name, call.args_as_dict(), told[MARK])
            if kind == "approve" and verdict.kind == "pause":
                verdict = guard.approve(told[MARK], by)
            verdict = guard.refuse(told[MARK], by) if kind == "refuse" else verdict
        _settle(results, call.tool_call_id, kind, by, verdict)
    return results


async def decide_async(guard: GuardAsync, requests: DeferredToolRequests, decisions: Mapping[str, Any]) -> DeferredToolResults:
    """As decide, for a GuardAsync."""
    results = DeferredToolResults()
    for call in requests.approvals:
        kind, by = decision(decisions[call.tool_call_id])
        verdict, told = None, requests.metadata.get(call.tool_call_id, {})
        if MARK in told:
            verdict = await guard.before_tool(call.tool_name, call.args_as_dict(), told[MARK])
            if kind == "approve" and verdict.kind == "pause":
                verdict = await guard.approve(told[MARK], by)
            verdict = guard.refuse(told[MARK], by) if kind == "refuse" else verdict
        _settle(results, call.tool_call_id, kind, by, verdict)
    return results


def _settle(results: DeferredToolResults, call_id: str, kind: str, by: str, verdict: Verdict | None) -> None:
    if verdict is None:
        results.approvals[call_id] = ToolApproved() if kind == "approve" else ToolDenied()
    else:
        results.approvals[call_id] = ToolApproved() if verdict.allowed else ToolDenied(verdict.message)
    results.metadata[call_id] = {"by": by}


def _can_ask(output_type: Any) -> bool:
    kinds = output_type if isinstance(output_type, Sequence) else get_args(output_type) or [output_type]
    return DeferredToolRequests in kinds


def _cause(error: BaseException) -> BaseException:
    """Return what the tool raised, where the framework or the tool has wrapped it for a retry."""
    while isinstance(error, (ToolRetryError, ToolFailedError, ModelRetry, ToolFailed)) and error.__cause__:
        error = error.__cause__
    return error.__context__ if isinstance(error.__context__, TimeoutError) else error


def _value(result: Any) -> Any:
    return result.return_value if isinstance(result, ToolReturn) else result
