"""The service that answers with pages; an error is a page too."""

from collections.abc import Callable, Sequence

from kilonova.health.web.html import el
from kilonova.health.web.page import page
from kilonova.kernel.errors import NotAuthenticated
from kilonova.objects.caller import Caller
from kilonova.runtime.runtime import Runtime
from kilonova.web.errors import Fault
from kilonova.web.routing import Route
from kilonova.web.service import Dialect, Service


class NoTokens:
    """Knows nobody: for pages that everybody on this machine may read."""

    async def caller(self, token: str) -> Caller:
        """Raises `NotAuthenticated`, whatever the token."""
        raise NotAuthenticated


def health_service(routes: Sequence[Route], runtime: Runtime) -> Service:
    """The service, to be mounted at `page.BASE`."""
    return Service(Dialect(name="health", error_body=_error_body(runtime.now)), routes, NoTokens(), runtime)


def _error_body(now: Callable[[], float]) -> Callable[[Fault], tuple[bytes, str]]:
    def body(fault: Fault) -> tuple[bytes, str]:
        reply = page(fault.title, el("p", fault.message), at=now(), here="", status=fault.status)
        assert isinstance(reply.body, bytes)
        return reply.body, reply.media_type

    return body
