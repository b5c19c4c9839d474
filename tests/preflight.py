"""Translates template.yaml as SAM does at a deployment, and looks at every OPTIONS method: `make validate`.

A browser's preflight carries no key. SAM's translator puts the default authorizer and the API key on OPTIONS unless it is told
not to, so what counts is what it makes, not what the template says. Runs in the environment of SAM CLI.
"""

import sys
from pathlib import Path
from typing import Any

SAM_TEMPLATE = Path(__file__).resolve().parent.parent / "template.yaml"


def translated() -> dict[str, Any]:
    """The CloudFormation template that SAM makes of ours."""
    from samcli.yamlhelper import yaml_parse
    from samtranslator.translator.transform import transform

    template = yaml_parse(SAM_TEMPLATE.read_text())
    # The translator wants addresses of built code, as a deployment has them.
    for resource in template["Resources"].values():
        properties = resource.get("Properties", {})
        for name in ("CodeUri", "ContentUri"):
            if name in properties:
                properties[name] = f"s3://bucket/{resource['Type'].rpartition('::')[2].lower()}"
    result: dict[str, Any] = transform(template, {"AWS::Region": "us-east-1", "AWS::Partition": "aws"}, _NoPolicies())
    return result


class _NoPolicies:
    """No managed policy is named in the template."""

    def load(self) -> dict[str, str]:
        """Managed policies by name."""
        return {}


def problems(template: dict[str, Any]) -> list[str]:
    """What keeps a browser's preflight out, path by path."""
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
        if path != "/v1/health" and not all(method.get("security") for method in others):
            found.append(f"{path}: a method asks for no key")
    return found


def _stages(template: dict[str, Any]) -> set[str]:
    """The stages that a deployment makes, by themselves or beside it."""
    stages = set()
    for resource in template["Resources"].values():
        if resource["Type"] in ("AWS::ApiGateway::Stage", "AWS::ApiGateway::Deployment"):
            name = resource["Properties"].get("StageName")
            if name is not None:
                stages.add("{Ref: Stage}" if name == {"Ref": "Stage"} else str(name))
    return stages


if __name__ == "__main__":
    wrong = problems(translated())
    print("\n".join(wrong) or "translated: every path has an OPTIONS method without security, and there is one stage")
    sys.exit(bool(wrong))
