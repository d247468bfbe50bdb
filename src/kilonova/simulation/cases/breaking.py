"""What a story can break, by name and in one moment; each is a fault that is counted, and left out when a seed is shrunk."""

from functools import partial

from kilonova.kernel.ids import HostName, ServerId
from kilonova.simulation.database import DatabaseServer
from kilonova.simulation.hypervisor.migration import Outcome
from kilonova.simulation.process import Process
from kilonova.simulation.world import World


class Breaking:
    """Breaks a world."""

    def __init__(self, world: World) -> None:
        """Break nothing yet."""
        self._world = world
        self._loop = world.loop
        self.lasts_until = 0.0
        """The virtual time at which the last of what was broken for a while is whole again."""

    def kill(self, role: str, *, down_s: float = 1.0) -> None:
        """Kill a process with all it knows, as `kill -9` does. Another incarnation starts after `down_s` seconds."""
        if self._begun("kill", down_s):
            self._world.roles[role].kill(down_s)

    def kill_at_step(self, role: str, steps: int) -> Process:
        """Kill a process before the step that many after the next: at any await of whatever it is doing then."""
        victim = self._world.roles[role].process
        victim.kill_at = victim.steps + steps

        def died(_: Process) -> None:
            self._world.faults.ordered("kill")

        victim.on_death(died)
        return victim

    def freeze(self, role: str, *, for_s: float) -> None:
        """Stop a process as SIGSTOP does. It goes on with what it believed: after 15 s its leases are others'."""
        if self._begun("freeze", for_s):
            self._loop.note("freeze", role, f"for {for_s:.3f} s")
            self._world.roles[role].process.freeze(self._loop.time() + for_s)

    def cut_off(self, role: str, *, for_s: float) -> None:
        """Let no call from or to a process through. Databases still answer it."""
        if self._begun("cut_off", for_s):
            self._loop.note("cut off", role, f"for {for_s:.3f} s")
            self._world.network.cut_off.add(role)
            self._loop.call_later(for_s, self._world.network.cut_off.discard, role)

    def dark(self, agent: str, *, for_s: float) -> None:
        """Cut the power of an agent's hosts, and the agent with them. Guests are off when it comes back."""
        agents = list(self._world.hosts_of)
        if self._begun("host_dark", for_s):
            self._world.host_dark((agents.index(agent) + 0.5) / len(agents), for_s)

    def replace_agent(self, agent: str, *, frozen_s: float) -> None:
        """Start an agent beside one that is frozen and goes on with what it believed after `frozen_s` seconds."""
        agents = list(self._world.hosts_of)
        if self._begun("agent_twice", frozen_s):
            self._world.agent_twice((agents.index(agent) + 0.5) / len(agents), frozen_s)

    def lit(self, agent: str) -> None:
        """Give an agent's hosts their power back before their time; the agent starts with them."""
        self._world.light(agent)

    def database_down(self, name: str, *, for_s: float) -> None:
        """Let a database refuse every connection: `api`, `placement`, `cell0`, `cell1`, ..."""
        if self._begun("database_down", for_s):
            self._loop.note("database down", name, f"for {for_s:.3f} s")
            self._database(name).down_until = self._loop.time() + for_s

    def bus_down(self, *, for_s: float) -> None:
        """Let no hint arrive anywhere."""
        if self._begun("bus_down", for_s):
            self._loop.note("bus down", f"for {for_s:.3f} s")
            self._world.broker.silent = True
            self._loop.call_later(for_s, partial(setattr, self._world.broker, "silent", False))

    def fail_next(self, fault: str, *, times: int = 1) -> None:
        """Let a fault strike the next `times` times it could, whomever that hits.

        `fault` is a name of `Rates`, such as `hypervisor_fails_halfway`, `db_answer_lost`, `call_refused` or `bus_drop`.
        """
        self._world.faults.strike_next(fault, times)

    def refuse(self, order: str, *hosts: HostName, times: int = 1, halfway: bool = False) -> None:
        """Let a hypervisor refuse the next `times` orders of a kind, on each of `hosts`, or on every host if none is named.

        `order` is a method of `Driver`, such as `guest_ensure`; with `halfway` it is half carried out by then.
        """
        every = [host for there in self._world.hosts_of.values() for host in there]
        if self._world.faults.ordered("refusal"):
            for host in hosts or every:
                self._world.durable.hypervisor.refuse(host, order, times, halfway=halfway)

    def relent(self) -> None:
        """Let hypervisors refuse nothing any more."""
        self._world.durable.hypervisor.relent()

    def migrates(self, server_id: ServerId) -> bool:
        """Whether a guest is on its way from host to host, where `break_migration` would strike it."""
        return self._world.durable.hypervisor.migration(server_id) is not None

    def break_migration(self, server_id: ServerId) -> None:
        """Let a live migration break off, if there is one."""
        migration = self._world.durable.hypervisor.migration(server_id)
        if migration is not None and self._world.faults.ordered("migration_broken"):
            migration.end(Outcome.FAILED)

    def crash_guest(self, server_id: ServerId) -> None:
        """End a guest, as when its operating system panics. Raises LookupError for a server that has none."""
        hypervisor = self._world.durable.hypervisor
        host = next((host for host, guest_of, _ in hypervisor.everything() if guest_of == server_id), None)
        if host is None:
            raise LookupError(f"server {server_id} has no guest")
        if self._world.faults.ordered("guest_crash"):
            self._loop.note("crash", server_id, host)
            hypervisor.crash(host, server_id)

    def _begun(self, fault: str, for_s: float) -> bool:
        """Whether a fault that lasts `for_s` seconds is to strike."""
        strikes = self._world.faults.ordered(fault)
        if strikes:
            self.lasts_until = max(self.lasts_until, self._loop.time() + for_s)
        return strikes

    def _database(self, name: str) -> DatabaseServer:
        return {each.name.removesuffix(" database"): each for each in self._world.durable.databases}[name]
