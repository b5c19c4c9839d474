"""API keys: `idos_sk_`, 32 random base62 characters and a checksum of 6 characters (docs/api.md, "Keys").

The checksum is the CRC-32 of the characters before it, in base62, so that a typo is rejected without a look-up. A key has 190
bits of entropy, so a plain SHA-256 of it is stored: a slow hash would add latency, not security.
"""

import re
import secrets
from hashlib import sha256
from typing import Final
from zlib import crc32

PREFIX: Final = "idos_sk_"
_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET, _CHECKSUM = 32, 6
_SHAPE: Final = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_SECRET + _CHECKSUM}}}")


def new_key() -> str:
    """A new random key. The caller shows it once and stores only its hash."""
    body = PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(_SECRET))
    return body + _checksum(body)


def well_formed(key: str) -> bool:
    """Whether the shape and the checksum are right."""
    return _SHAPE.fullmatch(key) is not None and _checksum(key[:-_CHECKSUM]) == key[-_CHECKSUM:]


def key_hash(key: str) -> str:
    """SHA-256 of the key in hex, the form that is stored and looked up."""
    return sha256(key.encode()).hexdigest()


def _checksum(body: str) -> str:
    number = crc32(body.encode())
    digits = ""
    for _ in range(_CHECKSUM):
        number, digit = divmod(number, 62)
        digits = _ALPHABET[digit] + digits
    return digits
