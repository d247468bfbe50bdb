"""How the Placement API words errors (Placement API, "Errors"): in JSON, or for people where JSON isn't taken."""

from html import escape
from typing import Any

import msgspec

from kilonova.kernel.errors import Invalid, NotAcceptable
from kilonova.placement.api.history import PLACEMENT
from kilonova.web.errors import Fault

UNDEFINED = "placement.undefined_code"
"""The code of errors that the API has no code of their own for."""

_encoder = msgspec.json.Encoder()


class MalformedVersion(Invalid):
    """invalid version string: {given}"""

    code = "malformed-version"


class UnsupportedVersion(NotAcceptable):
    """Unacceptable version header: {given}"""

    code = "unsupported-version"


def coded(fault: Fault) -> tuple[bytes, str]:
    """An error with its code, since 1.23."""
    code = fault.code if fault.code.startswith("placement.") else UNDEFINED
    return _body(fault, {"code": code})


def uncoded(fault: Fault) -> tuple[bytes, str]:
    """An error before 1.23."""
    return _body(fault, {})


def page(fault: Fault) -> tuple[bytes, str]:
    """An error for a client that takes HTML and no JSON."""
    title = f"{fault.status} {fault.title}"
    text = f"<html><head><title>{title}</title></head><body><h1>{title}</h1>{escape(fault.message)}</body></html>"
    return text.encode(), "text/html; charset=UTF-8"


def _body(fault: Fault, more: dict[str, Any]) -> tuple[bytes, str]:
    error = {
        "status": fault.status,
        "title": fault.title,
        "detail": fault.message,
        "request_id": fault.request_id,
        **more,
    }
    if fault.code == UnsupportedVersion.code:
        error |= {"min_version": PLACEMENT.labels[0], "max_version": PLACEMENT.labels[-1]}
    return _encoder.encode({"errors": [error]}), "application/json"
