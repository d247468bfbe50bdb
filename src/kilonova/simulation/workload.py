"""Clients of a simulated cloud: they create, list, act and delete, in bursts and too early, and hold it to its answers."""

import asyncio
import base64
import contextlib
import random
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from kilonova.kernel.errors import Conflict, Invalid, NotFound, OverLimit, Unavailable
from kilonova.kernel.ids import ProjectId, ServerId, UserId
from kilonova.objects.boot import Boot
from kilonova.objects.caller import Caller
from kilonova.objects.flavor import Flavor
from kilonova.objects.guest import GuestVolume
from kilonova.objects.image import NewImage
from kilonova.objects.server import NicRequest, Server, VmState, Volume
from kilonova.objects.server_query import ServerQuery
from kilonova.operations.attaching import VolumeRefused
from kilonova.operations.plans.set_password import AGENT_PROPERTY
from kilonova.operations.servers import Servers
from kilonova.runtime.runtime import Runtime
from kilonova.simulation.actions import ACTIONS, CANARY, ClientAction
from kilonova.simulation.doubles.images import IMAGE
from kilonova.simulation.doubles.networks import NETWORK
from kilonova.simulation.doubles.volumes import SOME
from kilonova.simulation.groups import group_of
from kilonova.simulation.history import History, Promise, Told, shown
from kilonova.simulation.sizes import SIZE, size_shown
from kilonova.simulation.sometimes import Sometimes

FLAVORS = (
    Flavor(id="1", name="small", vcpus=1, memory_mb=512, disk_gb=1),
    Flavor(id="2", name="big", vcpus=2, memory_mb=1536, disk_gb=10),
)
DELETE_TRIES = 200
"""A client that wants a server gone asks this often; the storm is over long before."""
PAGE = 3
GROUP_SHARE = 0.2
"""How many requests are for a single server of the project's server group."""
NOTHING: Mapping[str, Any] = MappingProxyType({})


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What one client does."""

    requests: int = 6
    """Creates and bursts of creates."""
    most_at_once: int = 3
    actions: tuple[str, ...] = tuple(ACTIONS)
    acts: int = 2
    """How often it acts on a server, where it creates twice, and lists and deletes once."""
    looks: int = 1
    """How often it looks at a server meanwhile."""
    pause_max_s: float = 4.0
    on_living: bool = False
    """Whether it acts on servers only that were accepted, and that nobody has asked to delete."""
    from_volume: float = 0.0
    """How many of its servers boot from a volume, which others may want as well."""
    delete_share: float = 0.7
    """How many of its servers it deletes before it leaves."""


class Client:
    """One client of one project."""

    def __init__(
        self,
        name: str,
        project_id: ProjectId,
        *,
        servers: Servers,
        runtime: Runtime,
        chance: random.Random,
        history: History,
        report: Callable[[str], None],
        sometimes: Sometimes,
    ) -> None:
        """`servers` is the API as the client reaches it; `report` is told of every broken promise."""
        self._name = name
        self._servers = servers
        self._runtime = runtime
        self._chance = chance
        self._history = history
        self._report = report
        self._sometimes = sometimes
        self._caller = Caller(user_id=UserId(f"user-{name}"), user_name=name, project_id=project_id, roles=("member",))
        self._mine: list[Promise] = []
        self._requests = 0

    async def run(self, plan: Plan) -> None:
        """Do what `plan` says."""
        acting, looking = [self._act] * plan.acts, [self._show] * plan.looks
        doers = (self._create, self._create, *acting, *looking, self._delete_one, self._walk)
        creates = 0
        while creates < plan.requests:
            await self._runtime.sleep(self._chance.random() * plan.pause_max_s)
            doer = self._chance.choice(doers)
            if doer == self._create:
                creates += 1
            await doer(plan)
        leaving = [promise for promise in self._mine if self._chance.random() < plan.delete_share]
        await asyncio.gather(*(self.delete(promise) for promise in leaving))

    async def create(
        self, flavor: Flavor, count: int, group_id: str | None = None, fields: Mapping[str, Any] = NOTHING
    ) -> list[Promise]:
        """Ask for servers in one request; what is known of each afterwards. `fields` of `Server` may be given besides."""
        boots = [self._boot(flavor, number, group_id, fields) for number in range(count)]
        promises = self._history.asked([boot.server.id for boot in boots], self._project)
        began = self._history.moment()
        told = await self._ask_boot(boots)
        for promise in promises:
            promise.boot = told
            if told is Told.ASKED:
                self._history.unanswered(promise, self._name, began, "created")
            else:
                self._history.answered(promise, self._name, began, "created" if told is Told.ACCEPTED else "refused")
        return promises

    async def get(self, promise: Promise) -> Server | None:
        """A server; None while its cell doesn't answer. Raises `NotFound`."""
        began = self._history.moment()
        try:
            server = await self._servers.get(promise.server_id)
        except Unavailable:
            return None
        except NotFound:
            self._history.answered(promise, self._name, began, "not found")
            raise
        self._history.answered(promise, self._name, began, shown(server))
        self._history.size_answered(promise, self._name, began, size_shown(server))
        if server.id != promise.server_id or server.project_id != self._project:
            self._report(f"show: asked for {promise.server_id} and got {server.id} of {server.project_id}")
        return server

    async def act(self, promise: Promise, kind: str, chosen: Mapping[str, Any] = NOTHING) -> None:
        """Ask for an action, with `chosen` params or else its usual ones. Raises `Conflict`, `NotFound` and `Unavailable`."""
        began, action = self._history.moment(), ACTIONS[kind]
        promise.hidden = promise.hidden or action.ends_in is VmState.SOFT_DELETED
        caller, request_id, server_id = self._caller, self._request_id(), promise.server_id
        try:
            if action.flavor is not None:
                await self._servers.resize(caller, request_id, server_id, action.flavor, may_stay=True)
            elif action.makes_image:
                image = self._image(promise, kind)
                await self._servers.make_image(caller, request_id, server_id, kind, image, action.params)
            elif action.gives is not None:
                params = chosen or await self._params(promise, action)
                await self._servers.give_volume(caller, request_id, server_id, kind, params[action.gives], params)
            else:
                await self._servers.act(
                    caller, request_id, server_id, kind, chosen or await self._params(promise, action)
                )
        except VolumeRefused as error:
            self._history.answered(promise, self._name, began, "acted on")
            raise Conflict(reason=error.message) from error
        except OverLimit as error:
            if action.makes_image:
                self._history.answered(promise, self._name, began, "acted on")
                raise Conflict(reason=error.message) from error
            self._sometimes("resize_refused_by_quota")
            return
        except Conflict:
            self._history.answered(promise, self._name, began, "in conflict")
            raise
        except NotFound:
            self._history.answered(promise, self._name, began, "not found")
            raise
        except Unavailable:
            if kind in SIZE.answers:
                self._history.size_unanswered(promise, self._name, began, kind)
            raise
        self._acted(promise, began, action)

    def _acted(self, promise: Promise, began: int, action: ClientAction) -> None:
        """An action was accepted."""
        if not action.takes_any:
            self._history.answered(promise, self._name, began, "acted on")
        if action.kind not in SIZE.answers:
            return
        if action.takes_any:  # it is done some time after it was accepted
            self._history.size_unanswered(promise, self._name, began, action.kind)
        else:
            self._history.size_answered(promise, self._name, began, action.kind)

    async def _params(self, promise: Promise, action: ClientAction) -> Mapping[str, Any]:
        """What to ask for. Raises `Conflict` when there is nothing that the action could be about, and as `Servers.get`."""
        if action.chosen is None:
            return action.params
        chosen = action.chosen(await self._servers.get(promise.server_id))
        if chosen is None:
            raise Conflict(reason="there is nothing to act on")
        return chosen

    def _image(self, promise: Promise, kind: str) -> NewImage:
        """The image that a server is to become."""
        marks = {"image_type": kind, "instance_uuid": promise.server_id, "backup_type": "daily"}
        return NewImage(id=self._runtime.uuid(), name=kind, owner=self._project, disk_format="qcow2", properties=marks)

    async def delete(self, promise: Promise) -> None:
        """Ask until there is an answer.

        A server that is not found was never accepted, or is gone. Only when its boot had no answer either may it still
        come: that request can be under way.
        """
        if promise.delete is None:
            promise.delete = Told.ASKED
        for _ in range(DELETE_TRIES):
            began = self._history.moment()
            try:
                await self._servers.delete(self._caller, self._request_id(), promise.server_id)
            except NotFound:
                self._history.answered(promise, self._name, began, "not found")
                if promise.boot is Told.ACCEPTED:
                    promise.delete = Told.ACCEPTED
                return
            except (Unavailable, Conflict):
                self._history.unanswered(promise, self._name, began, "deleted")
                await self._runtime.sleep(self._chance.random() * 3.0)
            else:
                self._history.answered(promise, self._name, began, "deleted")
                promise.delete = Told.ACCEPTED
                return
        self._report(f"delete: server {promise.server_id} can't be deleted")

    async def _create(self, plan: Plan) -> None:
        """Ask for servers; sometimes delete one at once, while it is nowhere yet."""
        flavor, count = self._chance.choice(FLAVORS), self._chance.randint(1, plan.most_at_once)
        group_id = group_of(self._project) if self._chance.random() < GROUP_SHARE else None
        fields: Mapping[str, Any] = NOTHING
        if count == 1 and plan.from_volume and self._chance.random() < plan.from_volume:
            fields = {"image_id": None, "volumes": _root(self._chance.choice(SOME))}
        promises = await self.create(flavor, count, group_id, fields)
        if promises[0].boot is Told.REFUSED:
            return
        self._mine += promises
        if self._chance.random() < 0.2:
            await self.delete(self._chance.choice(promises))

    async def _ask_boot(self, boots: list[Boot]) -> Told:
        try:
            await self._servers.boot(self._caller, self._request_id(), boots)
        except OverLimit:
            self._sometimes("request_refused_by_quota")
            return Told.REFUSED
        except Unavailable:
            return Told.ASKED
        return Told.ACCEPTED

    async def _act(self, plan: Plan) -> None:
        """Act on a server, whether its state allows that or not."""
        promise = self._any(kept=plan.on_living)
        if promise is not None and plan.actions:
            with contextlib.suppress(Conflict, NotFound, Unavailable):
                await self.act(promise, self._chance.choice(plan.actions))

    async def _show(self, plan: Plan) -> None:
        """Look at a server."""
        promise = self._any()
        if promise is not None:
            with contextlib.suppress(NotFound):
                await self.get(promise)

    async def _walk(self, plan: Plan) -> None:
        """List page by page: every server that is there throughout comes exactly once."""
        known = self._history.of_project(self._project)
        began = self._history.moment()
        seen: dict[ServerId, Server] = {}
        marker: ServerId | None = None
        try:
            while True:
                query = ServerQuery(
                    project_id=self._project,
                    marker=marker,
                    limit=PAGE,
                    sort=(("created_at", "asc"),),
                )
                page = await self._servers.list(query)
                if page.down:
                    return
                for server in page.servers:
                    self._listed(server, seen)
                if not page.more:
                    break
                marker = page.servers[-1].id
        except (Unavailable, NotFound, Conflict, Invalid):
            return
        for promise in known:
            server_seen = seen.get(promise.server_id)
            if server_seen is None and promise.hidden:
                continue
            answer = "not found" if server_seen is None else shown(server_seen)
            self._history.answered(promise, self._name, began, answer)
            if server_seen is not None:
                self._history.size_answered(promise, self._name, began, size_shown(server_seen))

    def _listed(self, server: Server, seen: dict[ServerId, Server]) -> None:
        """One line of a list."""
        if server.id in seen:
            self._report(f"list: server {server.id} was listed twice")
        if server.project_id != self._project:
            self._report(f"list: {self._name} of {self._project} was shown {server.id} of {server.project_id}")
        seen[server.id] = server

    async def _delete_one(self, plan: Plan) -> None:
        """Delete a server, which others of the project may be doing too."""
        promise = self._any()
        if promise is not None:
            await self.delete(promise)

    def _boot(self, flavor: Flavor, number: int, group_id: str | None, fields: Mapping[str, Any]) -> Boot:
        now = self._runtime.now()
        usual = Server(
            id=ServerId(self._runtime.uuid()),
            project_id=self._project,
            user_id=self._caller.user_id,
            name=f"{self._name}-{self._requests}-{number}",
            hostname=self._name,
            flavor=flavor,
            image_id=IMAGE.id,
            image_properties={AGENT_PROPERTY: "yes"},
            networks_requested=(NicRequest(network_id=NETWORK.id),),
            security_groups=("default",),
            group_id=group_id,
            vm_state=VmState.BUILDING,
            reservation_id=f"r-{self._requests}",
            launch_index=number,
            created_at=now,
            updated_at=now,
        )
        server = msgspec.structs.replace(usual, **fields)
        return Boot(
            server=server,
            volumes=tuple(volume.guest.volume_id for volume in server.volumes),
            image=None if server.image_id is None else IMAGE,
            security_group_ids=(f"default-{self._project}",),
            files=((f"/etc/{CANARY}", base64.b64encode(CANARY.encode()).decode()),),
            admin_password=f"{CANARY}-password-{server.id}",
        )

    def _any(self, *, kept: bool = False) -> Promise | None:
        """A server of its own or of somebody else in its project; with `kept` one that was accepted and not deleted."""
        theirs = self._history.of_project(self._project)
        some = self._mine if self._chance.random() < 0.7 else theirs
        if kept:
            some = [promise for promise in some if promise.boot is Told.ACCEPTED and promise.delete is None]
        return self._chance.choice(some) if some else None

    def _request_id(self) -> str:
        self._requests += 1
        return f"req-{self._runtime.uuid()}"

    @property
    def _project(self) -> ProjectId:
        assert self._caller.project_id is not None
        return self._caller.project_id


def _root(volume_id: str) -> tuple[Volume, ...]:
    """The root disk of a server that boots from a volume."""
    root = GuestVolume(volume_id=volume_id, attachment_id="", connection={}, device="/dev/vda", boot=True)
    return (Volume(guest=root),)
