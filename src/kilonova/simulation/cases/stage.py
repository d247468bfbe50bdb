"""The stage of a story: servers brought to where it begins, waits for what happens, expectations of what comes of it.

`Stage.breaking` breaks things by name, `Stage.truths` reads what is so. Waits are in virtual time and look after every commit.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from kilonova.cells.hosts import host_change_txn
from kilonova.kernel.errors import Conflict, NotFound, Unavailable
from kilonova.kernel.ids import HostName, ProjectId, ServerId, UserId
from kilonova.objects.caller import Caller
from kilonova.objects.flavor import Flavor
from kilonova.objects.guest import PowerState
from kilonova.objects.host import DOWN_AFTER_S
from kilonova.objects.server import VmState
from kilonova.operations.host_removal import host_remove
from kilonova.simulation.actions import ACTIONS
from kilonova.simulation.calm import calm
from kilonova.simulation.cases.breaking import Breaking
from kilonova.simulation.cases.truths import Truths
from kilonova.simulation.database import DatabaseServer
from kilonova.simulation.history import History, Promise, Told
from kilonova.simulation.invariants import at_rest
from kilonova.simulation.runtime import SimRuntime
from kilonova.simulation.workload import FLAVORS, Client
from kilonova.simulation.world import World

T = TypeVar("T")

PATIENCE_S = 240.0
"""Within this everything has happened that a story may wait for."""
ALIVE = frozenset({PowerState.RUNNING, PowerState.PAUSED})
LOOK_EVERY_S = 0.25
LOOK_FIRST_S = 0.01
LOOK_SLOWER = 1.05
PROJECT = ProjectId("project-1")


class Stage:
    """A world, a client of it, and what stands between a story and both."""

    def __init__(self, world: World, history: History, name: str, project_id: ProjectId = PROJECT) -> None:
        """Give the story `name` a process and a stream of chance of its own."""
        self.world = world
        self.loop = world.loop
        self.process = world.loop.process(name)
        self.runtime = SimRuntime(world.loop, self.process)
        self.chance = world.loop.stream(f"stage/{name}")
        """Whatever differs between seeds beside the order of things."""
        self.servers = world.servers(self.process)
        """The API."""
        self.breaking = Breaking(world)
        self.truths = Truths(world.durable)
        self.project_id = project_id
        self.caller = Caller(user_id=UserId(f"user-{name}"), user_name=name, project_id=project_id, roles=("member",))
        self.client = Client(
            name,
            project_id,
            servers=self.servers,
            runtime=self.runtime,
            chance=world.loop.stream(f"client/{name}"),
            history=history,
            report=world.report,
            sometimes=world.sometimes,
        )
        self.expectations = 0
        """How often something was expected: a story that expects nothing shows nothing."""
        self._name = name
        self._committed = asyncio.Event()
        self._watchers: list[Callable[[], object]] = [self._committed.set]
        for database in world.durable.databases:
            self._listen(database)

    # Servers.

    async def boot(self, flavor: Flavor = FLAVORS[0], **fields: Any) -> Promise:
        """A server that was accepted, or turned out to be there although no answer came; `fields` are those of `Server`."""
        while True:
            (promise,) = await self.client.create(flavor, 1, fields=fields)
            assert promise.boot is not Told.REFUSED, "the quota has room for the servers of a story"
            while promise.boot is Told.ASKED:
                try:
                    if await self.client.get(promise) is not None:
                        promise.boot = Told.ACCEPTED
                except NotFound:
                    break
                await asyncio.sleep(LOOK_EVERY_S)
            if promise.boot is Told.ACCEPTED:
                return promise

    async def made(self, flavor: Flavor = FLAVORS[0], **fields: Any) -> Promise:
        """A server that is ACTIVE."""
        promise = await self.boot(flavor, **fields)
        await self.until_state(promise, VmState.ACTIVE)
        return promise

    async def ready_for(self, kind: str) -> Promise:
        """A server at rest in the state in which the action `kind` of `ACTIONS` starts."""
        promise = await self.made()
        for before in ACTIONS[kind].after if kind in ACTIONS else ():
            await self.acted(promise, before)
        await self.until_quiet()
        return promise

    async def ask(self, promise: Promise, kind: str, **params: Any) -> None:
        """Ask once for an action: one of `ACTIONS`, or any with `params` as `Servers.act` takes it, and raises."""
        if kind in ACTIONS:
            await self.client.act(promise, kind, params)
        else:
            await self.servers.act(self.caller, self.request_id(), promise.server_id, kind, params)

    async def acted(self, promise: Promise, kind: str) -> None:
        """Ask until it is accepted, or done although no answer came; then wait until it is done."""
        action = ACTIONS[kind]
        while True:
            try:
                await self.client.act(promise, kind)
            except (Conflict, Unavailable):
                server = None
                with contextlib.suppress(Unavailable):
                    server = await self.client.get(promise)
                if server is not None and server.current_op is None and server.vm_state is action.ends_in:
                    return
                await asyncio.sleep(LOOK_EVERY_S)
            else:
                break
        await self.until_state(promise, action.ends_in)

    async def delete(self, promise: Promise) -> None:
        """Ask for a delete until there is an answer."""
        await self.client.delete(promise)

    async def fail_to_boot(self, promise: Promise) -> None:
        """Wait until a server that could not be made is in ERROR, and expect that it says why and that nothing is left of it."""
        await self.until_state(promise, VmState.ERROR)
        await self.until_quiet()
        server, server_id = self.truths.server(promise.server_id), promise.server_id
        self.expect(server is not None and server.fault is not None, "the server doesn't say why it is in ERROR")
        self.expect_nothing_left(server_id)

    def expect_state(self, promise: Promise, *states: VmState) -> None:
        """Expect that the server is at rest in one of `states`, and runs once if that is ACTIVE."""
        server = self.truths.server(promise.server_id)
        shown = None if server is None else server.vm_state
        self.expect(shown in states, f"server {promise.server_id} is {shown}, not {' or '.join(states)}")
        self.expect(server is None or server.current_op is None, f"server {promise.server_id} is not at rest")
        if shown is VmState.ACTIVE:
            guests = self.truths.guests(promise.server_id)
            self.expect(
                list(guests.values()).count(PowerState.RUNNING) == 1, f"an ACTIVE server has the guests {guests}"
            )

    def expect_nothing_left(self, server_id: ServerId) -> None:
        """Expect that a server has no guest, ports, volumes or place."""
        for what in ("guests", "held", "ports", "attachments"):
            left = getattr(self.truths, what)(server_id)
            self.expect(not left, f"{what} of server {server_id} are left: {left}")

    def expect_at_home(self, promise: Promise) -> None:
        """Expect that a server runs where its record says and nowhere else, and that its place and its ports are there too."""
        home, server_id = self.host_of(promise), promise.server_id
        alive = {host for host, state in self.truths.guests(server_id).items() if state in ALIVE}
        self.expect(alive == {home}, f"it runs on {sorted(alive)}, and its record says {home}")
        self.expect(set(self.truths.held(server_id)) == {home}, "it holds a place where it doesn't run")
        self.expect({port.host for port in self.truths.ports(server_id)} == {home}, "its ports are bound elsewhere")

    # Waits. Each raises TimeoutError when it takes longer than `PATIENCE_S`.

    async def until_state(self, promise: Promise, *states: VmState) -> None:
        """Wait until the API shows the server at rest in one of `states`."""
        give_up_at = self.loop.time() + PATIENCE_S
        while True:
            server = await self.client.get(promise)
            if server is not None and server.current_op is None and server.vm_state in states:
                return
            if self.loop.time() > give_up_at:
                shown = "nothing" if server is None else f"{server.vm_state}/{server.task_state}"
                wanted = " or ".join(states)
                raise TimeoutError(f"server {promise.server_id} is {shown} after {PATIENCE_S:g} s, not {wanted}")
            await asyncio.sleep(LOOK_EVERY_S)

    async def until_gone(self, promise: Promise) -> None:
        """Wait until the API doesn't find the server any more."""
        give_up_at = self.loop.time() + PATIENCE_S
        with contextlib.suppress(NotFound):
            while self.loop.time() < give_up_at:
                await self.client.get(promise)
                await asyncio.sleep(LOOK_EVERY_S)
            raise TimeoutError(f"server {promise.server_id} is there after {PATIENCE_S:g} s")

    async def until_log(self, promise: Promise, step: str, result: str = "started", *, kind: str | None = None) -> None:
        """Wait until the logs of the server's operations have a line: by default, until a step has been begun."""

        def written() -> bool:
            lines = self.truths.log(promise.server_id)
            return any((line.step, line.result) == (step, result) and kind in {None, line.kind} for line in lines)

        await self.until(written, f"{step} is {result}")

    async def until_quiet(self) -> None:
        """Wait until nobody has anything left to do, or patience has ended."""
        give_up_at = self.loop.time() + PATIENCE_S
        while at_rest.unfinished(self.world.durable):
            if self.loop.time() > give_up_at:
                return
            await asyncio.sleep(LOOK_EVERY_S)

    async def until(self, condition: Callable[[], object], what: str, within_s: float = PATIENCE_S) -> None:
        """Wait until `condition()` is true, which is asked after every commit and besides: often at first, then less so."""
        give_up_at, look_after_s = self.loop.time() + within_s, LOOK_FIRST_S
        while not condition():
            if self.loop.time() > give_up_at:
                raise TimeoutError(f"waited {within_s:g} s in vain until {what}")
            self._committed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(look_after_s):
                    await self._committed.wait()
            look_after_s = min(LOOK_EVERY_S, look_after_s * LOOK_SLOWER)

    async def until_down(self) -> None:
        """Let so much time pass that hosts which said nothing count as down."""
        await asyncio.sleep(DOWN_AFTER_S + 1.0)

    async def sometime(self, most_s: float) -> None:
        """Let up to `most_s` seconds pass, as the seed says."""
        await asyncio.sleep(self.chance.random() * most_s)

    async def settled(self) -> None:
        """Let faults last as long as they should, end all others, and wait until everything has come to rest."""
        await asyncio.sleep(max(0.0, self.breaking.lasts_until - self.loop.time()))
        self.world.heal()
        await calm(self.world, [])

    # The story.

    def met(self) -> None:
        """The case's When has happened. A case that is never met in all its seeds shows nothing."""
        self.world.sometimes.met(self._name)

    def expect(self, holds: object, otherwise: str) -> None:
        """Report `otherwise`, a sentence, as a violation unless `holds`."""
        self.expectations += 1
        if not holds:
            self.world.report(f"{self._name}: {otherwise}")

    def at_every_commit(self, look: Callable[[], object]) -> None:
        """Call `look` after every commit from now on."""
        self._watchers.append(look)

    def pick(self, some: Sequence[T]) -> T:
        """One of `some`, as the seed says."""
        return self.chance.choice(some)

    @property
    def hosts(self) -> list[HostName]:
        """Every host."""
        return [host for there in self.world.hosts_of.values() for host in there]

    def host_of(self, promise: Promise) -> HostName:
        """The host that a server is on. Raises AssertionError for one that is nowhere."""
        server = self.truths.server(promise.server_id)
        assert server is not None, f"server {promise.server_id} is gone"
        assert server.host is not None, f"server {promise.server_id} is nowhere"
        return server.host

    def agent_at(self, host: HostName | None) -> str:
        """The name of a host's agent. Raises ValueError for none."""
        (agent,) = [agent for agent, hosts in self.world.hosts_of.items() if host in hosts]
        return agent

    def operate(self, host: HostName, **values: object) -> None:
        """Change a host as an operator does: `enabled`, `forced_down`."""
        for database in self.world.durable.cells.values():
            database.write(lambda tx: host_change_txn(tx, host, values))

    async def remove(self, host: HostName) -> None:
        """Forget a host, as an operator does who deletes its service. Raises what `host_remove` raises."""
        parts = await self.world.parts(self.process, self.runtime)
        await host_remove(parts.hosts, parts.placement, host)

    def agent_of(self, server_id: ServerId) -> str:
        """The name of the agent of a server's host. Raises ValueError for a server without."""
        server = self.truths.server(server_id)
        return self.agent_at(None if server is None else server.host)

    def request_id(self) -> str:
        """The id of one more request."""
        return f"req-{self.runtime.uuid()}"

    def _listen(self, database: DatabaseServer) -> None:
        """Hear of every commit, after whoever checks what must always hold."""
        checked = database.on_commit

        def committed(server: DatabaseServer) -> None:
            if checked is not None:
                checked(server)
            for watcher in self._watchers:
                watcher()

        database.on_commit = committed
