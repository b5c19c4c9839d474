"""`identity-os-guard reset`: a person decides about an agent that is held.

Over the API the key must be an operator's.
"""

import argparse

from identity_os_sdk import models as m
from identity_os_sdk.client import IdentityOS
from identity_os_sdk.commands import engine
from identity_os_sdk.errors import ConfigurationError, InvalidArgumentError, PermissionDeniedError

MODES = {
    "last_stable": "back to the last stable state, its stress put to rest",
    "rebaseline": "the agent as it is now is the new normal",
    "initial": "as it was born",
    "default": "as a new agent",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--agent", required=True, metavar="NAME", help="the agent's name")
    engine.add_engine(parser)
    meanings = "; ".join(f"{mode}: {what}" for mode, what in MODES.items())
    parser.add_argument("reset_mode", metavar="MODE", choices=tuple(MODES), help=meanings)
    parser.add_argument("--note", metavar="TEXT", help="why; over the API the audit trail keeps it")


def run(options: argparse.Namespace) -> int:
    """Reset the agent, and say what it may do now."""
    client, _ = engine.open_engine(options.engine)
    if isinstance(client, IdentityOS):
        found = client.instances.list(limit=1, order="asc", name=options.agent).data
        done, contract = _over_the_api(client, found[0].id if found else _unknown(options.agent), options)
    else:
        instance_id = client.find(options.agent) or _unknown(options.agent)
        done, contract = client.reset(instance_id, options.reset_mode), client.get_contract(instance_id)
    print(f"{options.agent}: {done.reset_to}, stress {contract.stress_state}, allowed: {', '.join(contract.allowed_actions)}")
    return 0


def _over_the_api(client: IdentityOS, instance_id: str, options: argparse.Namespace) -> tuple[m.Reset, m.Contract]:
    try:
        return client.engine.reset(instance_id, options.reset_mode, options.note), client.engine.get_contract(instance_id)
    except PermissionDeniedError as error:
        why = f"its scope is {error.scope}, and this needs {error.needs}" if error.needs else error.message
        raise ConfigurationError(f"this key may not decide about an agent: {why}") from error


def _unknown(name: str) -> str:
    raise InvalidArgumentError(f"there is no agent of the name {name!r}")
