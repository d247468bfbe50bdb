"""How the Compute API words errors (API guide, "Faults")."""

import msgspec

from kilonova.web.errors import Fault

NAMES = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    409: "conflictingRequest",
    413: "overLimit",
    415: "badMediaType",
    429: "overLimit",
    501: "notImplemented",
    503: "serviceUnavailable",
}
"""What stands around a fault, by its status."""

OTHER = "computeFault"
"""For every other status."""
_encoder = msgspec.json.Encoder()


def fault_body(fault: Fault) -> tuple[bytes, str]:
    """`{"itemNotFound": {"code": 404, "message": ...}}`; a refused token is worded as all OpenStack services do."""
    if fault.status == 401:
        body = {"error": {"code": 401, "title": fault.title, "message": fault.message}}
    else:
        name = NAMES.get(fault.status, OTHER)
        body = {name: {"code": fault.status, "message": fault.message}}
    return _encoder.encode(body), "application/json"
