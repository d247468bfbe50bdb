"""Scenarios by name: how large the cloud is, what clients do to it, and what goes wrong."""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from kilonova.kernel.ids import ProjectId
from kilonova.simulation.faults import QUIET, Rates
from kilonova.simulation.hypervisor import HostSize
from kilonova.simulation.storm import Weights
from kilonova.simulation.workload import Plan
from kilonova.simulation.world import Shape


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of weather over one kind of cloud."""

    name: str
    about: str
    shape: Shape = Shape()
    rates: Rates = Rates()
    weights: Weights = Weights()
    storm_s: float = 60.0
    lost_hosts: bool = False
    """Whether hosts that are dark when the storm ends stay so for ever."""
    evacuates: bool = False
    """Whether an operator evacuates servers from hosts that are dark."""
    storm_every_s: float = 2.5
    clients: int = 2
    plan: Plan = Plan()

    def project(self, client: int) -> ProjectId:
        """The project of a client: the first two share one, and its quota."""
        return ProjectId(f"project-{max(1, client - 1)}")


def _only(**weights: float) -> Weights:
    """A storm of these events and no others."""
    return Weights(**{**dict.fromkeys(Weights.__struct_fields__, 0.0), **weights})


MOVES = (
    "resize",
    "migration",
    "live_migration",
    "live_migration",
    "confirm_resize",
    "confirm_resize",
    "revert_resize",
    "revert_resize",
    "stop",
    "start",
)
"""Confirmed or taken back at random: as often as there is something to confirm."""
RESIZES = ("resize", "resize", "resize", "confirm_resize", "revert_resize")
DEVICES = (
    *("attach_interface", "detach_interface"),
    *("attach_volume", "attach_volume", "attach_volume", "attach_volume", "detach_volume", "swap_volume"),
    *("stop", "resize", "migration", "live_migration", "confirm_resize", "revert_resize"),
    *("shelve", "offload", "unshelve", "rebuild", "reset_state"),
)
VOLUMES = (
    *("attach_volume", "attach_volume", "attach_volume", "detach_volume", "swap_volume", "stop", "start"),
    *("resize", "migration", "live_migration", "live_migration", "confirm_resize", "revert_resize"),
    *("shelve", "offload", "unshelve", "unshelve", "reset_state"),
)
CALM_HYPERVISOR = Rates(hypervisor_fails=0.0, hypervisor_fails_halfway=0.0, call_slow=0.1, db_slow=0.02)

SCENARIOS: Mapping[str, Scenario] = MappingProxyType(
    {
        each.name: each
        for each in (
            Scenario(
                name="storm",
                about="boots, deletes and power actions on a cloud with little room, with every fault there is",
            ),
            Scenario(
                name="cells",
                about="the same over two cells",
                shape=Shape(cells=2, cell_conductors=1, agents=1, hosts=2),
            ),
            Scenario(
                name="silent-bus",
                about="the same while no hint ever arrives: polling alone has to be enough",
                shape=Shape(silent_bus=True),
            ),
            Scenario(
                name="boot-delete",
                about="only boots and deletes, kills and freezes close together",
                plan=Plan(actions=(), pause_max_s=2.0),
                weights=_only(kill=6.0, freeze=4.0),
                storm_every_s=1.2,
                storm_s=30.0,
            ),
            Scenario(
                name="freezes",
                about="boots and deletes by workers that stop for longer than their leases and go on unawares",
                rates=CALM_HYPERVISOR,
                plan=Plan(actions=(), pause_max_s=1.0, requests=8),
                weights=_only(kill=0.5, freeze=8.0),
                storm_every_s=1.0,
                storm_s=40.0,
            ),
            Scenario(
                name="slow-services",
                about="the same while other services take their time, so that workers stop in the middle of asking them",
                rates=msgspec.structs.replace(CALM_HYPERVISOR, call_slow=0.9),
                plan=Plan(actions=(), pause_max_s=1.0, requests=8),
                weights=_only(kill=2.0, freeze=8.0),
                storm_every_s=0.5,
                storm_s=40.0,
            ),
            Scenario(
                name="moves",
                about="servers are resized and migrated, and that is confirmed, taken back and interrupted",
                shape=Shape(hosts=2, resize_confirm_window_s=60.0),
                plan=Plan(actions=MOVES, acts=12, looks=4, most_at_once=1, requests=5, pause_max_s=3.0),
                storm_s=90.0,
            ),
            Scenario(
                name="crowded",
                about="servers are resized where there is little room and little quota, on hypervisors that often fail",
                shape=Shape(agents=3, size=HostSize(vcpus=4, memory_mb=4096), cores=7),
                rates=Rates(hypervisor_fails=0.3, hypervisor_fails_halfway=0.25),
                plan=Plan(actions=RESIZES, acts=30, most_at_once=1, requests=7, pause_max_s=1.5),
                storm_every_s=8.0,
                storm_s=90.0,
            ),
            Scenario(
                name="devices",
                about="network cards and volumes are plugged in, unplugged, swapped, and follow servers that move",
                shape=Shape(hosts=2),
                plan=Plan(actions=DEVICES, acts=24, most_at_once=1, requests=5, pause_max_s=2.0, from_volume=0.5),
                evacuates=True,
            ),
            Scenario(
                name="volumes",
                about="servers with volumes move about, on hypervisors and a volume service that often refuse",
                shape=Shape(hosts=2),
                rates=Rates(hypervisor_fails=0.15, hypervisor_fails_halfway=0.15, service_refuses=0.1, db_refused=0.01),
                plan=Plan(
                    actions=VOLUMES,
                    acts=60,
                    on_living=True,
                    most_at_once=1,
                    requests=3,
                    pause_max_s=1.5,
                    from_volume=0.4,
                ),
                weights=Weights(kill=4.0, freeze=2.0, host_dark=0.5),
                storm_every_s=7.0,
                storm_s=90.0,
            ),
            Scenario(
                name="power",
                about="servers stopped and started all the time, on hypervisors that are slow, and show what was long ago",
                rates=Rates(call_repeated=0.15, hypervisor_late=0.3, call_answer_lost=0.08, hypervisor_slow=0.4),
                plan=Plan(actions=("stop", "start", "start", "reboot_hard"), acts=24, requests=4, pause_max_s=2.0),
                weights=_only(kill=2.0, freeze=3.0, guest_crash=2.0),
            ),
            Scenario(
                name="host-lost",
                about="hosts go dark and some never come back: nothing waits for them, and what they owe is written down",
                weights=Weights(kill=1.0, freeze=1.0, host_dark=6.0),
                lost_hosts=True,
            ),
            Scenario(
                name="short",
                about="a storm of a few seconds over one client: what can be looked at in many seeds in little time",
                plan=Plan(requests=2, pause_max_s=2.0),
                clients=1,
                storm_s=10.0,
                storm_every_s=1.0,
            ),
            Scenario(
                name="evacuations",
                about="hosts lose their power and get it back while their servers are evacuated, and moved",
                shape=Shape(agents=3),
                plan=Plan(actions=(*MOVES, "reboot"), acts=8, most_at_once=2, requests=6),
                weights=Weights(host_dark=5.0),
                evacuates=True,
                storm_s=150.0,
            ),
            Scenario(
                name="takeovers",
                about="agents run twice, guests vanish, strange ones appear, and hosts come back to what was done without them",
                shape=Shape(agents=3),
                plan=Plan(actions=(*MOVES, "reboot_hard", "pause", "unpause"), acts=6, most_at_once=2, requests=6),
                weights=Weights(
                    kill=1.0, host_dark=2.0, agent_twice=2.0, guest_vanishes=2.0, guest_planted=1.0, freeze=2.0
                ),
                evacuates=True,
                storm_s=150.0,
            ),
            Scenario(
                name="quiet",
                about="nothing goes wrong: what is violated here is wrong on any day",
                rates=QUIET,
                storm_s=0.0,
            ),
        )
    }
)


STORMS = tuple(name for name, one in SCENARIOS.items() if one.storm_s > 0 and name != "short")
"""Those in which everything is met that can happen."""


def in_turn(seed: int) -> str:
    """The storm that is a seed's turn, so that a range of seeds goes through all of them."""
    return STORMS[seed % len(STORMS)]


def scenario(name: str) -> Scenario:
    """The scenario called `name`. Raises KeyError."""
    return SCENARIOS[name]
