"""Encrypts the secrets of webhooks, with the account and the webhook as context: what was moved elsewhere does not open.

On AWS with a KMS key (IDENTITY_OS_WEBHOOK_KEY), on this machine with a key in a file (IDENTITY_OS_SECRET_FILE, mode 0600).
"""

import base64
import os
import secrets
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

_NONCE: Final = 12


class NoKey(Exception):
    """Nothing says with what secrets are encrypted."""


def new_secret() -> str:
    """A new secret, as Standard Webhooks writes them: whsec_ and 32 random bytes in base64."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"


def seal(secret: str, account_id: str, hook_id: str) -> bytes:
    """The encrypted secret."""
    key = os.environ.get("IDENTITY_OS_WEBHOOK_KEY")
    if key:
        context = _context(account_id, hook_id)
        answer = _kms().encrypt(KeyId=key, Plaintext=secret.encode(), EncryptionContext=context)
        return bytes(answer["CiphertextBlob"])
    nonce = secrets.token_bytes(_NONCE)
    return nonce + bytes(_file_cipher().encrypt(nonce, secret.encode(), _bound_to(account_id, hook_id)))


# A call of KMS for each delivery would cost more than the delivery.
@lru_cache(maxsize=512)
def unseal(sealed: bytes, account_id: str, hook_id: str) -> str:
    """The secret of a webhook; kept in memory by this process."""
    if os.environ.get("IDENTITY_OS_WEBHOOK_KEY"):
        answer = _kms().decrypt(CiphertextBlob=sealed, EncryptionContext=_context(account_id, hook_id))
        return bytes(answer["Plaintext"]).decode()
    opened = _file_cipher().decrypt(sealed[:_NONCE], sealed[_NONCE:], _bound_to(account_id, hook_id))
    return bytes(opened).decode()


def _context(account_id: str, hook_id: str) -> dict[str, str]:
    return {"account": account_id, "webhook": hook_id}


def _bound_to(account_id: str, hook_id: str) -> bytes:
    return f"{account_id}#{hook_id}".encode()


@cache
def _kms() -> Any:
    import botocore.session

    return botocore.session.get_session().create_client("kms")


def _file_cipher() -> Any:
    path = os.environ.get("IDENTITY_OS_SECRET_FILE")
    if not path:
        raise NoKey("set IDENTITY_OS_WEBHOOK_KEY to a KMS key, or IDENTITY_OS_SECRET_FILE to a file for a key")
    return _cipher_of(path)


@cache
def _cipher_of(path: str) -> Any:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # not in the layer: on AWS there is KMS

    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        # Written whole and then given its name, so that two processes agree on one key and none reads half of it.
        draft = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(base64.b64encode(secrets.token_bytes(32)))
        os.link(draft, file)
    except FileExistsError:
        pass
    finally:
        draft.unlink(missing_ok=True)
    return AESGCM(base64.b64decode(file.read_bytes()))
