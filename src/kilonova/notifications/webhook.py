"""Notifications to a URL: each a signed POST, one after the other, so that they arrive in order."""

import hashlib
import hmac
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from kilonova.kernel.errors import Unavailable
from kilonova.notifications.publisher import Message
from kilonova.runtime.runtime import Runtime

if TYPE_CHECKING:
    import httpx

TIMEOUT_S = 10.0
"""How long an answer is waited for."""
SIGNATURE, TIMESTAMP, MESSAGE = "X-Kilonova-Signature", "X-Kilonova-Timestamp", "X-Kilonova-Message-Id"


class Webhook:
    """Posts to one URL; an answer of 2xx takes a notification."""

    def __init__(self, url: str, secret: str, runtime: Runtime, client: "httpx.AsyncClient | None" = None) -> None:
        """Sign with `secret`; `client` is made when it is first needed."""
        self._url = url
        self._secret = secret.encode()
        self._runtime = runtime
        self._client = client

    async def send(self, messages: Sequence[Message]) -> int:
        """Post them until one is not taken. Raises `Unavailable` when that is the first."""
        for taken, message in enumerate(messages):
            refusal = await self._refusal(message)
            if refusal is not None:
                if taken:
                    return taken
                raise Unavailable(service=f"the webhook {self._url}", reason=refusal)
        return len(messages)

    async def close(self) -> None:
        """End its connections."""
        if self._client is not None:
            await self._client.aclose()

    async def _refusal(self, message: Message) -> str | None:
        """Why it was not taken; None when it was."""
        import httpx  # noqa: PLC0415 - costs a tenth of a cold start, and is for those who have a webhook

        if self._client is None:
            self._client = httpx.AsyncClient(timeout=TIMEOUT_S)
        body = msgspec.json.encode(message)
        now = str(int(self._runtime.now()))
        headers = {
            "Content-Type": "application/json",
            SIGNATURE: signature(self._secret, now, body),
            TIMESTAMP: now,
            MESSAGE: message.message_id,
        }
        try:
            answer = await self._client.post(self._url, content=body, headers=headers)
        except httpx.HTTPError as error:
            return str(error) or type(error).__name__
        return None if answer.is_success else f"it answered {answer.status_code}"


def signature(secret: bytes, timestamp: str, body: bytes) -> str:
    """`sha256=` and the HMAC of timestamp, a dot and body, in hexadecimal digits."""
    return "sha256=" + hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
