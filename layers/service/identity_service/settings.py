"""Settings from environment variables, read once. botocore itself reads DynamoDB's endpoint, AWS_ENDPOINT_URL_DYNAMODB."""

import os
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True)
class Settings:
    """`table`: name of the DynamoDB table. `docs_enabled`: serve interactive docs (never in production)."""

    table: str
    docs_enabled: bool


@cache
def settings() -> Settings:
    """The settings of this process."""
    return Settings(
        table=os.environ.get("IDENTITY_OS_TABLE", "identity-os"),
        docs_enabled=os.environ.get("IDENTITY_OS_DOCS_ENABLED", "").lower() == "true",
    )
