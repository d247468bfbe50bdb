"""The gateway as an agent in another process reaches it: HTTP over a Unix socket, with the agent's secret."""

import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from kilonova.agent.gateway_client import Registered
from kilonova.agent.gateway_http import NotYours, Problem
from kilonova.agent.questions import Question
from kilonova.cells.agents import AgentReplaced
from kilonova.kernel.errors import KilonovaError, NotAuthenticated, NotFound, TooLarge, Unavailable
from kilonova.kernel.ids import OperationId
from kilonova.objects.guest import GuestImage
from kilonova.objects.history.wire import BadMessage
from kilonova.objects.host import WITHOUT_EPOCHS, Session

T = TypeVar("T")

ANSWER_S = 30.0
"""How long the gateway may take to answer, beyond what it was asked to wait."""
PIECE = 1 << 20

_ERRORS: Mapping[str, type[KilonovaError]] = {
    kind.code: kind for kind in (AgentReplaced, BadMessage, NotAuthenticated, NotFound, NotYours, TooLarge)
}
"""Errors that come across as what they are; all others mean that the gateway can't answer."""


class RemoteGateway:
    """Implements `GatewayClient`, `QuestionClient`, and `ImageStore` of drivers. `close` it."""

    def __init__(self, agent: str, secret: str, transport: httpx.AsyncBaseTransport) -> None:
        """Speak as `agent`; `transport` leads to the gateway, e.g. `unix_transport`."""
        self._agent = agent
        self._http = httpx.AsyncClient(
            base_url="http://gateway",
            headers={"Authorization": f"Bearer {secret}"},
            transport=transport,
            timeout=httpx.Timeout(ANSWER_S),
            trust_env=False,
        )

    async def close(self) -> None:
        """Let go of connections."""
        await self._http.aclose()

    async def register(
        self, agent: str, newest: str, descriptions: bytes, session: Session = WITHOUT_EPOCHS
    ) -> Registered:
        """See `GatewayClient.register`."""
        asked = {"newest": newest, "session": session.id, "epoch": session.epoch}
        return await self._ask(agent, "register", Registered, descriptions, **asked)

    async def beat(self, agent: str, epoch: int = 0) -> float:
        """See `GatewayClient.beat`."""
        return await self._ask(agent, "beat", float, epoch=epoch)

    async def renew(
        self, agent: str, held: Sequence[tuple[OperationId, int]], epoch: int = 0
    ) -> dict[OperationId, str]:
        """See `GatewayClient.renew`."""
        return await self._ask(agent, "renew", dict[OperationId, str], msgspec.json.encode(held), epoch=epoch)

    async def poll(self, agent: str, wait_s: float, epoch: int = 0) -> bytes:
        """See `GatewayClient.poll`."""
        return await self._send("POST", agent, "poll", wait_s=wait_s, epoch=epoch)

    async def report(self, agent: str, report: bytes) -> bool:
        """See `GatewayClient.report`."""
        return await self._ask(agent, "report", bool, report)

    async def observe(self, agent: str, guests: bytes, seen_after: float, epoch: int = 0) -> bytes:
        """See `GatewayClient.observe`."""
        return await self._send("POST", agent, "observe", guests, seen_after=seen_after, epoch=epoch)

    async def questions(self, agent: str, wait_s: float) -> list[Question]:
        """See `QuestionClient.questions`."""
        return await self._ask(agent, "questions", list[Question], wait_s=wait_s)

    async def answer_question(self, agent: str, question_id: str, text: str) -> None:
        """See `QuestionClient.answer_question`."""
        await self._send("POST", agent, "answer", text.encode(), id=question_id)

    async def image_content(self, image: GuestImage) -> AsyncIterator[bytes]:
        """See `ImageSource.image_content`."""
        async with self._exchange("GET", self._agent, "image", b"", id=image.id) as response:
            async for piece in response.aiter_bytes(PIECE):
                yield piece

    async def image_upload(self, image_id: str, content: AsyncIterator[bytes]) -> None:
        """See `ImageSink.image_upload`."""
        await self._send("PUT", self._agent, "image", content, id=image_id)

    async def _ask(self, agent: str, verb: str, shape: type[T], body: bytes = b"", **query: Any) -> T:
        answer = await self._send("POST", agent, verb, body, **query)
        try:
            return msgspec.json.decode(answer, type=shape)
        except (msgspec.ValidationError, msgspec.DecodeError) as error:
            raise BadMessage(why=str(error)) from error

    async def _send(
        self, method: str, agent: str, verb: str, body: bytes | AsyncIterator[bytes] = b"", **query: Any
    ) -> bytes:
        async with self._exchange(method, agent, verb, body, **query) as response:
            return await response.aread()

    @asynccontextmanager
    async def _exchange(
        self, method: str, agent: str, verb: str, body: bytes | AsyncIterator[bytes], **query: Any
    ) -> AsyncIterator[httpx.Response]:
        """One request and its good answer, still to be read. Raises what the gateway says."""
        timeout = httpx.Timeout(ANSWER_S, read=ANSWER_S + query.get("wait_s", 0.0))
        path = f"/{quote(agent, safe='')}/{verb}"
        try:
            async with self._http.stream(method, path, params=query, content=body, timeout=timeout) as response:
                if response.status_code >= 400:
                    raise _refusal(response.status_code, await response.aread())
                yield response
        except httpx.HTTPError as error:
            raise Unavailable(service="the gateway", reason=str(error) or type(error).__name__) from error


def unix_transport(path: Path) -> httpx.AsyncBaseTransport:
    """The way to a gateway that listens on the Unix socket at `path`, however long that path is.

    Unix sockets allow 107 bytes, and state directories may be longer: so it goes by way of a descriptor of the directory,
    which stays open as long as the process.
    """
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    return httpx.AsyncHTTPTransport(uds=f"/proc/self/fd/{directory}/{path.name}")


def _refusal(status: int, body: bytes) -> KilonovaError:
    try:
        problem = msgspec.json.decode(body, type=Problem)
    except (msgspec.ValidationError, msgspec.DecodeError):
        return Unavailable(service="the gateway", reason=f"it answered {status}")
    kind = _ERRORS.get(problem.code)
    if kind is None:
        return Unavailable(service="the gateway", reason=f"it answered {problem.code} ({status})")
    return kind(**problem.details)
