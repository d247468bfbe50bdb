"""2.46: The request id is told in X-OpenStack-Request-ID too."""

from kilonova.kernel.versions import Change

CHANGES: tuple[Change, ...] = (
    Change(
        name="common-request-id",
        shape="headers",
        why="X-OpenStack-Request-ID tells the request id, as other services do.",
    ),
)
