"""Client of Identity OS: report what your agent did, and get the contract of what it may do now.

client = IdentityOS(api_key="idos_sk_...")
instance = client.instances.create(name="Aria")
result = client.engine.process(instance.id, Mode.EXPLORATION, 0.8)
with result.contract.guard("execute"):
    ...
"""

from identity_os_sdk.client import IdentityOS, IdentityOSAsync
from identity_os_sdk.errors import (
    ActionNotAllowedError,
    APIError,
    AuthenticationError,
    ConfigurationError,
    ConflictError,
    ConnectionFailedError,
    EscalatedError,
    IdentityOSError,
    IncompleteTestError,
    InstanceLimitError,
    InvalidArgumentError,
    InvalidRequestError,
    MalformedAnswerError,
    NotFoundError,
    PausedError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitError,
    ServerError,
    SignatureError,
    TimeoutFailedError,
    UnknownActionError,
)
from identity_os_sdk.guard import Guard, GuardAsync, Verdict
from identity_os_sdk.models import Action, Contract, Mode, Observation
from identity_os_sdk.tools import ToolPolicy
from identity_os_sdk.transport import LastResponse, RateLimit

__version__ = "1.1.0"

__all__ = [
    "APIError",
    "Action",
    "ActionNotAllowedError",
    "AuthenticationError",
    "ConfigurationError",
    "ConflictError",
    "ConnectionFailedError",
    "Contract",
    "EscalatedError",
    "Guard",
    "GuardAsync",
    "IdentityOS",
    "IdentityOSAsync",
    "IdentityOSError",
    "IncompleteTestError",
    "InstanceLimitError",
    "InvalidArgumentError",
    "InvalidRequestError",
    "LastResponse",
    "MalformedAnswerError",
    "Mode",
    "NotFoundError",
    "Observation",
    "PausedError",
    "PermissionDeniedError",
    "QuotaExceededError",
    "RateLimit",
    "RateLimitError",
    "ServerError",
    "SignatureError",
    "TimeoutFailedError",
    "ToolPolicy",
    "UnknownActionError",
    "Verdict",
]
