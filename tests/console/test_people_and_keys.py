"""People, roles, invitations and keys: what is stored, who may, what is left behind."""

import re

import pytest

from identity_service.store import account_trail, accounts, invitations, users
from identity_service.store.account_trail import By
from tests.console.person import Person


def by(person):
    return By(person.user.id, person.user.email, "request")


def trail(person):
    return [(entry["what"], entry["actor"]) for entry in account_trail.latest(person.account_id)]


def test_each_change_leaves_who_when_what_and_the_request(owner, member):
    made = owner.post("/settings/keys", name="ci", scope="read")
    key = accounts.list_keys(owner.account_id)[0]["id"]
    revoked = owner.post(f"/settings/keys/{key}/revoke")
    owner.post("/settings/people/invitations", email="ada@acme.example", role="viewer")
    viewer = member("viewer")
    changed = owner.post(f"/settings/people/{viewer.user.ref}/role", role="operator")
    removed = owner.post(f"/settings/people/{viewer.user.ref}/remove")
    what = ["member.removed", "role.changed", "invitation.created", "key.revoked", "key.created", "account.created"]
    assert trail(owner) == [(name, owner.user.id) for name in what]
    entries = account_trail.latest(owner.account_id)
    by_request = {entry["request_id"]: entry["what"] for entry in entries}
    for response, name in (
        (made, "key.created"),
        (revoked, "key.revoked"),
        (changed, "role.changed"),
        (removed, "member.removed"),
    ):
        assert by_request[response.headers["X-Request-Id"]] == name
    assert all(entry["at"].endswith("Z") for entry in entries)


def test_a_key_is_shown_once_and_never_stored(owner):
    page = owner.post("/settings/keys", name="ci", scope="agent")
    (secret,) = set(re.findall(r"idos_sk_[0-9A-Za-z]{38}", page.text))
    principal = accounts.authenticate(secret)
    assert (principal.account_id, principal.scope, principal.plan) == (owner.account_id, "agent", "free")
    assert secret not in owner.get("/settings/keys").text
    assert secret[-4:] in owner.get("/settings/keys").text


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"name": " ", "scope": "agent"}, "Give the key a name"),
        ({"name": "x", "scope": "root"}, "Choose what the key may do"),
        ({"name": "x", "scope": "operator", "bound_to": "inst_1"}, "operator is for all agents"),
        ({"name": "x", "scope": "read", "bound_to": "inst_1"}, "There is no agent inst_1"),
        ({"name": "x", "scope": "read", "bound_to": " ".join(f"inst_{n}" for n in range(21))}, "at most 20"),
    ],
)
def test_a_form_that_does_not_work_says_why_and_keeps_what_was_typed(owner, fields, problem):
    page = owner.post("/settings/keys", **fields)
    assert (page.status_code, problem in page.text) == (400, True)
    assert accounts.list_keys(owner.account_id) == []


def test_a_key_is_bound_to_agents_of_the_account_and_no_other(owner, console):
    other = Person(console, "eve@elsewhere.example")
    mine, theirs = (made(person) for person in (owner, other))
    assert owner.post("/settings/keys", name="x", scope="agent", bound_to=theirs).status_code == 400
    assert owner.post("/settings/keys", name="x", scope="agent", bound_to=mine).status_code == 200
    assert accounts.list_keys(owner.account_id)[0]["bound_to"] == mine


def made(person):
    from identity_service.clock import now
    from identity_service.engines import birth
    from identity_service.store import instances
    from identity_service.store.audit_trail import Actor

    new = instances.new(person.account_id, "Aria", "", birth(), now(), Actor("test"))
    instances.create(new, 3)
    return new.head.id


def test_keys_of_another_account_are_not_there(owner, console):
    other = Person(console, "eve@elsewhere.example")
    key = accounts.create_key(other.account_id, "theirs")
    assert owner.get(f"/settings/keys/{key.id}/revoke").status_code == 404
    assert owner.post(f"/settings/keys/{key.id}/revoke").status_code == 404
    assert accounts.authenticate(key.secret) is not None


def test_keys_made_in_an_hour_are_limited(owner, stopped_clock):
    from functions.console.pages.keys import KEYS_AN_HOUR

    codes = [owner.post("/settings/keys", name="x", scope="read").status_code for _ in range(KEYS_AN_HOUR + 1)]
    assert codes == [200] * KEYS_AN_HOUR + [429]


def test_the_last_owner_stays(owner, member):
    for path, fields in (("role", {"role": "viewer"}), ("remove", {})):
        response = owner.post(f"/settings/people/{owner.user.ref}/{path}", **fields)
        assert (response.status_code, "An account keeps one owner" in response.text) == (409, True)
    second = member("owner")
    assert owner.post(f"/settings/people/{owner.user.ref}/role", role="viewer").status_code == 303
    assert owner.get("/settings/people").text.count("<form") == 1  # log out
    assert second.post(f"/settings/people/{second.user.ref}/remove").status_code == 409
    assert accounts.get_account(owner.account_id)["owners"] == 1


def test_two_owners_cannot_remove_each_other_at_once(owner, member, monkeypatch):
    second = member("owner")
    read = users._member

    def overtaken(account_id, ref):
        found = read(account_id, ref)
        monkeypatch.setattr(users, "_member", read)
        users.remove(account_id, second.user.ref, by(owner))
        return found

    monkeypatch.setattr(users, "_member", overtaken)
    with pytest.raises(users.LastOwner):
        users.remove(owner.account_id, owner.user.ref, by(second))
    assert [row["id"] for row in users.members(owner.account_id)] == [owner.user.id]


def test_an_invitation_is_for_one_address_once_for_seven_days(owner, console, stopped_clock):
    guest, other = Person(console, "guest@acme.example"), Person(console, "other@acme.example")
    token = invitations.invite(owner.account_id, "Guest@acme.example", "operator", by(owner))
    assert other.post(f"/invitations/{token}").status_code == 404
    stopped_clock.time += invitations.LASTS - 60
    guest, other = Person(console, "guest2@acme.example"), None
    late = invitations.invite(owner.account_id, "guest2@acme.example", "operator", by(owner))
    assert guest.post(f"/invitations/{late}").status_code == 303
    assert guest.post(f"/invitations/{late}").status_code in (303, 404)  # the session changed with the account
    assert [row["role"] for row in users.members(owner.account_id) if row["email"] == "guest2@acme.example"] == ["operator"]
    with pytest.raises(invitations.NoInvitation):
        invitations.find(late, "guest2@acme.example")
    assert invitations.find(token, "guest@acme.example").role == "operator"
    stopped_clock.time += 120
    with pytest.raises(invitations.NoInvitation):
        invitations.find(token, "guest@acme.example")


def test_a_withdrawn_invitation_is_none(owner):
    token = invitations.invite(owner.account_id, "guest@acme.example", "viewer", by(owner))
    (row,) = invitations.open_ones(owner.account_id)
    assert owner.post(f"/settings/people/invitations/{row['id']}/withdraw").status_code == 303
    assert owner.post(f"/settings/people/invitations/{row['id']}/withdraw").status_code == 404
    with pytest.raises(invitations.NoInvitation):
        invitations.find(token, "guest@acme.example")


@pytest.mark.parametrize("email", ["nobody", "a@b", "a b@c.example", "<x>@c.example", "a@c.example\nb@c.example"])
def test_an_address_that_is_none_gets_no_invitation(owner, email):
    assert owner.post("/settings/people/invitations", email=email, role="viewer").status_code == 400
    assert invitations.open_ones(owner.account_id) == []


def test_somebody_without_an_account_can_make_one(owner, member):
    viewer = member("viewer")
    users.remove(owner.account_id, viewer.user.ref, by(owner))
    page = viewer.get("/start")
    assert "You belong to no account here" in page.text
    assert viewer.post("/start").status_code == 303
    (own,) = users.accounts_of(viewer.user.ref)
    assert own != owner.account_id


def test_somebody_looks_at_their_own_accounts_alone(owner, console):
    other = Person(console, "eve@elsewhere.example")
    assert owner.post("/switch", account=other.account_id).status_code == 403
    assert owner.post("/switch", account=owner.account_id).status_code == 303
