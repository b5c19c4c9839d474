"""What the local side needs of template.yaml: routes, the authorizer's terms, gateway answers, the table."""

import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).resolve().parent.parent
#: Where a local server keeps its keys and data. A second server beside the first needs a folder of its own.
DATA: Final = Path(os.environ.get("IDENTITY_OS_LOCAL", ROOT / ".local"))


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short intrinsics, kept as {"Ref": ...} and the like; nothing here resolves them."""


_Loader.add_multi_constructor(
    "!",
    lambda loader, tag, node: {
        tag: loader.construct_scalar(node) if isinstance(node, yaml.ScalarNode) else loader.construct_sequence(node)
    },
)


@dataclass(frozen=True, slots=True)
class Route:
    """A path of the API, the function that serves it (its folder's name), and whether it needs a key."""

    path: str
    function: str
    needs_key: bool


@dataclass(frozen=True, slots=True)
class GatewayResponse:
    """What API Gateway answers by itself. A header is a constant, or None for the request id."""

    status: int
    headers: dict[str, str | None]
    body: dict[str, Any]


@cache
def load() -> dict[str, Any]:
    """The template as it stands."""
    document: dict[str, Any] = yaml.load((ROOT / "template.yaml").read_text(), _Loader)  # noqa: S506 - a SafeLoader
    return document


def routes() -> list[Route]:
    """Every API event of every function."""
    found = []
    for resource in load()["Resources"].values():
        properties = resource.get("Properties", {})
        for event in properties.get("Events", {}).values():
            if event["Type"] == "Api":
                path = event["Properties"]["Path"]
                open_to_all = event["Properties"].get("Auth", {}).get("Authorizer") == "NONE"
                found.append(Route(path, properties["CodeUri"].split("/")[1], not open_to_all))
    return found


def authorizer() -> tuple[str, int]:
    """The expression that an Authorization header must match, and for how many seconds an answer is kept."""
    terms = load()["Resources"]["Api"]["Properties"]["Auth"]["Authorizers"]["KeyAuthorizer"]["Identity"]
    return terms["ValidationExpression"], terms["ReauthorizeEvery"]


def gateway_response(kind: str) -> GatewayResponse:
    """The gateway's own answer of a kind, such as UNAUTHORIZED."""
    answer = load()["Resources"]["Api"]["Properties"]["GatewayResponses"][kind]
    headers = {
        name: None if value == "context.requestId" else value.strip("'")
        for name, value in answer["ResponseParameters"]["Headers"].items()
    }
    return GatewayResponse(answer["StatusCode"], headers, json.loads(answer["ResponseTemplates"]["application/json"]))


def table() -> dict[str, Any]:
    """Properties of the one table."""
    properties: dict[str, Any] = load()["Resources"]["Table"]["Properties"]
    return properties
