"""`identity-os-guard mcp-server`: an agent's contract, history and audit trail as tools and resources, for a model that should
know its own contract.

It reports nothing: that is the guard's work. The two tools that decide about an agent are offered to operators alone.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any, Literal

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import BaseModel

from ...client import IdentityOSAsync
from ...errors import APIError, IdentityOSError, PermissionDeniedError
from ...models import Mode

_READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
_DECIDES = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False)

INSTRUCTIONS = (
    "Identity OS bounds what this agent may do. get_contract says which actions are allowed now; explain_contract says why, "
    "and what would change it. A call that the guard denied is not made by trying again: look at the contract, choose an "
    "allowed action, or ask a person."
)


def build(
    client: IdentityOSAsync, *, agent: str | None = None, instance_id: str | None = None, operator: bool = False
) -> MCPServer:
    """The server of one agent, by its name or its id. `operator`: offer rebaseline and reset as well."""
    known: list[str] = [] if instance_id is None else [instance_id]
    engine = client.engine

    async def found() -> str:
        if not known:
            rows = (await client.instances.list(limit=1, order="asc", name=agent)).data
            if not rows:
                raise ToolError(f"There is no agent of the name {agent!r} yet: it is made when its guard opens it.")
            known.append(rows[0].id)
        return known[0]

    async def asked(call: Callable[[str], Awaitable[Any]]) -> str:
        try:
            return _text(await call(await found()))
        except PermissionDeniedError as error:
            why = f"its scope is {error.scope}, and this needs {error.needs}" if error.needs else error.message
            raise ToolError(f"This key may not do that: {why} ({error.code}).") from error
        except APIError as error:
            raise ToolError(f"{error.message or error} ({error.code or error.status})") from error
        except IdentityOSError as error:
            raise ToolError(str(error)) from error

    async def get_contract() -> str:
        """What this agent may do now: allowed and forbidden actions, stress, energy, whether it should pause or escalate."""
        return await asked(engine.get_contract)

    async def explain_contract() -> str:
        """Why the contract is as it is, and what would change it."""
        return await asked(lambda one: engine.get_contract(one, explain=True))

    async def get_history(limit: int = 20, offset: int = 0) -> str:
        """What was reported of this agent, newest first."""
        return await asked(lambda one: engine.get_history(one, limit, offset))

    async def simulate(observations: list[dict[str, Any]]) -> str:
        return await asked(lambda one: engine.simulate(one, observations))

    async def verify_audit_trail() -> str:
        """Let the service replay the whole audit trail of this agent: whether every record is as it was written."""
        return await asked(engine.verify)

    async def rebaseline(note: str | None = None) -> str:
        """Decide that the agent as it is now is the new normal. note: why, which the audit trail keeps."""
        return await asked(lambda one: engine.reset(one, "rebaseline", note))

    async def reset(mode: Literal["last_stable", "initial", "default"], note: str | None = None) -> str:
        """Reset the agent: last_stable (its stress is put to rest), initial (as it was born) or default (as a new one).

        note: why, which the audit trail keeps.
        """
        return await asked(lambda one: engine.reset(one, mode, note))

    async def get_recent_history() -> str:
        """The last 100 observations, newest first."""
        return await asked(lambda one: engine.get_history(one, 100))

    modes = ", ".join(mode.value for mode in Mode)
    simulate.__doc__ = (
        "What the contract would be after these observations; nothing is stored. Each is an object such as "
        f'{{"mode_target": "STRESS_RESPONSE", "signal_strength": 0.8}}. Modes: {modes}.'
    )
    server = MCPServer("identity-os", instructions=INSTRUCTIONS)
    for read in (get_contract, explain_contract, get_history, simulate, verify_audit_trail):
        server.add_tool(read, annotations=_READS, structured_output=False)
    for decide in (rebaseline, reset) if operator else ():
        server.add_tool(decide, annotations=_DECIDES, structured_output=False)
    for name, resource in (("contract", get_contract), ("explanation", explain_contract), ("history", get_recent_history)):
        server.resource(f"identity-os://{name}", mime_type="application/json")(resource)
    return server


def _text(answer: Any) -> str:
    shown = answer.model_dump(mode="json", exclude_unset=True) if isinstance(answer, BaseModel) else answer
    return json.dumps(shown, ensure_ascii=False, separators=(",", ":"))
