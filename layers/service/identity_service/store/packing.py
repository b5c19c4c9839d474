"""Packs texts for the table: zlib with a preset dictionary. Bytes are money: DynamoDB charges a write by the kilobyte.

    one byte, the number of the dictionary · the zlib stream

A dictionary is a file of this package, a sample of what it packs: 1 for states, 2 for responses, 3 for observations and
snapshots. It is never changed, because what was packed with it must be read for ever: a better one gets the next number.
Digests are over the plain text, and exports hold it. Attributes that are strings were written before and are plain. Source:
docs/architecture.md, "The table".
"""

from functools import cache
from pathlib import Path
from typing import Final
from zlib import compressobj, decompressobj

STATE: Final = 1
RESPONSE: Final = 2
RECORD: Final = 3
#: zlib's level. 6 makes a state 6 % smaller than 3 does, in twice the time.
_LEVEL: Final = 3
_FOLDER: Final = Path(__file__).parent / "dictionaries"


@cache
def _dictionary(number: int) -> bytes:
    return (_FOLDER / f"{number}.txt").read_bytes()


def pack(text: str, dictionary: int) -> bytes:
    """The packed text; `dictionary` is STATE, RESPONSE or RECORD."""
    packer = compressobj(_LEVEL, zdict=_dictionary(dictionary))
    return bytes((dictionary,)) + packer.compress(text.encode()) + packer.flush()


def unpack(stored: bytes | str) -> str:
    """The plain text of an attribute."""
    if isinstance(stored, str):
        return stored
    unpacker = decompressobj(zdict=_dictionary(stored[0]))
    return (unpacker.decompress(stored[1:]) + unpacker.flush()).decode()
