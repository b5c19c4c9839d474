"""What a person may do in an account.

    viewer     sees everything, changes nothing
    operator   also decides about agents, creates and revokes keys
    owner      also invites people, changes their roles, removes them

An account always has an owner. Keys have scopes of their own (`scopes`). Source: docs/console.md, "People".
"""

from typing import Final

VIEWER: Final = "viewer"
OPERATOR: Final = "operator"
OWNER: Final = "owner"
#: All roles; each may do what those before it may do.
ROLES: Final = (VIEWER, OPERATOR, OWNER)


def covers(role: str, needs: str) -> bool:
    """Whether a person with this role may do what needs that one. A role that nobody knows covers nothing."""
    return role in ROLES and ROLES.index(role) >= ROLES.index(needs)
