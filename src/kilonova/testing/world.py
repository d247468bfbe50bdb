"""The simulated cloud in the hands of a test: time passes, and things go wrong, when the test says so.

Every call runs the one seeded loop until it has its answer; between calls the cloud stands still. The same calls under one
seed do the same things in the same order, on every machine with one commit and one minor version of Python.
"""

from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

from kilonova.kernel.errors import KilonovaError, NotFound
from kilonova.kernel.ids import ServerId
from kilonova.objects.server import Server
from kilonova.simulation.calm import calm
from kilonova.simulation.cases.stage import Stage
from kilonova.simulation.escapes import Escape, sealed
from kilonova.simulation.faults import QUIET, Rates
from kilonova.simulation.history import History, Promise, Told
from kilonova.simulation.loop import opened
from kilonova.simulation.run import judged, logs_in_timeline
from kilonova.simulation.storm import Storm, Weights
from kilonova.simulation.workload import FLAVORS
from kilonova.simulation.world import Shape, World

T = TypeVar("T")

WAIT_S = 120.0
"""How long waits last, in virtual seconds, unless the test says otherwise."""
LOOK_EVERY_S = 0.05
GONE = "DELETED"


class Violated(AssertionError):
    """Something happened that must not. The message has the seed and says how to replay it."""


class SimulatedCloud:
    """A whole cloud on virtual time, whose roles are processes that can be killed. Not for tests that are coroutines.

    Nothing goes wrong by chance unless `rates` are given. What must always hold is checked at every commit, and a call
    that finds it violated raises `Violated`.
    """

    def __init__(
        self, seed: int, *, shape: Shape | None = None, rates: Rates = QUIET, world: type[World] = World
    ) -> None:
        """Start every role, and wait until all hosts are known.

        Args:
            seed: decides order, delays, ids and chance.
            shape: how large the cloud is.
            rates: what goes wrong by chance, and how often.
            world: a variant of the cloud to test, such as one with another `placement`.
        """
        self.seed = seed
        self._stack = ExitStack()
        self._loop = self._stack.enter_context(opened(seed, timeline=True))
        self._escapes: list[Escape] = []
        self._history = History()
        self._promises: dict[ServerId, Promise] = {}
        self._finished = False
        with self._moving():
            self._world = world(self._loop, shape or Shape(), rates)
            self._stage = Stage(self._world, self._history, "test")
        self._run(self._world.warm_up())

    # Time.

    @property
    def time_s(self) -> float:
        """Virtual seconds since the simulation began."""
        return self._loop.time()

    def advance(self, seconds: float) -> None:
        """Let virtual time pass."""
        self._run(self._sleep(seconds))

    def step(self, times: int = 1) -> None:
        """Run that many callbacks of the loop: the finest there is. A role goes from one await to the next in each of its own."""
        with self._moving():
            for _ in range(times):
                self._loop.stop()
                self._loop.run_forever()
        self.check()

    def advance_until(
        self, condition: Callable[[], object], *, within_s: float = WAIT_S, what: str = "the condition"
    ) -> None:
        """Let time pass until `condition()` is true. Raises `Violated` when it is not after `within_s` virtual seconds."""
        give_up_at = self.time_s + within_s
        while not condition():
            if self.time_s >= give_up_at:
                raise Violated(self._told(f"waited {within_s:g} virtual seconds in vain for {what}"))
            self.advance(LOOK_EVERY_S)

    # What a client does.

    def boot(self, *, flavor: str = "small") -> ServerId:
        """Ask for a server, and return once it is accepted. `flavor` is `small` or `big`. Raises `Violated` if it is refused."""
        (wanted,) = [each for each in FLAVORS if each.name == flavor]
        (promise,) = self._run(self._stage.client.create(wanted, 1))
        if promise.boot is Told.REFUSED:
            raise Violated(self._told("a server was refused"))
        self._promises[promise.server_id] = promise
        return promise.server_id

    def act(self, server_id: ServerId, kind: str, **params: Any) -> None:
        """Ask for an action: `stop`, `start`, `reboot`, ... Raises what the API raises: `Conflict`, `NotFound`, `Unavailable`."""
        asked = self._stage.servers.act(self._stage.caller, self._stage.request_id(), server_id, kind, params)
        self._run(asked)

    def delete(self, server_id: ServerId) -> None:
        """Ask for a delete until there is an answer."""
        self._run(self._stage.delete(self._promises[server_id]))

    def server(self, server_id: ServerId) -> Server | None:
        """The server as the API shows it; None when it is not found. Raises `Unavailable` when its cell doesn't answer."""
        try:
            return self._run(self._stage.servers.get(server_id))
        except NotFound:
            return None

    def status(self, server_id: ServerId) -> str:
        """Its status, e.g. `ACTIVE`; `DELETED` when it is not found."""
        server = self.server(server_id)
        return GONE if server is None else server.status

    def wait_until_active(self, server_id: ServerId, *, within_s: float = WAIT_S) -> None:
        """Let time pass until a server is ACTIVE and at rest. Raises as `wait_until`."""
        self.wait_until(server_id, "ACTIVE", within_s=within_s)

    def wait_until(self, server_id: ServerId, status: str, *, within_s: float = WAIT_S) -> None:
        """Let time pass until a server has a status and no operation works on it.

        Raises `Violated` when it takes longer than `within_s` virtual seconds, or goes to ERROR instead; the message says
        how the server is.
        """
        give_up_at = self.time_s + within_s
        while not _is_so(server := self.server(server_id), status):
            if self.time_s >= give_up_at or _is_so(server, "ERROR"):
                how = "not there" if server is None else f"{server.status} ({server.task_state}), fault {server.fault}"
                told = f"server {server_id} did not become {status} in {within_s:g} virtual seconds: it is {how}"
                raise Violated(self._told(told))
            self.advance(LOOK_EVERY_S)

    def wait_until_gone(self, server_id: ServerId, *, within_s: float = WAIT_S) -> None:
        """Let time pass until a server is not found any more. Raises `Violated`."""
        self.wait_until(server_id, GONE, within_s=within_s)

    # What goes wrong.

    @property
    def roles(self) -> tuple[str, ...]:
        """The names of all processes, e.g. `api`, `global-conductor-1`, `cell1-conductor-1`, `cell1-gateway`, `cell1-agent-1`."""
        return tuple(self._world.roles)

    def kill(self, role: str, *, down_s: float = 1.0) -> None:
        """See `Breaking.kill`: as `kill -9` does, and another incarnation starts after `down_s` seconds."""
        with self._moving():
            self._stage.breaking.kill(role, down_s=down_s)

    def kill_at_step(self, role: str, steps: int) -> None:
        """See `Breaking.kill_at_step`: at any await of whatever the process does then."""
        self._stage.breaking.kill_at_step(role, steps)

    def freeze(self, role: str, *, for_s: float) -> None:
        """See `Breaking.freeze`: as SIGSTOP does; after 15 s its leases are others'."""
        self._stage.breaking.freeze(role, for_s=for_s)

    def cut_off(self, role: str, *, for_s: float) -> None:
        """See `Breaking.cut_off`: no call comes from or reaches the process. Databases still answer it."""
        with self._moving():
            self._stage.breaking.cut_off(role, for_s=for_s)

    def dark(self, agent: str, *, for_s: float) -> None:
        """See `Breaking.dark`: cut the power of an agent's hosts. Guests are off when they come back."""
        with self._moving():
            self._stage.breaking.dark(agent, for_s=for_s)

    def database_down(self, name: str, *, for_s: float) -> None:
        """See `Breaking.database_down`: `api`, `placement`, `cell0`, `cell1`, ... refuse every connection."""
        self._stage.breaking.database_down(name, for_s=for_s)

    def fail_next(self, fault: str, *, times: int = 1) -> None:
        """See `Breaking.fail_next`: a fault strikes the next `times` times it could, whomever that hits."""
        self._stage.breaking.fail_next(fault, times=times)

    def crash_guest(self, server_id: ServerId) -> None:
        """See `Breaking.crash_guest`. Raises LookupError for a server that has none."""
        self._stage.breaking.crash_guest(server_id)

    def storm(self, *, for_s: float, every_s: float = 2.5, weights: Weights | None = None) -> None:
        """Break something every `every_s` virtual seconds on average, as the seed says, for `for_s` seconds."""
        world = self._world
        raging = Storm(self._loop, world, world.faults, world.sometimes, weights or Weights(), every_s)
        self._run(_ended(raging.rage(for_s)))

    # Judgement.

    def check(self) -> None:
        """Raise `Violated` if anything happened that must never happen, and what escaped from the simulation."""
        if self._escapes:
            raise self._escapes[0]
        if self._world.violations:
            raise Violated(self._told(*self._world.violations))

    def finish(self) -> None:
        """End all faults, let everything come to rest, and check what must hold then. The simulation is over with this.

        Raises:
            Violated: an operation is stuck, something leaked, a promise was broken.
        """
        if self._finished:
            return
        self._finished = True
        with self._moving():
            self._world.heal()
        self._run(calm(self._world, []))
        judged(self._world, self._history, "test")
        self.check()

    def close(self) -> None:
        """Drop the cloud; what was told of it stays. Killed processes unwind into nothing here, so nobody else may hold them."""
        self._world.close()
        del self._world, self._stage
        self._stack.close()

    @property
    def faults(self) -> int:
        """How many faults there were."""
        return self._world.faults.total

    @property
    def timeline(self) -> tuple[str, ...]:
        """What happened when, in virtual seconds, a line each."""
        return tuple(self._loop.timeline or ())

    def trace_hash(self) -> str:
        """A digest of every step so far: runs with one hash did the same."""
        return self._loop.trace_hash()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run the loop until `work` is done, in the name of the test's own process."""
        try:
            with self._moving():
                done = self._loop.run_until_complete(self._stage.process.spawn(work, name="test"))
        except KilonovaError as refusal:
            refusal.__context__ = None
            raise refusal.with_traceback(None) from None  # frames of the simulation must not outlive it
        self.check()
        return done

    @contextmanager
    def _moving(self) -> Iterator[None]:
        """While the cloud moves, it is sealed, and its warnings go to its timeline."""
        with sealed(self._escapes), logs_in_timeline():
            yield

    async def _sleep(self, seconds: float) -> None:
        await self._stage.runtime.sleep(seconds)

    def _told(self, *what: str) -> str:
        return "\n".join((*what, f"seed {self.seed}, {self.time_s:.3f} virtual seconds after the start"))


async def _ended(raging: Coroutine[Any, Any, None]) -> None:
    """A storm ends by its own timeout."""
    try:
        await raging
    except TimeoutError:
        return


def _is_so(server: Server | None, status: str) -> bool:
    if server is None:
        return status == GONE
    return server.status == status and server.task_state is None and server.current_op is None
