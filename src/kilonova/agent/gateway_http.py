"""The gateway over HTTP, for agents that are other processes: what each may say is decided by its own secret.

Paths begin with the agent's name: `/{agent}/poll`. A request without an agent's secret is refused, and so is one in another
agent's name or about another agent's hosts. Images cross here too, those that the agent's steps name and no others, in the
gateway's own name: an agent never sees a user's token.
"""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from kilonova.agent.gateway_client import GatewayClient
from kilonova.agent.questions import QuestionClient
from kilonova.cells.agents import AgentReplaced
from kilonova.drivers.driver import ImageStore
from kilonova.kernel.errors import Forbidden, Invalid, KilonovaError, NotAuthenticated, NotFound, TooLarge, Unavailable
from kilonova.kernel.ids import HostName, OperationId
from kilonova.objects import host_action as do
from kilonova.objects.guest import Guest, GuestImage, HostDescription
from kilonova.objects.history import wire
from kilonova.objects.history.wire import WIRE
from kilonova.objects.host import Session
from kilonova.objects.host_step import HostReport, HostStep

T = TypeVar("T")
JSON = "application/json"
BODY_BYTES = 16 << 20
"""Longest message of an agent: some 50,000 guests, and more than any console."""
WAIT_S = 60.0
"""Longest wait of one request."""

STATUS: Mapping[type[KilonovaError], int] = {
    NotAuthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    AgentReplaced: 409,
    TooLarge: 413,
    Invalid: 400,
    Unavailable: 503,
}
"""The statuses of errors' families; 500 for all others."""


class NotYours(Forbidden):
    """The agent {agent} may not speak of {what}: it belongs to another one."""

    code = "not-your-host"


class Problem(msgspec.Struct, frozen=True):
    """The body of a refusal."""

    code: str
    details: dict[str, str]


@dataclass
class Access:
    """What the holder of one secret may do."""

    agent: str
    hosts: frozenset[HostName]
    gateway: GatewayClient
    """Of the cell that these hosts are in."""
    readable: dict[str, GuestImage] = field(default_factory=dict)
    """Images that its steps have needed since the gateway started, by id."""
    writable: set[str] = field(default_factory=set)
    """Ids of images that its steps have brought the content of."""

    def check(self, what: str, *hosts: HostName) -> None:
        """Raises `NotYours` unless all of `hosts` are this agent's."""
        if not self.hosts.issuperset(hosts):
            raise NotYours(agent=self.agent, what=what)

    def told(self, step: HostStep) -> None:
        """Let the agent have the images that this step is about."""
        action = step.action
        if isinstance(action, do.Spawn | do.Rescue | do.Rebuild | do.Receive | do.Incoming):
            parts = (action.spec.image, action.spec.kernel, action.spec.ramdisk)
            self.readable.update({image.id: image for image in parts if image is not None})
        elif isinstance(action, do.Snapshot):
            self.writable.add(action.image_id)


class GatewayService:
    """An ASGI application: the gateways of this process, for agents with a secret."""

    def __init__(self, access: Mapping[str, Access], questions: QuestionClient, images: ImageStore) -> None:
        """`access` by secret."""
        self._access = {_digest(secret): granted for secret, granted in access.items()}
        self._desk = questions
        self._images = images
        self._calls: Mapping[tuple[str, str], Callable[[Access, Request], Awaitable[Response]]] = {
            ("POST", "register"): self._register,
            ("POST", "beat"): self._beat,
            ("POST", "renew"): self._renew,
            ("POST", "poll"): self._poll,
            ("POST", "report"): self._report,
            ("POST", "observe"): self._observe,
            ("POST", "questions"): self._questions,
            ("POST", "answer"): self._answer,
            ("GET", "image"): self._image_read,
            ("PUT", "image"): self._image_write,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        try:
            response = await self._answered(request)
        except KilonovaError as error:
            status = next((code for family, code in STATUS.items() if isinstance(error, family)), 500)
            details = {name: str(value) for name, value in error.details.items()}
            response = Response(msgspec.json.encode(Problem(error.code, details)), status, media_type=JSON)
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    async def _answered(self, request: Request) -> Response:
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        access = self._access.get(_digest(secret)) if scheme == "Bearer" else None
        if access is None:
            raise NotAuthenticated
        _, agent, verb, *_ = [*request.url.path.split("/", 2), "", ""]
        if agent != access.agent:
            raise NotYours(agent=access.agent, what=f"the agent {agent}")
        call = self._calls.get((request.method, verb))
        if call is None:
            raise NotFound(kind="Call", id=verb)
        return await call(access, request)

    async def _register(self, access: Access, request: Request) -> Response:
        body = await _body(request)
        described = wire.read(WIRE, body, HostDescription)
        access.check("a host", *(host.name for host in described))
        newest = _query(request, "newest")
        session = Session(id=_query(request, "session")[:36], epoch=_epoch(request))
        answer = await access.gateway.register(access.agent, newest, body, session)
        return _json(answer if session.id else answer.level)  # programs that know no epochs expect the level alone

    async def _beat(self, access: Access, request: Request) -> Response:
        return _json(await access.gateway.beat(access.agent, _epoch(request)))

    async def _renew(self, access: Access, request: Request) -> Response:
        held = _decoded(await _body(request), list[tuple[OperationId, int]])
        return _json(await access.gateway.renew(access.agent, held, _epoch(request)))

    async def _poll(self, access: Access, request: Request) -> Response:
        steps = await access.gateway.poll(access.agent, _seconds(request), _epoch(request))
        for step in wire.read(WIRE, steps, HostStep):
            access.told(step)
        return Response(steps, media_type=JSON)

    async def _report(self, access: Access, request: Request) -> Response:
        body = await _body(request)
        for said in wire.read(WIRE, body, HostReport):
            if said.guest is not None:
                access.check("a guest", said.guest.host)
        return _json(await access.gateway.report(access.agent, body))

    async def _observe(self, access: Access, request: Request) -> Response:
        body = await _body(request)
        access.check("a guest", *{guest.host for guest in wire.read(WIRE, body, Guest)})
        seen_after = _number(_query(request, "seen_after"))
        answer = await access.gateway.observe(access.agent, body, seen_after, _epoch(request))
        return Response(answer, media_type=JSON)

    async def _questions(self, access: Access, request: Request) -> Response:
        questions = await self._desk.questions(access.agent, _seconds(request))
        access.readable.update({asked.image.id: asked.image for asked in questions if asked.image is not None})
        return _json(questions)

    async def _answer(self, access: Access, request: Request) -> Response:
        text = (await _body(request)).decode(errors="replace")
        await self._desk.answer_question(access.agent, _query(request, "id"), text)
        return _json(None)

    async def _image_read(self, access: Access, request: Request) -> Response:
        image = access.readable.get(_query(request, "id"))
        if image is None:
            raise NotYours(agent=access.agent, what="this image")
        return StreamingResponse(self._images.image_content(image), media_type="application/octet-stream")

    async def _image_write(self, access: Access, request: Request) -> Response:
        image_id = _query(request, "id")
        if image_id not in access.writable:
            raise NotYours(agent=access.agent, what="this image")
        await self._images.image_upload(image_id, request.stream())
        return _json(None)


def _digest(secret: str) -> bytes:
    """What secrets are looked up by, so that the time of a look-up tells nothing of them."""
    return hashlib.sha256(secret.encode()).digest()


def _json(answer: object) -> Response:
    return Response(msgspec.json.encode(answer), media_type=JSON)


async def _body(request: Request) -> bytes:
    """The whole message. Raises `TooLarge`."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > BODY_BYTES:
            raise TooLarge(limit=BODY_BYTES)
    return bytes(body)


def _decoded(body: bytes, shape: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise wire.BadMessage(why=str(error)) from error


def _query(request: Request, name: str) -> str:
    return request.query_params.get(name, "")


def _epoch(request: Request) -> int:
    """The epoch at which an agent speaks; 0 from programs that know none."""
    return int(_number(_query(request, "epoch") or "0"))


def _seconds(request: Request) -> float:
    return min(WAIT_S, max(0.0, _number(_query(request, "wait_s"))))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise wire.BadMessage(why=f"{text!r} is no number") from error
