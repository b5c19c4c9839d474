"""The `identity-os` command line."""

import pytest

from cli.main import main
from identity_service.store import accounts
from identity_service.store import dynamodb as store_client
from identity_service.store.dynamodb import StoreUnavailable

pytestmark = pytest.mark.usefixtures("table")


@pytest.fixture(autouse=True)
def a_table_alone(monkeypatch):
    monkeypatch.setenv("IDENTITY_OS_TABLE", "identity-os")


def run(capsys, *words):
    code = main(list(words))
    captured = capsys.readouterr()
    return code, captured.out.strip(), captured.err.strip()


def test_key_lifecycle(capsys):
    code, account, _ = run(capsys, "accounts", "create", "Acme", "--plan", "indie")
    assert code == 0
    code, secret, note = run(capsys, "keys", "create", account, "--name", "ci")
    assert code == 0
    assert "shown once" in note
    assert accounts.authenticate(secret).plan == "indie"

    listing = run(capsys, "keys", "list", account)[1].splitlines()
    assert len(listing) == 2
    key_id, last_four = listing[1].split()[:2]
    assert secret.endswith(last_four)
    assert secret not in "".join(listing)

    for _ in range(2):
        assert run(capsys, "keys", "revoke", account, key_id)[0] == 0
    assert accounts.authenticate(secret) is None


def test_plans_and_custom_limits(capsys):
    account = run(capsys, "accounts", "create", "Acme")[1]
    secret = run(capsys, "keys", "create", account)[1]
    assert accounts.authenticate(secret).per_minute == 10
    run(capsys, "accounts", "set-plan", account, "enterprise", "--per-minute", "77")
    assert (accounts.authenticate(secret).per_minute, accounts.authenticate(secret).per_month) == (77, 1_000_000_000)
    run(capsys, "accounts", "set-plan", account, "pro")
    assert accounts.authenticate(secret).per_minute == 300
    assert "indie" in run(capsys, "plans", "list")[1]
    assert account in run(capsys, "accounts", "list")[1]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("keys", "create", "acct_x"), "no account acct_x"),
        (("keys", "list", "acct_x"), "no account acct_x"),
        (("accounts", "set-plan", "acct_x", "pro"), "no account acct_x"),
        (("keys", "revoke", "acct_x", "key_x"), "no key key_x"),
    ],
)
def test_unknown_accounts_and_keys(capsys, words, text):
    code, out, err = run(capsys, *words)
    assert (code, out) == (1, "")
    assert text in err


def test_creating_a_second_key_with_a_name_warns_or_replaces(capsys):
    account = run(capsys, "accounts", "create", "Acme")[1]
    first = run(capsys, "keys", "create", account, "--name", "ci")[1]
    other = run(capsys, "keys", "create", account, "--name", "laptop")[1]
    _, second, note = run(capsys, "keys", "create", account, "--name", "ci")
    assert "has the same name and still works" in note
    third = run(capsys, "keys", "create", account, "--name", "ci", "--replace")[1]
    works = [accounts.authenticate(key) is not None for key in (first, other, second, third)]
    assert works == [False, True, False, True]


def test_commands_require_a_selected_table(capsys, monkeypatch):
    monkeypatch.delenv("IDENTITY_OS_TABLE")
    code, out, err = run(capsys, "accounts", "create", "Acme")
    assert (code, out) == (1, "")
    assert "--stack" in err
    assert run(capsys, "--stack", "a", "--endpoint", "http://127.0.0.1:1", "accounts", "list")[0] == 1
    assert run(capsys, "plans", "list")[0] == 0
    assert not accounts.list_accounts()


def test_unreachable_table(capsys, monkeypatch):
    def gone(*_, **__):
        raise StoreUnavailable("EndpointConnectionError")

    monkeypatch.setattr(store_client, "_call", gone)
    code, _, err = run(capsys, "accounts", "list")
    assert code == 1
    assert "cannot be reached" in err


@pytest.mark.parametrize("words", [(), ("accounts",), ("accounts", "create"), ("accounts", "create", "A", "--plan", "gold")])
def test_usage(words):
    with pytest.raises(SystemExit) as stopped:
        main(list(words))
    assert stopped.value.code == 2
