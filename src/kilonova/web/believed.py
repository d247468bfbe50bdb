"""Callers taken at their word: for tests and judges that send who they are, on addresses that only this machine reaches.

`X-Auth-Token: USER[:PROJECT]` must be there. `X-Roles` (with commas between), `X-Project-Id` and `OpenStack-System-Scope` are
taken as given; without `X-Roles` the user `admin` has the role of that name and others have none. `Believing` folds what the
headers say into one token, which `BelievedTokens` reads.
"""

import msgspec
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Receive, Scope, Send

from kilonova.kernel.errors import NotAuthenticated
from kilonova.kernel.ids import ProjectId, UserId
from kilonova.objects.caller import Caller

ADMIN = "admin"
"""The user who has the role of the same name unless told otherwise."""


class BelievedTokens:
    """Reads tokens that `Believing` made."""

    async def caller(self, token: str) -> Caller:
        """The caller that the token describes. Raises `NotAuthenticated` for any other token."""
        try:
            return msgspec.json.decode(token.encode("latin-1"), type=Caller)
        except (msgspec.MsgspecError, UnicodeError) as error:
            raise NotAuthenticated from error


class Believing:
    """An ASGI application that hands requests on with their headers folded into the token."""

    def __init__(self, app: ASGIApp) -> None:
        """`app` must take tokens by `BelievedTokens`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; one without a token passes as it is."""
        headers = MutableHeaders(raw=list(scope["headers"]))
        if headers.get("x-auth-token"):
            headers["x-auth-token"] = msgspec.json.encode(believed(headers)).decode("latin-1")
            scope = {**scope, "headers": headers.raw}
        await self._app(scope, receive, send)


def believed(headers: Headers) -> Caller:
    """The caller that the headers describe."""
    user, _, project = headers["x-auth-token"].partition(":")
    system = headers.get("openstack-system-scope")
    given = headers.get("x-roles")
    roles = (
        (ADMIN,) if given is None and user == ADMIN else tuple(filter(None, map(str.strip, (given or "").split(","))))
    )
    return Caller(
        user_id=UserId(user),
        user_name=user,
        project_id=None if system else ProjectId(headers.get("x-project-id") or project or user),
        system_scope=system == "all",
        roles=roles,
    )
