"""Translates template.yaml as SAM does at a deployment, and checks what only the result shows: `make validate`.

A browser's preflight carries no key. SAM's translator puts the default authorizer and the API key on OPTIONS unless it is told
not to, so what counts is what it makes, not what the template says. The same holds for the order in which CloudFormation
creates resources. Runs in the environment of SAM CLI.
"""

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SAM_TEMPLATE = Path(__file__).resolve().parent.parent / "template.yaml"
#: Later and earlier: AWS refuses the account's log role where there was never an API, and the log of a stage without the role.
AFTER = (
    ("AWS::ApiGateway::Account", "AWS::ApiGateway::RestApi"),
    ("AWS::ApiGateway::Stage", "AWS::ApiGateway::Account"),
)


def translated(new_layer: str = "", **parameters: str) -> dict[str, Any]:
    """The CloudFormation template that SAM makes of ours, with these parameters, and with other code in one layer."""
    from samcli.yamlhelper import yaml_parse
    from samtranslator.translator.transform import transform

    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    template = yaml_parse(SAM_TEMPLATE.read_text())
    # The translator wants addresses of built code, as a deployment has them.
    for logical_id, resource in template["Resources"].items():
        properties = resource.get("Properties", {})
        for name in ("CodeUri", "ContentUri"):
            if name in properties:
                properties[name] = f"s3://bucket/{'new' if logical_id == new_layer else 'code'}"
    values = {"AWS::Region": "us-east-1", "AWS::Partition": "aws"} | parameters
    result: dict[str, Any] = transform(template, values, _NoPolicies())
    return result


class _NoPolicies:
    """No managed policy is named in the template."""

    def load(self) -> dict[str, str]:
        """Managed policies by name."""
        return {}


def problems(template: dict[str, Any]) -> list[str]:
    """What keeps a browser's preflight out, path by path, and what a deployment would stumble over."""
    [api] = [r["Properties"]["Body"] for r in template["Resources"].values() if r["Type"] == "AWS::ApiGateway::RestApi"]
    found = [] if api["paths"] else ["there are no paths"]
    # SAM makes a second stage, "Stage", unless OpenApiVersion is set: with no throttle, no log and no firewall.
    found += [f"a stage {name}" for name in _stages(template) - {"{Ref: Stage}"}]
    for path, methods in api["paths"].items():
        options = methods.get("options")
        if options is None:
            found.append(f"{path}: no OPTIONS")
            continue
        if options.get("security"):
            found.append(f"{path}: OPTIONS asks for {options['security']}")
        if options["x-amazon-apigateway-integration"]["type"] != "mock":
            found.append(f"{path}: OPTIONS reaches a function")
        others = [method for name, method in methods.items() if name != "options"]
        if path not in ("/v1/health", "/console", "/console/{page+}") and not all(method.get("security") for method in others):
            found.append(f"{path}: a method asks for no key")
    return found + order_problems(template["Resources"])


def _stages(template: dict[str, Any]) -> set[str]:
    """The stages that a deployment makes, by themselves or beside it."""
    stages = set()
    for resource in template["Resources"].values():
        if resource["Type"] in ("AWS::ApiGateway::Stage", "AWS::ApiGateway::Deployment"):
            name = resource["Properties"].get("StageName")
            if name is not None:
                stages.add("{Ref: Stage}" if name == {"Ref": "Stage"} else str(name))
    return stages


def order_problems(resources: dict[str, Any]) -> list[str]:
    """Circles, and resources that CloudFormation may create before what they need."""
    direct = {name: _needs(resource) & set(resources) for name, resource in resources.items()}
    before: dict[str, set[str]] = {}
    for name in resources:
        seen, left = set(), list(direct[name])
        while left:
            needed = left.pop()
            if needed not in seen:
                seen.add(needed)
                left += direct[needed]
        before[name] = seen
    found = [f"{name}: needs itself, by way of {', '.join(sorted(before[name]))}" for name in resources if name in before[name]]
    for later, earlier in AFTER:
        for name in _of(resources, later):
            missed = (other for other in _of(resources, earlier) if other not in before[name])
            found += [f"{name}: may be created before {other}" for other in missed]
    return found


def _of(resources: dict[str, Any], kind: str) -> list[str]:
    names = [name for name, resource in resources.items() if resource["Type"] == kind]
    assert names, kind
    return names


def _needs(resource: dict[str, Any]) -> set[str]:
    depends = resource.get("DependsOn", [])
    return {*([depends] if isinstance(depends, str) else depends), *_references(resource.get("Properties", {}))}


def _references(value: Any) -> Iterator[str]:
    """Every name that a value refers to: Ref, GetAtt, and what stands in a Sub."""
    if isinstance(value, list):
        for part in value:
            yield from _references(part)
    elif isinstance(value, dict):
        for name, part in value.items():
            if name == "Ref":
                yield part
            elif name == "Fn::GetAtt":
                yield part[0] if isinstance(part, list) else part.partition(".")[0]
            elif name == "Fn::Sub":
                text = part if isinstance(part, str) else part[0]
                yield from (found.partition(".")[0] for found in re.findall(r"\$\{([\w.]+)\}", text))
                yield from _references(part[1:] if isinstance(part, list) else [])
            else:
                yield from _references(part)


def gradual_problems(usual: dict[str, Any], gradual: dict[str, Any], with_new_layer: dict[str, dict[str, Any]]) -> list[str]:
    """What a gradual deployment would not do, or what the usual one would do of it."""
    found = [f"{name}: is made although it is off" for name in usual if "CodeDeploy" in usual[name]["Type"]]
    groups = [group["Properties"] for group in gradual.values() if group["Type"] == "AWS::CodeDeploy::DeploymentGroup"]
    if any(group["AlarmConfiguration"]["Alarms"] != [{"Name": {"Ref": "ServerErrors"}}] for group in groups):
        found.append("an alarm other than that of server errors takes new code back")
    (api,) = (resource["Properties"]["Body"] for resource in usual.values() if resource["Type"] == "AWS::ApiGateway::RestApi")
    methods = [method["x-amazon-apigateway-integration"] for path in api["paths"].values() for method in path.values()]
    called = {str(integration["uri"]) for integration in methods if "uri" in integration}
    for uri in called:
        alias = next((name for name in _of(usual, "AWS::Lambda::Alias") if name in uri), None)
        if alias is None:
            found.append(f"API Gateway calls no alias: {uri}")
            continue
        if "CodeDeployLambdaAliasUpdate" not in gradual[alias].get("UpdatePolicy", {}):
            found.append(f"{alias}: moves at once, and not by and by")
        for layer, changed in with_new_layer.items():
            if usual[alias]["Properties"]["FunctionVersion"] == changed[alias]["Properties"]["FunctionVersion"]:
                found.append(f"{alias}: keeps the old {layer}")
    return found if len(called) == len(groups) else [*found, f"{len(called)} functions, {len(groups)} of them move"]


if __name__ == "__main__":
    usual = translated()
    gradual = translated(GradualDeployment="true")["Resources"]
    with_new_layer = {layer: translated(layer)["Resources"] for layer in ("Dependencies", "EngineLayer", "ServiceLayer")}
    wrong = problems(usual) + order_problems(gradual) + gradual_problems(usual["Resources"], gradual, with_new_layer)
    print("\n".join(wrong) or "translated: OPTIONS without security, one stage, an order that AWS accepts, aliases that move")
    sys.exit(bool(wrong))
