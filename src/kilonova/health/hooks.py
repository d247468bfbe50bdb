"""Events as GitHub and Gerrit post them when they happen. What doesn't prove where it is from changes nothing.

An event is known by the digest of its body, so one that is posted again, under whatever name, doubles nothing. That an event came
says nothing of those before it: up to when nothing is missing is moved by imports only.
Source: GitHub documentation, "Validating webhook deliveries"; Gerrit's plugin `webhooks`, which posts what `stream-events` prints
and can add no header, so its URL has the token.
"""

import hmac

from kilonova.health.ci.importing import reader
from kilonova.health.ci.sources.github import check_signature, webhook
from kilonova.health.document import BadDocument, digest
from kilonova.health.importing import Importer, Read
from kilonova.health.store import EventStore
from kilonova.health.web.answers import asked
from kilonova.kernel.errors import Forbidden
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Body, Route

HOOK_MAX = 5 << 20
"""Largest event that is taken, in bytes."""


class BadToken(Forbidden):
    """The URL's token is not the one that was agreed on; nothing was kept."""

    code = "bad-token"


class Hooks:
    """The handlers."""

    def __init__(self, store: EventStore, github_secret: str | None, gerrit_token: str | None) -> None:
        """Keep events in `store`. Where a secret is not set, its address is not there."""
        self._store = store
        self._secret = (github_secret or "").encode()
        self._token = (gerrit_token or "").encode()

    def routes(self) -> list[Route]:
        """Where they are, below the mount."""
        handlers = {"/hooks/github": self.github} if self._secret else {}
        handlers |= {"/hooks/gerrit": self.gerrit} if self._token else {}
        return [
            Route(method="POST", path=path, handler=handler, body=Body.STREAM, public=True)
            for path, handler in handlers.items()
        ]

    async def github(self, call: Call) -> Reply:
        """POST /hooks/github: a webhook of GitHub. Raises `BadSignature`, `BadDocument`, `TooLarge`."""
        body = await call.read(HOOK_MAX)
        check_signature(body, self._secret, call.headers.get("x-hub-signature-256"))
        kind = call.headers.get("x-github-event", "")
        return await self._keep(body, lambda document: webhook(document, kind, digest(document)))

    async def gerrit(self, call: Call) -> Reply:
        """POST /hooks/gerrit?token=...: an event of Gerrit's stream. Raises `BadToken`, `BadDocument`, `TooLarge`."""
        if not hmac.compare_digest(asked(call, "token").encode(), self._token):
            raise BadToken
        return await self._keep(await call.read(HOOK_MAX), reader("gerrit-events", None))

    async def _keep(self, body: bytes, read: Read) -> Reply:
        importer = Importer(self._store, read)
        importer.take(body, "the event")
        await importer.keep()
        done = importer.imported
        if done.refused:
            raise BadDocument(what="the event", reason=done.reasons[0])
        return Reply({"new": done.new, "known": done.known, "silent": done.silent})
