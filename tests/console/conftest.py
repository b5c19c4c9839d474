"""Fixtures of the console: its settings, somebody who owns an account, others in that account, a stranger."""

import httpx
import pytest

from tests.conftest import _InProcess
from tests.console.person import BASE, Person, configured


@pytest.fixture
def console(edge, monkeypatch):
    """The local edge with the console configured."""
    with configured(monkeypatch):
        yield edge


@pytest.fixture
def owner(console):
    """Somebody who signed up: the owner of an account."""
    return Person(console)


@pytest.fixture
def member(console, owner):
    """Makes a member of the owner's account: member("viewer")."""
    return lambda role, email="ada@acme.example": Person(console, email, owner.account_id, role)


@pytest.fixture
def stranger(console):
    """A client without a session."""
    return httpx.Client(transport=_InProcess(console), base_url=BASE)
