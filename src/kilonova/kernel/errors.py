"""The families of errors. An error's docstring is its message; its code is permanent; `web/errors.py` maps families to HTTP.

A refusal that callers are expected to handle is a typed result; these are for what ends a request.
"""

from typing import ClassVar


class KilonovaError(Exception):
    """Something went wrong in Kilonova; the log of this request has the details."""

    code: ClassVar[str] = "internal"

    def __init__(self, **details: object) -> None:
        """Keep the details as attributes of `details`, and fill the message's placeholders with them."""
        self.details = details
        template = " ".join((type(self).__doc__ or "").split())
        self.message = template.format_map(details)
        super().__init__(self.message)

    @property
    def for_operators(self) -> str:
        """The whole story, which may name what users must not see: the detail `for_operators`, else the message."""
        return str(self.details.get("for_operators", self.message))


class Invalid(KilonovaError):
    """{reason}"""

    code = "invalid"


class NotAuthenticated(KilonovaError):
    """The request you have made requires authentication."""

    code = "not-authenticated"


class Forbidden(KilonovaError):
    """Policy doesn't allow {rule} to be performed."""

    code = "forbidden"


class OverLimit(KilonovaError):
    """Quota exceeded for {resource}: Requested {requested}, but already used {used} of {limit} {resource}."""

    code = "over-limit"


class NotFound(KilonovaError):
    """{kind} {id} could not be found."""

    code = "not-found"


class Conflict(KilonovaError):
    """{reason}"""

    code = "conflict"


class TooLarge(KilonovaError):
    """The request is larger than the {limit} bytes that are allowed."""

    code = "too-large"


class UnsupportedMedia(KilonovaError):
    """{reason}"""

    code = "unsupported-media"


class NotAcceptable(KilonovaError):
    """{reason}"""

    code = "not-acceptable"


class Gone(KilonovaError):
    """This resource is no longer available. No forwarding address is given."""

    code = "gone"


class Failure(KilonovaError):
    """{reason}"""

    code = "failure"


class NotImplementedHere(KilonovaError):
    """{reason}"""

    code = "not-implemented"


class Unavailable(KilonovaError):
    """{service} cannot answer just now: {reason}. The request may be repeated."""

    code = "unavailable"
