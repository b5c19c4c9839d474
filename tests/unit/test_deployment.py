"""What a deployment uses: the region of the profile, the commit that was tested, locked packages."""

import os
import shutil
import subprocess
import sys
import threading
import tomllib
from http.server import BaseHTTPRequestHandler, HTTPServer

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


class Accounts(BaseHTTPRequestHandler):
    """STS: says which account the caller's credentials are of."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        body = b"<R><GetCallerIdentityResult><Account>123456789012</Account></GetCallerIdentityResult></R>"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A repository with the Makefile and its scripts, a SAM CLI that notes its calls, tests that pass, and an STS."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    for name in (
        "Makefile",
        ".gitignore",
        "pyproject.toml",
        "layers/dependencies/requirements.txt",
        "functions/console/requirements.txt",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(template.ROOT / name, tmp_path / name)
    shutil.copytree(template.ROOT / ".ci", tmp_path / ".ci")
    for program, line in {
        ".venv-sam/bin/sam": 'echo "$@" >> "$(dirname "$0")/../calls"',
        ".venv-sam/bin/python": f'exec {sys.executable} "$@"',
        ".venv/bin/python": "exit ${TESTS_EXIT:-0}",
    }.items():
        path = tmp_path / program
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{line}\n")
        path.chmod(0o755)
        (path.parent.parent / ".ready").touch()
    with HTTPServer(("127.0.0.1", 0), Accounts) as sts:
        threading.Thread(target=sts.serve_forever, daemon=True).start()
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{sts.server_port}", "AWS_REGION": "eu-west-3", "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x", "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.com",
            "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@example.com", "MAKEFLAGS": "", "RUNTIME": "python3.13",
        }.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "UNTESTED", "PARAMETERS", "STAGE"):
            monkeypatch.delenv(name, raising=False)
        git(tmp_path, "init", "--quiet")
        commit(tmp_path)
        yield tmp_path
        sts.shutdown()


def git(folder, *words):
    return subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def commit(folder):
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "A change")


def make(folder, *words):
    return subprocess.run(["make", *words], cwd=folder, capture_output=True, text=True)


def sam(folder):
    """What SAM CLI was asked to do."""
    calls = folder / ".venv-sam" / "calls"
    return [line.split()[0] for line in calls.read_text().splitlines()] if calls.exists() else []


def test_a_tested_commit_is_deployed_and_named(checkout):
    assert make(checkout, "test").returncode == 0
    done = make(checkout, "deploy", "STAGE=prod", "PARAMETERS=AlarmEmail=ops@example.com")
    assert done.returncode == 0, done.stderr
    assert sam(checkout) == ["build", "deploy"]
    head = git(checkout, "rev-parse", "--short=12", "HEAD")
    for said in (f"{head}  A change", "stage    prod, stack identity-os-prod", "account  123456789012", "region   eu-west-3"):
        assert said in done.stderr
    asked = (checkout / ".venv-sam" / "calls").read_text()
    assert f"Stage=prod Runtime=python3.13 Architecture=arm64 Release={version()}-{head} AlarmEmail=ops@example.com" in asked


def version():
    return tomllib.loads((template.ROOT / "pyproject.toml").read_text())["project"]["version"]


def test_what_is_not_committed_or_was_not_tested_is_not_deployed(checkout):
    untested = make(checkout, "deploy")
    assert (untested.returncode, "make test did not pass on this commit" in untested.stderr) == (2, True)
    assert make(checkout, "test").returncode == 0
    (checkout / "new.py").write_text("")
    changed = make(checkout, "deploy")
    assert (changed.returncode, "changes that are not committed" in changed.stderr) == (2, True)
    commit(checkout)
    assert "make test did not pass" in make(checkout, "deploy").stderr, "what was tested is another commit"
    assert sam(checkout) == []
    # What was tested and then committed as it was is tested.
    (checkout / "new.py").write_text("changed = True")
    assert make(checkout, "test").returncode == 0
    commit(checkout)
    assert make(checkout, "deploy").returncode == 0


def test_tests_that_fail_leave_no_note(checkout, monkeypatch):
    assert make(checkout, "test").returncode == 0
    monkeypatch.setenv("TESTS_EXIT", "1")
    assert make(checkout, "test").returncode == 2
    assert make(checkout, "deploy").returncode == 2
    assert sam(checkout) == []


def test_files_that_change_while_the_tests_run_leave_no_note(checkout):
    (checkout / ".venv/bin/python").write_text("#!/bin/sh\ntouch saved-meanwhile\n")
    assert make(checkout, "test").returncode == 0
    assert not (checkout / ".tested").exists()


def test_an_operator_may_insist_and_the_release_says_so(checkout):
    (checkout / "new.py").write_text("")
    done = make(checkout, "deploy", "UNTESTED=1")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("UNTESTED is set") == 2
    assert (
        f"Release={version()}-{git(checkout, 'rev-parse', '--short=12', 'HEAD')}-changed"
        in (checkout / ".venv-sam" / "calls").read_text()
    )


def test_no_git_checkout_is_not_deployed(checkout):
    shutil.rmtree(checkout / ".git")
    assert make(checkout, "test").returncode == 0
    assert "no git checkout" in make(checkout, "deploy").stderr
    assert sam(checkout) == []


def test_no_region_deploys_nothing(checkout, monkeypatch):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    assert make(checkout, "test").returncode == 0
    assert "You must specify a region. Select an account and a region" in make(checkout, "deploy").stderr
    assert sam(checkout) == []
