"""What an agent may ask of its cell's gateway, in the same process and over HTTP."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import msgspec
import pytest

from contract.hypervisors import guest_spec
from kilonova.agent.gateway import Gateway
from kilonova.agent.gateway_client import GatewayClient
from kilonova.agent.gateway_http import BODY_BYTES, Access, GatewayService, NotYours
from kilonova.agent.gateway_remote import RemoteGateway
from kilonova.agent.questions import HostSilent, QuestionDesk
from kilonova.cells.agents import AgentReplaced
from kilonova.kernel.errors import NotAuthenticated, TooLarge, Unavailable
from kilonova.kernel.ids import HostName, OperationId
from kilonova.objects.diagnostics import diagnostics_of
from kilonova.objects.guest import Guest, GuestImage, HostDescription, PowerState
from kilonova.objects.history import wire
from kilonova.objects.history.wire import WIRE, BadMessage
from kilonova.objects.host import Session
from kilonova.objects.host_action import AnyHostAction, Snapshot, Spawn
from kilonova.objects.host_step import HostReport, HostStep, Order
from kilonova.objects.server import VmState
from unit.agent.test_agent import accept_action, now_of, put
from unit.operations.rig import CELL1, HOST, Rig, description, play, server_id

OTHER = HostName("host-2")
SESSION = Session(id="session", epoch=1)
SECRETS = {"agent": "agent's secret", "other": "other's secret"}
IMAGE = GuestImage(id="image", disk_format="raw", size=7, sha512="0" * 128)


@dataclass
class Store:
    """An image store in memory. Implements `ImageSource` and `ImageSink`."""

    contents: dict[str, bytes] = field(default_factory=dict)

    async def image_content(self, image: GuestImage) -> AsyncIterator[bytes]:
        for number in self.contents[image.id]:
            yield bytes([number])

    async def image_upload(self, image_id: str, content: AsyncIterator[bytes]) -> None:
        self.contents[image_id] = b"".join([piece async for piece in content])


@dataclass
class Site:
    """A gateway with two agents, one host each, reached directly or over HTTP."""

    rig: Rig
    clients: dict[str, Any]
    desk: QuestionDesk
    store: Store
    access: dict[str, Access]
    service: GatewayService

    @property
    def agent(self) -> GatewayClient:
        client: GatewayClient = self.clients["agent"]
        return client

    @property
    def other(self) -> GatewayClient:
        client: GatewayClient = self.clients["other"]
        return client

    async def registered(self) -> None:
        for name, host in (("agent", HOST), ("other", OTHER)):
            await self.clients[name].register(name, WIRE.newest.label, described(host), SESSION)


Work = Callable[[Site], Awaitable[None]]


def described(*hosts: HostName) -> bytes:
    return wire.told(WIRE.newest, [description(host) for host in hosts], HostDescription)


async def site_of(rig: Rig, way: str) -> Site:
    parts = await rig.parts("gateway")
    gateway = Gateway(parts, parts.cells.get(CELL1))
    agents = {HOST: "agent", OTHER: "other"}
    desk, store = QuestionDesk(parts.runtime, agents.__getitem__), Store()
    access = {SECRETS[agent]: Access(agent, frozenset({host}), gateway) for host, agent in agents.items()}
    service = GatewayService(access, desk, store)
    clients: dict[str, Any] = dict.fromkeys(SECRETS, gateway)
    if way == "http":
        clients = {agent: remote(service, agent, secret) for agent, secret in SECRETS.items()}
    return Site(rig, clients, desk, store, {granted.agent: granted for granted in access.values()}, service)


def remote(service: GatewayService, agent: str, secret: str) -> RemoteGateway:
    return RemoteGateway(agent, secret, httpx.ASGITransport(service))


def played(work: Work, way: str) -> None:
    async def on(rig: Rig) -> None:
        await work(await site_of(rig, way))

    play(on)


ways = pytest.mark.parametrize("way", ["direct", "http"])


@ways
def test_register_and_beat__the_host_is_there(way: str) -> None:
    async def work(site: Site) -> None:
        answer = await site.agent.register("agent", "1.0", described(HOST), SESSION)
        assert (answer.level, answer.epoch, answer.held) == ("1.0", 1, True)
        first = await site.agent.beat("agent", 1)
        assert first == pytest.approx(answer.time, abs=1.0)
        await asyncio.sleep(10.0)
        assert await site.agent.beat("agent", 1) == pytest.approx(first + 10.0, abs=1.0)

    played(work, way)


@ways
def test_step__polled_renewed_reported_once(way: str) -> None:
    async def work(site: Site) -> None:
        await site.registered()
        put(site.rig)
        accept_action(site.rig, "stop")
        (step,) = wire.read(WIRE, await site.agent.poll("agent", 0.1, 1), HostStep)
        assert step.server_id == server_id()
        assert wire.read(WIRE, await site.other.poll("other", 0.1, 1), HostStep) == []
        held = [(step.operation_id, step.epoch), (OperationId("another"), 1)]
        assert await site.agent.renew("agent", held, 1) == {step.operation_id: ""}
        off = Guest(server_id=server_id(), host=HOST, generation=2, power_state=PowerState.SHUTDOWN)
        said = [HostReport(operation_id=step.operation_id, epoch=step.epoch, host_epoch=step.host_epoch, guest=off)]
        message = wire.told(WIRE.newest, said, HostReport)
        assert await site.agent.report("agent", message)
        assert not await site.agent.report("agent", message)
        assert now_of(site.rig).vm_state is VmState.STOPPED

    played(work, way)


@ways
def test_poll__waits_for_a_step(way: str) -> None:
    async def work(site: Site) -> None:
        await site.registered()
        put(site.rig)
        waiting = asyncio.ensure_future(site.agent.poll("agent", 50.0, 1))
        await asyncio.sleep(1.0)
        accept_action(site.rig, "stop")
        site.rig.broker.publish(f"cell/{CELL1}/hosts")
        assert len(wire.read(WIRE, await asyncio.wait_for(waiting, 1.0), HostStep)) == 1

    played(work, way)


@ways
def test_observe__power_is_taken_over_and_orders_come_back(way: str) -> None:
    async def work(site: Site) -> None:
        await site.registered()
        put(site.rig, 1)
        put(site.rig, 2, host=OTHER)
        shown = [
            Guest(server_id=server_id(1), host=HOST, generation=1, power_state=PowerState.SHUTDOWN),
            Guest(server_id=server_id(2), host=HOST, generation=1, power_state=PowerState.RUNNING),
        ]
        answer = await site.agent.observe("agent", wire.told(WIRE.newest, shown, Guest), 0.0, 1)
        assert [order.server_id for order in wire.read(WIRE, answer, Order)] == [server_id(2)]
        assert now_of(site.rig, 1).vm_state is VmState.STOPPED

    played(work, way)


@ways
def test_nonsense__is_a_bad_message(way: str) -> None:
    async def work(site: Site) -> None:
        await site.registered()
        with pytest.raises(BadMessage):
            await site.agent.report("agent", b'{"level": "99.0", "documents": []}')
        with pytest.raises(BadMessage):
            await site.agent.observe("agent", b"nonsense", 0.0)

    played(work, way)


@ways
def test_session_that_was_replaced__is_told_so_whatever_it_asks(way: str) -> None:
    async def work(site: Site) -> None:
        await site.registered()
        later = Session(id="later", epoch=2)
        assert (await site.agent.register("agent", WIRE.newest.label, described(HOST), later)).held
        for call in (
            site.agent.beat("agent", 1),
            site.agent.renew("agent", [], 1),
            site.agent.poll("agent", 0.1, 1),
            site.agent.observe("agent", wire.told(WIRE.newest, [], Guest), 0.0, 1),
        ):
            with pytest.raises(AgentReplaced, match="agent"):
                await call
        again = await site.agent.register("agent", WIRE.newest.label, described(HOST), SESSION)
        assert (again.epoch, again.held) == (2, False)
        await site.agent.beat("agent", 2)

    played(work, way)


def test_program_that_knows_no_epochs__is_understood() -> None:
    async def work(site: Site) -> None:
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(site.service),
            base_url="http://gateway",
            headers={"Authorization": f"Bearer {SECRETS['agent']}"},
        )
        answer = await client.post("/agent/register?newest=1.1", content=described(HOST))
        assert answer.json() == "1.1"
        assert (await client.post("/agent/beat")).json() > 0
        newest = WIRE.newest.label
        refused = await site.agent.register("agent", newest, described(HOST), SESSION)
        assert (refused.epoch, refused.held) == (1, False), "the same epoch, but not this session's"
        assert (await site.agent.register("agent", newest, described(HOST), Session(id="session", epoch=2))).held
        refusal = await client.post("/agent/beat")
        assert (refusal.status_code, refusal.json()["code"]) == (409, "agent-replaced")

    played(work, "http")


def test_stranger__is_refused() -> None:
    async def work(site: Site) -> None:
        await site.registered()
        for secret in ("", "agent's", "agent's secret "):
            with pytest.raises(NotAuthenticated):
                await remote(site.service, "agent", secret).poll("agent", 0.1, 1)

    played(work, "http")


def test_agent_that_speaks_of_another_agents_hosts__is_refused() -> None:
    async def work(site: Site) -> None:
        await site.registered()
        put(site.rig, 2, host=OTHER)
        foreign = Guest(server_id=server_id(2), host=OTHER, generation=9, power_state=PowerState.SHUTDOWN)
        told = HostReport(operation_id=OperationId("any"), epoch=1, guest=foreign)
        before = now_of(site.rig, 2)
        for call in (
            site.agent.poll("other", 0.1),
            site.agent.register("agent", "1.0", described(HOST, OTHER)),
            site.agent.observe("agent", wire.told(WIRE.newest, [foreign], Guest), 0.0),
            site.agent.report("agent", wire.told(WIRE.newest, [told], HostReport)),
        ):
            with pytest.raises(NotYours):
                await call
        assert now_of(site.rig, 2) == before

    played(work, "http")


def test_message_that_is_too_long__is_refused() -> None:
    async def work(site: Site) -> None:
        with pytest.raises(TooLarge):
            await site.agent.report("agent", bytes(BODY_BYTES + 1))

    played(work, "http")


def test_images__only_those_that_steps_name() -> None:
    async def work(site: Site) -> None:
        client = site.clients["agent"]
        site.store.contents["image"] = b"content"
        with pytest.raises(NotYours):
            [piece async for piece in client.image_content(IMAGE)]
        with pytest.raises(NotYours):
            await client.image_upload("image", client.image_content(IMAGE))
        site.access["agent"].told(step(Spawn(spec=guest_spec(IMAGE))))
        site.access["agent"].told(step(Snapshot(image_id="image", disk_format="raw")))
        assert b"".join([piece async for piece in client.image_content(IMAGE)]) == b"content"
        await client.image_upload("image", pieces(b"new ", b"content"))
        assert site.store.contents == {"image": b"new content"}

    played(work, "http")


def step(action: AnyHostAction) -> HostStep:
    return HostStep(
        operation_id=OperationId("operation"),
        epoch=1,
        kind="kind",
        step="step",
        undo=False,
        server_id=server_id(),
        host=HOST,
        generation=1,
        timeout_s=1.0,
        action=action,
    )


async def pieces(*content: bytes) -> AsyncIterator[bytes]:
    for piece in content:
        yield piece


@ways
def test_console__the_hosts_own_agent_answers(way: str) -> None:
    async def work(site: Site) -> None:
        mine, others = (site.desk, site.desk) if way == "direct" else (site.clients["agent"], site.clients["other"])
        asked = asyncio.ensure_future(site.desk.output(put(site.rig), 3))
        (question,) = await mine.questions("agent", 1.0)
        assert (question.host, question.server_id, question.lines) == (HOST, server_id(), 3)
        assert await others.questions("other", 0.1) == []
        await others.answer_question("other", question.id, "forged")
        assert not asked.done()
        await mine.answer_question("agent", question.id, "login:\n")
        assert await asked == "login:\n"
        await mine.answer_question("agent", question.id, "too late")

    played(work, way)


@ways
def test_image_to_fetch__agent_is_asked__may_read_it_from_then_on(way: str) -> None:
    async def work(site: Site) -> None:
        site.store.contents[IMAGE.id] = b"content"
        client = site.desk if way == "direct" else site.clients["agent"]
        asked = asyncio.ensure_future(site.desk.image_fetch(HOST, IMAGE))
        (question,) = await client.questions("agent", 1.0)
        assert (question.about, question.host, question.image) == ("image", HOST, IMAGE)
        if way == "http":
            pieces = [piece async for piece in site.clients["agent"].image_content(IMAGE)]
            assert b"".join(pieces) == b"content"
            with pytest.raises(NotYours):
                await anext(site.clients["other"].image_content(IMAGE))
        await client.answer_question("agent", question.id, "")
        await asked

    played(work, way)


@ways
def test_diagnostics__the_hosts_own_agent_answers(way: str) -> None:
    async def work(site: Site) -> None:
        client = site.desk if way == "direct" else site.clients["agent"]
        asked = asyncio.ensure_future(site.desk.diagnostics(put(site.rig)))
        (question,) = await client.questions("agent", 1.0)
        assert (question.about, question.server_id) == ("diagnostics", server_id())
        told = diagnostics_of(guest_spec(None), PowerState.RUNNING, "d", "h")
        await client.answer_question("agent", question.id, msgspec.json.encode(told).decode())
        assert await asked == told

    played(work, way)


def test_console__question_is_lost_on_its_way__is_given_once_more() -> None:
    async def work(site: Site) -> None:
        asked = asyncio.ensure_future(site.desk.output(put(site.rig), None))
        (lost,) = await site.desk.questions("agent", 1.0)
        (again,) = await site.desk.questions("agent", 5.0)
        assert again == lost
        await site.desk.answer_question("agent", again.id, "login:\n")
        assert await asked == "login:\n"

    played(work, "direct")


def test_console__nobody_answers__its_asker_is_told() -> None:
    async def work(site: Site) -> None:
        with pytest.raises(HostSilent, match="host-1"):
            await site.desk.output(put(site.rig), None)
        assert await site.desk.questions("agent", 0.1) == []

    played(work, "direct")


def test_gateway_is_away__says_so() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no such file")

    async def work(rig: Rig) -> None:
        client = RemoteGateway("agent", "secret", httpx.MockTransport(refuse))
        with pytest.raises(Unavailable, match="no such file"):
            await client.beat("agent")
        broken = RemoteGateway("agent", "secret", httpx.MockTransport(lambda _: httpx.Response(502, text="oops")))
        with pytest.raises(Unavailable, match="502"):
            await broken.beat("agent")

    play(work)
