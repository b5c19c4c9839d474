"""`make scopes`: which scope of a key each endpoint needs, as the table of docs/api.md. A test keeps the two alike."""

from identity_service.scopes import SCOPES, allows, needed
from local.openapi import document


def table() -> str:
    """The table in Markdown: one line for each operation of the API that needs a key."""
    lines = [f"| endpoint | {' | '.join(SCOPES)} |", f"|---|{'---|' * len(SCOPES)}"]
    for path, operations in document()["paths"].items():
        for method, operation in operations.items():
            if not operation["security"]:
                continue
            needs = needed(method.upper(), path)
            cells = ("yes" if allows(scope, needs) else "403" for scope in SCOPES)
            lines.append(f"| {method.upper()} {path} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
