"""Reads template.yaml for the local server: routes, authorizer settings, gateway responses, the table."""

import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).resolve().parent.parent
#: Folder of a local server's keys and data. Two servers at the same time need two folders.
DATA: Final = Path(os.environ.get("IDENTITY_OS_LOCAL", ROOT / ".local"))


class _Loader(yaml.SafeLoader):
    """Loads CloudFormation's short intrinsic functions as {"Ref": ...} and the like, without resolving them."""


_Loader.add_multi_constructor(
    "!",
    lambda loader, tag, node: {
        tag: loader.construct_scalar(node) if isinstance(node, yaml.ScalarNode) else loader.construct_sequence(node)
    },
)


@dataclass(frozen=True, slots=True)
class Route:
    """A path of the API, the folder name of its function, and whether it needs an API key."""

    path: str
    function: str
    needs_key: bool


@dataclass(frozen=True, slots=True)
class GatewayResponse:
    """A response of API Gateway itself. A header value of None stands for the request id."""

    status: int
    headers: dict[str, str | None]
    body: dict[str, Any]


@cache
def load() -> dict[str, Any]:
    """The parsed template."""
    return read(ROOT / "template.yaml")


def read(path: Path) -> dict[str, Any]:
    """A parsed CloudFormation template."""
    document: dict[str, Any] = yaml.load(path.read_text(), _Loader)  # noqa: S506 - a SafeLoader
    return document


def routes() -> list[Route]:
    """The routes of all functions' API events."""
    result = []
    for resource in load()["Resources"].values():
        properties = resource.get("Properties", {})
        for event in properties.get("Events", {}).values():
            if event["Type"] == "Api":
                path = event["Properties"]["Path"]
                public = event["Properties"].get("Auth", {}).get("Authorizer") == "NONE"
                result.append(Route(path, properties["CodeUri"].split("/")[1], not public))
    return result


def api_routes() -> list[Route]:
    """The routes of the API, without the console's."""
    return [route for route in routes() if route.path.startswith("/v1/")]


def authorizer() -> tuple[str, int]:
    """The pattern that an Authorization header must match, and the cache time of a result in seconds."""
    identity = load()["Resources"]["Api"]["Properties"]["Auth"]["Authorizers"]["KeyAuthorizer"]["Identity"]
    return identity["ValidationExpression"], identity["ReauthorizeEvery"]


def preflight() -> dict[str, str]:
    """The headers by which API Gateway answers a preflight."""
    cors = load()["Resources"]["Api"]["Properties"]["Cors"]
    names = {
        "AllowOrigin": "Allow-Origin",
        "AllowMethods": "Allow-Methods",
        "AllowHeaders": "Allow-Headers",
        "MaxAge": "Max-Age",
    }
    return {f"Access-Control-{names[name]}": value.strip("'") for name, value in cors.items()}


def gateway_response(kind: str) -> GatewayResponse:
    """The gateway response of a type, such as UNAUTHORIZED."""
    response = load()["Resources"]["Api"]["Properties"]["GatewayResponses"][kind]
    headers = {
        name: None if value == "context.requestId" else value.strip("'")
        for name, value in response["ResponseParameters"]["Headers"].items()
    }
    return GatewayResponse(response["StatusCode"], headers, json.loads(response["ResponseTemplates"]["application/json"]))


def table() -> dict[str, Any]:
    """Properties of the table resource."""
    properties: dict[str, Any] = load()["Resources"]["Table"]["Properties"]
    return properties
