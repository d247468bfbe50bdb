"""Weighers: which of the hosts that may have a server should. Nova's names, meanings and multipliers.

A weigher gives every host a raw weight. The raw weights are normalised to 0 for the lowest and 1 for the highest, multiplied,
and added up; the host with the highest sum is best (Nova administrator guide, "Compute schedulers", "Weights"). An aggregate
may have a multiplier of its own for its hosts, under the option's name; of several the least counts.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from operator import sub
from typing import NamedTuple

from kilonova.kernel.errors import Invalid
from kilonova.scheduler.filters.filter import By, ByOf, by_host, by_kind
from kilonova.scheduler.hosts import HostState, Look
from kilonova.scheduler.options import SchedulerOptions
from kilonova.scheduler.request import ServerRequest

Free = Mapping[str, Sequence[int]]
"""What is left on each host, by resource class; in the order of the hosts."""
Raw = Callable[[ServerRequest, Sequence[HostState], Free], Sequence[float] | None]


class BadWeightSetting(Invalid):
    """[scheduler] {option}: '{text}' is not NAME=NUMBER."""

    code = "bad-weight-setting"


class Weigher(NamedTuple):
    """A named weigher."""

    name: str
    multiplier: float
    raw: Raw
    """The raw weight of each host; None when all weigh the same."""
    option: str = ""
    """The name of its multiplier, also in the metadata of aggregates; none there when empty."""
    looks_at: Look = Look.NOTHING
    """As of a `Filter`; it is looked at only when `multiplier` is not 0, whatever aggregates say."""
    by: ByOf = by_host
    """As of a `Filter`."""
    amount_of: str = ""
    """The class of which what is left is the raw weight, instead of anything that `by` is about."""


def _free(resource_class: str) -> Raw:
    """The more is left of the class the better, which spreads the load; for classes that were asked for."""
    return lambda _request, _hosts, free: free.get(resource_class)


def _num_instances(_request: ServerRequest, hosts: Sequence[HostState], _free: Free) -> Sequence[float]:
    return [host.load.servers for host in hosts]


def _io_ops(_request: ServerRequest, hosts: Sequence[HostState], _free: Free) -> Sequence[float]:
    return [host.load.io_ops for host in hosts]


def _build_failure(_request: ServerRequest, hosts: Sequence[HostState], _free: Free) -> Sequence[float]:
    return [-host.load.failed_builds for host in hosts]


def _hypervisor_version(_request: ServerRequest, hosts: Sequence[HostState], _free: Free) -> Sequence[float]:
    return [host.hypervisor_version for host in hosts]


def _soft_affinity(request: ServerRequest, hosts: Sequence[HostState], _free: Free) -> Sequence[float] | None:
    if request.group is None or request.group.policy != "soft-affinity":
        return None
    members = request.group.members
    return [members.get(host.name, 0) for host in hosts]


def _soft_anti_affinity(request: ServerRequest, hosts: Sequence[HostState], _free: Free) -> Sequence[float] | None:
    if request.group is None or request.group.policy != "soft-anti-affinity":
        return None
    members = request.group.members
    return [-members.get(host.name, 0) for host in hosts]


def _by_members(request: ServerRequest) -> By:
    """Each host, when the server has a group that wishes; else nothing is weighed."""
    return By.HOST if request.group is not None and request.group.soft else By.KIND


def _image_props(weights_of: Mapping[str, float]) -> Raw:
    """How many servers with the same value of each property are there; without settings every property counts 1."""

    def raw(request: ServerRequest, hosts: Sequence[HostState], _free: Free) -> Sequence[float] | None:
        wanted = {
            (name, value)
            for name, value in request.image_properties.items()
            if (name in weights_of if weights_of else name.startswith(("hw_", "os_", "img_")))
        }
        if not wanted:
            return None
        found: list[float] = []
        for host in hosts:
            there = Counter(item for properties in host.load.images for item in properties.items() if item in wanted)
            found.append(sum(count * weights_of.get(name, 1.0) for (name, _), count in there.items()))
        return found

    return raw


def enabled(options: SchedulerOptions) -> tuple[Weigher, ...]:
    """Our weighers with the multipliers that are set. Raises `BadWeightSetting`."""
    setting = dict(weight_setting("image_props_weight_setting", text) for text in options.image_props_weight_setting)
    of_settings: tuple[tuple[str, str, Raw, Look, ByOf], ...] = (
        ("NumInstancesWeigher", "num_instances", _num_instances, Look.SERVERS, by_host),
        ("IoOpsWeigher", "io_ops", _io_ops, Look.SERVERS, by_host),
        ("BuildFailureWeigher", "build_failure", _build_failure, Look.FAILURES, by_host),
        ("ServerGroupSoftAffinityWeigher", "soft_affinity", _soft_affinity, Look.NOTHING, _by_members),
        ("ServerGroupSoftAntiAffinityWeigher", "soft_anti_affinity", _soft_anti_affinity, Look.NOTHING, _by_members),
        ("HypervisorVersionWeigher", "hypervisor_version", _hypervisor_version, Look.NOTHING, by_kind),
        ("ImagePropertiesWeigher", "image_props", _image_props(setting), Look.IMAGES, by_host),
    )
    of_amounts = (("CPUWeigher", "cpu", "VCPU"), ("RAMWeigher", "ram", "MEMORY_MB"), ("DiskWeigher", "disk", "DISK_GB"))

    def multiplied(name: str, about: str, raw: Raw) -> Weigher:
        option = f"{about}_weight_multiplier"
        return Weigher(name, getattr(options, option), raw, option)

    return (
        *(multiplied(name, about, _free(of))._replace(amount_of=of) for name, about, of in of_amounts),
        *(multiplied(name, about, raw)._replace(looks_at=looks, by=by) for name, about, raw, looks, by in of_settings),
    )


def weight_setting(option: str, text: str) -> tuple[str, float]:
    """`NAME=NUMBER`. Raises `BadWeightSetting`."""
    name, equals, number = text.partition("=")
    try:
        value = float(number)
    except ValueError:
        value = float("nan")
    if not (name and equals and abs(value) < float("inf")):
        raise BadWeightSetting(option=option, text=text)
    return name.strip(), value


WEIGHERS: tuple[Weigher, ...] = enabled(SchedulerOptions())
"""Those of a cloud with nothing set."""


def weights(
    request: ServerRequest, hosts: Sequence[HostState], free: Free, weighers: Sequence[Weigher] = WEIGHERS
) -> list[float]:
    """The weight of each host; the highest is best."""
    sums = [0.0] * len(hosts)
    of_aggregates = {id(host.aggregates): host for host in hosts}
    for weigher in weighers:
        own = {key: multiplier(weigher, host) for key, host in of_aggregates.items()}
        raw = weigher.raw(request, hosts, free) if any(own.values()) else None
        if raw is None:
            continue
        low, high = min(raw), max(raw)
        if high > low:
            scale = {key: factor / (high - low) for key, factor in own.items()}
            if len(scale) == 1:
                (same,) = scale.values()
                sums = [so_far + (one - low) * same for so_far, one in zip(sums, raw, strict=True)]
            else:
                sums = [
                    so_far + (one - low) * scale[id(host.aggregates)]
                    for so_far, one, host in zip(sums, raw, hosts, strict=True)
                ]
    return sums


def multiplier(weigher: Weigher, host: HostState) -> float:
    """What counts for the hosts of the same aggregates: the least of theirs, or the configured one."""
    found: list[float] = []
    for text in host.aggregate_values(weigher.option) if weigher.option else ():
        try:
            found.append(float(text))
        except ValueError:
            continue
    return min(found, default=weigher.multiplier)


def free_of(capacity: Mapping[str, Sequence[int]], used: Mapping[str, Sequence[int]]) -> dict[str, Sequence[int]]:
    """What is left, by class."""
    return {name: list(map(sub, amounts, used[name])) for name, amounts in capacity.items()}
