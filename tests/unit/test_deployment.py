"""What a deployment uses: the region of the profile, the commit that was tested, locked packages."""

import os
import subprocess

import pytest

from cli import gateway
from cli.main import main
from local import template


@pytest.fixture
def profile(tmp_path, monkeypatch):
    """An AWS profile whose region is eu-west-1, and no region in the environment."""
    config = tmp_path / "config"
    config.write_text("[default]\nregion = eu-west-1\n")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        # Set before it is deleted, so that what the command sets is undone.
        monkeypatch.setenv(name, "x")
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setattr(gateway, "find_stack", lambda name: region_of_a_client())
    gateway._session.cache_clear()
    yield config
    gateway._session.cache_clear()


class Found(Exception):
    """The region that a client of the command line has."""


def region_of_a_client():
    raise Found(gateway._client("cloudformation").meta.region_name)


@pytest.mark.parametrize(
    ("variables", "region"),
    [({}, "eu-west-1"), ({"AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-2"),
     ({"AWS_DEFAULT_REGION": "eu-west-2", "AWS_REGION": "eu-west-3"}, "eu-west-3")],
)  # fmt: skip
def test_the_command_line_and_make_take_the_region_that_aws_takes(profile, monkeypatch, variables, region):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(Found, match=region):
        main(["--stack", "identity-os-prod", "accounts", "list"])
    inherited = {name: value for name, value in os.environ.items() if name not in ("AWS_REGION", "AWS_DEFAULT_REGION")}
    shown = subprocess.run(
        ["make", "--no-print-directory", "--eval", "shown: ; @echo region: $$AWS_DEFAULT_REGION", "shown"],
        cwd=template.ROOT, env=inherited | variables, capture_output=True, text=True, check=True,
    )  # fmt: skip
    # Without one make sets none, so that the profile's counts.
    assert shown.stdout.strip() == (f"region: {region}" if variables else "region:")


def test_no_region_at_all_is_one_line(profile, capsys):
    profile.write_text("")
    assert main(["--stack", "identity-os-prod", "accounts", "list"]) == 1
    assert capsys.readouterr().err == (
        "identity-os: no AWS region: set AWS_REGION, or the region of the AWS profile (aws configure set region ...)\n"
    )


def test_another_dynamodb_needs_no_region(profile, monkeypatch):
    profile.write_text("")
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "")
    assert main(["--endpoint", "http://127.0.0.1:1", "plans", "list"]) == 0
    assert os.environ["AWS_DEFAULT_REGION"] == "us-east-1"
