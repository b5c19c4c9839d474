"""First programs with a new key in them: curl, Python, TypeScript, LangChain. Each reports, so that the light turns green."""

from dataclasses import dataclass
from string import Template
from typing import Final

from functions.console.config import config


@dataclass(frozen=True, slots=True)
class Snippet:
    """A program. `install`: what to type before, empty for none."""

    name: str
    install: str
    code: str


_CURL: Final = """\
ID=$$(curl -s -X POST $api/v1/instances \\
  -H "Authorization: Bearer $key" \\
  -H "Content-Type: application/json" \\
  -d '{"name": "Aria"}' | grep -o 'inst_[0-9a-f]*' | head -1)

curl -X POST $api/v1/instances/$$ID/process \\
  -H "Authorization: Bearer $key" \\
  -H "Content-Type: application/json" \\
  -d '{"mode_target": "EXPLORATION", "signal_strength": 0.8}'
"""
_PYTHON: Final = """\
from identity_os_sdk import IdentityOS, Mode

client = IdentityOS("$key", base_url="$api")
agent = client.instances.create(name="Aria")
result = client.engine.process(agent.id, Mode.EXPLORATION, 0.8)
print(result.contract.allowed_actions)
"""
_TYPESCRIPT: Final = """\
import { IdentityOS, Mode } from "@identity-os/sdk";

const client = new IdentityOS({ apiKey: "$key", baseUrl: "$api" });
const agent = await client.instances.create({ name: "Aria" });
const result = await client.engine.process(agent.id, { modeTarget: Mode.EXPLORATION, signalStrength: 0.8 });
console.log(result.contract.allowedActions);
"""
_LANGCHAIN: Final = """\
from identity_os_sdk import Guard, IdentityOS
from identity_os_sdk.integrations.langchain import IdentityOSMiddleware
from langchain.agents import create_agent

guard = Guard.open(IdentityOS("$key", base_url="$api"), "support-bot", tools={"search_*": "explore"})
agent = create_agent(model, tools, middleware=[IdentityOSMiddleware(guard)])  # your model, your tools
"""


def for_key(key: str) -> list[Snippet]:
    """The programs with this key."""
    values = {"key": key, "api": config().api}
    found = (
        ("curl", "", _CURL),
        ("Python", "pip install identity-os-sdk", _PYTHON),
        ("TypeScript", "npm install @identity-os/sdk", _TYPESCRIPT),
        ("LangChain", "pip install identity-os-sdk langchain", _LANGCHAIN),
    )
    return [Snippet(name, install, Template(code).substitute(values)) for name, install, code in found]
