"""`identity-os webhooks`."""

import pytest

from identity_service.store import dynamodb, webhooks
from tests.conftest import stored_webhook
from tests.unit.test_cli import run

URL = "https://hooks.example.com/a"


@pytest.fixture(autouse=True)
def a_table_alone(table, monkeypatch):
    monkeypatch.setenv("IDENTITY_OS_TABLE", "identity-os")


@pytest.fixture
def account(capsys):
    return run(capsys, "accounts", "create", "Acme", "--plan", "pro")[1]


def test_a_webhook_from_creation_to_deletion(capsys, account):
    code, secret, note = run(capsys, "webhooks", "create", account, URL, "--type", "agent.paused", "--type", "agent.escalated")
    assert (code, secret[:6], "shown once" in note) == (0, "whsec_", True)
    header, row = run(capsys, "webhooks", "list", account)[1].splitlines()
    assert header.split() == ["id", "state", "created_at", "types", "url", "description"]
    hook, state, _, types, url = row.split()
    assert (state, types, url) == ("on", "agent.escalated,agent.paused", URL)
    assert "off" in run(capsys, "webhooks", "update", account, hook, "--off")[1]
    code, _, error = run(capsys, "webhooks", "test", account, hook)
    assert (code, "is off" in error) == (1, True)
    assert "all types" in run(capsys, "webhooks", "update", account, hook, "--on", "--all-types")[1]
    assert run(capsys, "webhooks", "test", account, hook)[0] == 0
    (item,) = dynamodb.query("PK = :pk AND begins_with(SK, :sk)", {":pk": webhooks.partition(account), ":sk": "OUT#"})
    assert item["to"] == hook
    new = run(capsys, "webhooks", "rotate", account, hook)[1]
    assert new.startswith("whsec_")
    assert new != secret
    assert run(capsys, "webhooks", "delete", account, hook)[0] == 0
    code, _, error = run(capsys, "webhooks", "delete", account, hook)
    assert (code, error) == (1, f"identity-os: the account has no webhook {hook}")


def test_deliveries_are_listed_and_sent_again(capsys, account):
    hook, delivery = stored_webhook(account)
    row = run(capsys, "webhooks", "deliveries", account, hook)[1].splitlines()[1].split()
    assert row == [delivery[:12], "2026-03-24T10:15:30Z", "agent.paused", "delivered", "1", "204", "181"]
    assert delivery in run(capsys, "webhooks", "redeliver", account, hook, delivery[:12])[1]
    assert run(capsys, "webhooks", "redeliver", account, hook, "ffff")[0] == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("create", "acct_x", URL), "no account acct_x"),
        (("list", "acct_x"), "no account acct_x"),
        (("deliveries", "acct_x", "hook_x"), "the account has no webhook hook_x"),
    ],
)
def test_what_does_not_exist_is_said_in_one_line(capsys, words, said):
    code, out, error = run(capsys, "webhooks", *words)
    assert (code, out, error) == (1, "", f"identity-os: {said}")


def test_what_is_refused_is_said_in_one_line(capsys, account, monkeypatch, tmp_path):
    code, _, error = run(capsys, "webhooks", "create", account, "https://10.0.0.1/")
    assert (code, error) == (1, "identity-os: https://10.0.0.1/: the address 10.0.0.1 is not public")
    assert run(capsys, "webhooks", "update", account, "hook_x")[2].startswith("identity-os: nothing to change")
    monkeypatch.delenv("IDENTITY_OS_SECRET_FILE")
    monkeypatch.setenv("IDENTITY_OS_LOCAL", str(tmp_path / "nowhere"))
    code, _, error = run(capsys, "webhooks", "create", account, URL)
    assert (code, "no key to encrypt the secret with" in error, "\n" in error) == (1, True, False)
