"""What the readers of all systems share. Documents are as their systems send them, so any part may be missing or odd."""

import hashlib
from typing import Any
from urllib.parse import urlsplit

import msgspec

from kilonova.kernel.errors import Invalid

_decode = msgspec.json.Decoder().decode


class BadDocument(Invalid):
    """{what} can't be read: {reason}"""

    code = "bad-document"


def decoded(payload: bytes, what: str) -> dict[str, Any]:
    """A JSON object. Raises `BadDocument` for anything else."""
    try:
        document = _decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadDocument(what=what, reason=str(error)) from error
    if not isinstance(document, dict):
        raise BadDocument(what=what, reason="it is no JSON object")
    return document


def digest(payload: bytes) -> str:
    """What makes a document known again."""
    return hashlib.blake2b(payload, digest_size=16).hexdigest()


def part(document: dict[str, Any], name: str) -> dict[str, Any]:
    """An object in `document`; empty where there is none."""
    found = document.get(name)
    return found if isinstance(found, dict) else {}


def text(document: dict[str, Any], name: str) -> str:
    """A string in `document`; empty where there is none."""
    found = document.get(name)
    return found if isinstance(found, str) else ""


def number(document: dict[str, Any], name: str) -> int:
    """A whole number in `document`, which Gerrit writes as a string at times; 0 where there is none."""
    try:
        return int(document.get(name) or 0)
    except (TypeError, ValueError):
        return 0


def host_of(url: str) -> str:
    """The host in a URL, in small letters; empty where there is none."""
    return (urlsplit(url).hostname or "").lower() if url else ""
