"""The console as a Lambda function: behind a stage, with settings from SSM and Secrets Manager."""

import botocore.session
import pytest
from aws_lambda_powertools.utilities import parameters

from functions.console import static_files
from functions.console.app import handler
from functions.console.config import config
from local import template

VARIABLES = template.load()["Resources"]["Console"]["Properties"]["Environment"]["Variables"]
BASE = "https://a1b2c3.execute-api.us-east-1.amazonaws.com/prod/console"


def event(path, method="GET", **headers):
    return {
        "resource": "/console/{page+}" if path != "/console" else path,
        "path": path,
        "httpMethod": method,
        "headers": {"Host": "evil.example"} | headers,
        "multiValueHeaders": {},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "requestContext": {
            "requestId": "a-request",
            "stage": "prod",
            "path": f"/prod{path}",
            "httpMethod": method,
            "identity": {"sourceIp": "192.0.2.1"},
        },
        "body": None,
        "isBase64Encoded": False,
    }


@pytest.fixture
def deployed(table, monkeypatch):
    """The environment that the template gives, for a stage named prod, with the values that its resources have."""
    values = {
        "/identity-os/prod/console/base": BASE,
        "/identity-os/prod/console/client-id": "a client",
        "identity-os/prod/console/client-secret": "a secret",
        "identity-os/prod/console/session-secret": "another secret",
    }
    session = botocore.session.get_session()
    ssm, secrets = session.create_client("ssm"), session.create_client("secretsmanager")
    for name, value in values.items():
        if name[0] == "/":
            ssm.put_parameter(Name=name, Value=value, Type="String")
        else:
            secrets.create_secret(Name=name, SecretString=value)
    for name, value in VARIABLES.items():
        if name.endswith(("_PARAMETER", "_SECRET")):
            text = value["Sub"] if "Sub" in value else value["If"][1]["Sub"]
            monkeypatch.setenv(name, text.replace("${Stage}", "prod"))
            monkeypatch.delenv(name.removesuffix("_PARAMETER").removesuffix("_SECRET"), raising=False)
    monkeypatch.setenv("IDENTITY_OS_CONSOLE_ISSUER", "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_x")
    monkeypatch.setenv("IDENTITY_OS_CONSOLE_LOGIN_ORIGIN", "https://identity-os-prod-1.auth.us-east-1.amazoncognito.com")
    parameters.clear_caches()
    config.cache_clear()
    yield
    parameters.clear_caches()
    config.cache_clear()


def test_settings_come_by_name(deployed):
    found = config()
    assert (found.base, found.path, found.client_id, found.client_secret) == (BASE, "/prod/console", "a client", "a secret")
    assert len(found.session_key) == 32
    assert found.https


def test_pages_link_to_the_stage_and_the_policy_names_the_log_in(deployed):
    response = handler(event("/console"), None)
    assert response["statusCode"] == 200
    assert f'href="{BASE}/login"' in response["body"]
    headers = {name.lower(): value for name, value in response["headers"].items()}
    assert (
        "form-action 'self' https://identity-os-prod-1.auth.us-east-1.amazoncognito.com;" in headers["content-security-policy"]
    )
    assert headers["x-request-id"] == "a-request"
    assert "strict-transport-security" in headers
    assert handler(event("/console/welcome"), None)["headers"]["location"].startswith(f"{BASE}/login?next=")


@pytest.mark.parametrize("name", ["mark.svg", "console.css", "console.js"])
def test_static_files_are_text_since_the_stage_decodes_nothing(deployed, name):
    response = handler(event(f"/console/static/{name}"), None)
    assert (response["statusCode"], response["isBase64Encoded"]) == (200, False)
    assert response["body"] == (static_files.FOLDER / name).read_text()
