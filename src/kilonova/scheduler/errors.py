"""What a request can be refused for before any host is looked at."""

from kilonova.kernel.errors import Invalid


class BadExtraSpec(Invalid):
    """The extra spec {key}={value} of the flavor or image can't be used: {reason}"""

    code = "bad-extra-spec"
