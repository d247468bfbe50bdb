"""Request ids: every answer and every line of the log it caused carries one (API guide, "Faults")."""

from contextvars import ContextVar

from kilonova.runtime.runtime import Runtime

current: ContextVar[str] = ContextVar("request_id", default="-")
"""The request that the running task works for; `-` outside requests."""


def new(runtime: Runtime) -> str:
    """A new request id, `req-` and a UUID."""
    return f"req-{runtime.uuid()}"


def headers(service: str, request_id: str) -> tuple[tuple[str, str], ...]:
    """The headers that tell it: OpenStack's own for every service, and Compute's older one."""
    told = (("X-Openstack-Request-Id", request_id),)
    return (*told, ("X-Compute-Request-Id", request_id)) if service == "compute" else told
