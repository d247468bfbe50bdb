"""One table from families of errors to HTTP, and what an error is by the time a service words it."""

from dataclasses import dataclass

from kilonova.kernel import errors

STATUS: tuple[tuple[type[errors.KilonovaError], int], ...] = (
    (errors.NotAuthenticated, 401),
    (errors.OverLimit, 403),
    (errors.Forbidden, 403),
    (errors.NotFound, 404),
    (errors.NotAcceptable, 406),
    (errors.Conflict, 409),
    (errors.Gone, 410),
    (errors.TooLarge, 413),
    (errors.UnsupportedMedia, 415),
    (errors.Invalid, 400),
    (errors.Failure, 500),
    (errors.NotImplementedHere, 501),
    (errors.Unavailable, 503),
)
"""The first family that fits decides; an error of no family is a 500 that tells no details."""

TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    409: "Conflict",
    410: "Gone",
    413: "Request Entity Too Large",
    415: "Unsupported Media Type",
    429: "Too Many Requests",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
}

MESSAGE_MAX = 2000
"""Longest error text that leaves the service, in characters."""


@dataclass(frozen=True)
class Fault:
    """An error on its way out, before a service puts it into its own words."""

    status: int
    message: str
    code: str
    request_id: str
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def title(self) -> str:
        """The status in words."""
        return TITLES[self.status]


def fault_of(error: Exception, request_id: str) -> Fault:
    """What `error` is to a client. An error that is nobody's doing but ours tells no details."""
    if isinstance(error, errors.KilonovaError):
        for family, status in STATUS:
            if isinstance(error, family):
                headers = (("Retry-After", "2"),) if status == 503 else ()
                return Fault(status, error.message[:MESSAGE_MAX], error.code, request_id, headers)
    message = (
        "Unexpected error. The server has logged it; please tell the operator of this cloud "
        f"the request id {request_id}."
    )
    return Fault(500, message, "internal", request_id)
