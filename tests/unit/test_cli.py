"""The `identity-os` command line."""

import pytest

from cli.main import main
from identity_service.store import accounts
from identity_service.store import dynamodb as store_client
from identity_service.store.dynamodb import StoreUnavailable
from tests.unit.stack import stored_instance

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
        (("accounts", "suspend", "acct_x"), "no account acct_x"),
        (("accounts", "resume", "acct_x"), "no account acct_x"),
        (("accounts", "delete", "acct_x", "--yes"), "no account acct_x"),
        (("instances", "list", "acct_x"), "no account acct_x"),
        (("usage", "acct_x"), "no account acct_x"),
        (("reset", "acct_x", "inst_x", "initial"), "no account acct_x"),
        (("export", "acct_x", "inst_x"), "no account acct_x"),
    ],
)
def test_unknown_accounts_and_keys(capsys, words, text):
    code, out, err = run(capsys, *words)
    assert (code, out) == (1, "")
    assert text in err
    assert len(err.splitlines()) == 1


def test_unknown_instance_of_a_known_account(capsys):
    account = run(capsys, "accounts", "create", "Acme")[1]
    for words in (("reset", account, "inst_x", "initial"), ("export", account, "inst_x")):
        assert run(capsys, *words) == (1, "", "identity-os: the account has no instance inst_x")


def test_export_to_a_folder_that_does_not_exist(capsys, pro, tmp_path):
    path = str(tmp_path / "missing" / "trail.jsonl")
    code, out, err = run(capsys, "export", pro.account_id, pro.new_instance(), "--to", path)
    assert (code, out, err) == (1, "", f"identity-os: {path}: No such file or directory")


@pytest.mark.parametrize("bad", ["", "  ", "a\nb", "\x1b[31mred", "a\tb", "a\u2028b", "a\u202eb", "\udcff", "x" * 101])
@pytest.mark.parametrize("words", [("accounts", "create"), ("keys", "create", "acct_x", "--name")], ids=["account", "key"])
def test_name_that_cannot_stand_in_a_list_is_refused_in_one_line(capsys, words, bad):
    code, out, err = run(capsys, *words, bad)
    assert (code, out) == (1, "")
    assert err.startswith("identity-os: the name ")
    assert len(err.splitlines()) == 1
    assert accounts.list_accounts() == []


def test_names_keep_their_characters_but_for_spaces_at_the_ends(capsys):
    account = run(capsys, "accounts", "create", " Zoë & Søn 株式会社 ")[1]
    run(capsys, "keys", "create", account, "--name", "ci/cd #1")
    assert accounts.get_account(account)["name"] == "Zoë & Søn 株式会社"
    assert [key["name"] for key in accounts.list_keys(account)] == ["ci/cd #1"]


def test_instances_of_an_account_are_listed_and_cannot_control_the_terminal(capsys, pro, free):
    one, other = pro.new_instance("Aria"), pro.new_instance("\x1b[2J\nroot")
    free.new_instance("not mine")
    for _ in range(3):
        pro.process(other)
    code, out, _ = run(capsys, "instances", "list", pro.account_id)
    header, *rows = (line.split() for line in out.splitlines())
    assert code == 0
    assert header == ["id", "created_at", "updated_at", "cycles", "energy", "name"]
    assert [(row[0], row[3], row[5]) for row in rows] == [(one, "0", "Aria"), (other, "3", r"\x1b[2J\nroot")]


def test_long_list_of_instances_is_complete(capsys, pro):
    names = [f"agent {number}" for number in range(105)]
    for name in names:
        stored_instance(pro.account_id, name)
    rows = run(capsys, "instances", "list", pro.account_id)[1].splitlines()[1:]
    assert sorted(row.split("  ")[-1] for row in rows) == sorted(names)


def test_usage_shows_what_is_used_and_left(capsys, free, stopped_clock):
    instance_id = free.new_instance()
    for _ in range(2):
        free.process(instance_id)
    for words in (("usage", free.account_id), ("usage", "show", free.account_id)):
        code, out, _ = run(capsys, *words)
        plan, _, *rows = out.splitlines()
        assert (code, plan) == (0, "plan free, active")
        assert [row.split()[-4:] for row in rows] == [
            ["3", "10", "7", "2026-03-24T10:16:00Z"],
            ["2", "10000", "9998", "2026-04-01T00:00:00Z"],
            ["1", "3", "2", "-"],
        ]


def test_usage_with_custom_limits_and_without_a_limit(capsys, pro):
    run(capsys, "accounts", "set-plan", pro.account_id, "pro", "--per-minute", "5", "--per-month", "7")
    pro.new_instance()
    rows = run(capsys, "usage", pro.account_id)[1].splitlines()[2:]
    assert [row.split()[-3] for row in rows] == ["5", "7", "unlimited"]


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
def test_incomplete_command_lines(words):
    with pytest.raises(SystemExit) as stopped:
        main(list(words))
    assert stopped.value.code == 2


def test_keys_have_a_scope_and_may_be_bound(pro, capsys):
    instance_id = pro.new_instance()
    code, secret, _ = run(capsys, "keys", "create", pro.account_id, "--scope", "agent", "--instance", instance_id)
    assert code == 0
    headers = {"Authorization": f"Bearer {secret.strip()}"}
    assert pro.get(f"/instances/{instance_id}", headers=headers).headers["X-Key-Scope"] == "agent"
    assert pro.post(f"/instances/{instance_id}/reset", json={"mode": "initial"}, headers=headers).status_code == 403
    header, *listed = run(capsys, "keys", "list", pro.account_id)[1].splitlines()
    assert header.split()[2:4] == ["scope", "bound_to"]
    assert sorted(line.split()[2:4] for line in listed) == [["agent", instance_id], ["operator", "-"]]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--instance", "{id}"), "add --scope agent or --scope read"),
        (("--scope", "agent", "--instance", "inst_0"), "no instance inst_0"),
        (("--scope", "read", *("--instance", "{id}") * 21), "at most 20 instances"),
    ],
    ids=["operator", "unknown", "many"],
)
def test_a_key_that_cannot_be_bound_is_not_made(pro, capsys, words, said):
    instance_id = pro.new_instance()
    code, out, error = run(capsys, "keys", "create", pro.account_id, *(word.format(id=instance_id) for word in words))
    assert (code, out) == (1, "")
    assert said in error
    assert len(accounts.list_keys(pro.account_id)) == 1


def test_a_decision_names_the_command_line_and_the_note(pro, capsys):
    instance_id = pro.new_instance()
    assert run(capsys, "reset", pro.account_id, instance_id, "rebaseline", "--note", "new job")[0] == 0
    row = pro.get(f"/instances/{instance_id}/audit").json()["data"][-1]
    assert (row["actor"], row["note"]) == ("command-line", "new job")
    code, _, error = run(capsys, "reset", pro.account_id, instance_id, "initial", "--note", "x" * 501)
    assert (code, error) == (1, "identity-os: --note: at most 500 characters")
