"""What a server asks of its host: read from the server, its flavor, its image and its group."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

import msgspec

from kilonova.kernel.errors import Invalid
from kilonova.kernel.ids import CellId, HostName, ServerId
from kilonova.objects.flavor import Flavor
from kilonova.objects.server import Server
from kilonova.objects.server_group import ServerGroup
from kilonova.placement.shapes import CandidateQuery, Resources, SpreadSet


class BadExtraSpec(Invalid):
    """The extra spec {key}={value} of the flavor or image can't be used: {reason}"""

    code = "bad-extra-spec"


class GroupRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The server group that the server is a member of, and where its other members are."""

    id: str
    policy: str
    """`affinity`, `anti-affinity`, `soft-affinity`, `soft-anti-affinity`."""
    most_per_host: int = 1
    """For `anti-affinity`."""
    members: Mapping[HostName, int] = MappingProxyType({})
    """How many other members live on each host that has any."""

    @property
    def soft(self) -> bool:
        """Whether the policy is a wish only."""
        return self.policy.startswith("soft-")


class ServerRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One server's wishes."""

    resources: Resources
    required: frozenset[str] = frozenset()
    """Traits the host must have."""
    forbidden: frozenset[str] = frozenset()
    """Traits the host must not have."""
    zone: str | None = None
    host: HostName | None = None
    """The one host an admin asked for."""
    cell: CellId | None = None
    """The one cell whose hosts may have it: that of a server that moves."""
    ignored: frozenset[HostName] = frozenset()
    """Hosts that it must not come to: the one it leaves, and those that have just failed it."""
    group: GroupRequest | None = None
    same_host: frozenset[HostName] | None = None
    """Hint: hosts of the servers to be near to; None without the hint. Servers that are nowhere have none."""
    different_host: frozenset[HostName] | None = None
    """Hint: hosts of the servers to be away from; None without the hint."""
    project_id: str = ""
    flavor_name: str = ""
    extra_specs: Mapping[str, str] = MappingProxyType({})
    """Of the flavor."""
    image_id: str | None = None
    image_properties: Mapping[str, str] = MappingProxyType({})
    hints: Mapping[str, Sequence[str]] = MappingProxyType({})
    """All of them, each as a list."""
    member_of: frozenset[int] | None = None
    """Ids of aggregates, in one of which the host has to be; None for no such wish. Set by prefilters, as is the next."""
    not_member_of: frozenset[int] = frozenset()
    """Ids of aggregates in which the host must not be."""

    @property
    def away(self) -> frozenset[HostName]:
        """The hosts that are out of the question by their names: left, failed, hinted away from, full of the group's members."""
        names = self.ignored if self.different_host is None else self.ignored | self.different_host
        group = self.group
        if group is None or group.policy != "anti-affinity":
            return names
        return names | {name for name, count in group.members.items() if count >= group.most_per_host}

    @property
    def query(self) -> CandidateQuery:
        """What placement is asked."""
        required = tuple(frozenset({trait}) for trait in sorted(self.required))
        return CandidateQuery(resources=self.resources, required=required, forbidden=self.forbidden)

    def spread(self, provider: str) -> SpreadSet | None:
        """The hard rule of the server's group as a condition of a claim on `provider`; None without one."""
        if self.group is None or self.group.soft:
            return None
        most = self.group.most_per_host if self.group.policy == "anti-affinity" else None
        return SpreadSet(id=self.group.id, provider=provider, most=most)


def request_of(
    server: Server, group: ServerGroup | None = None, hosts_of: Mapping[ServerId, HostName] = MappingProxyType({})
) -> ServerRequest:
    """What `server` asks for.

    Args:
        server: as it was accepted; its hints are lists of strings (Compute API, "Create server", `os:scheduler_hints`).
        group: the server group it is a member of.
        hosts_of: where the group's other members, and the servers named in hints, are. Those without a host are left out.

    Raises:
        BadExtraSpec: an extra spec or image property can't be understood.
    """
    required, forbidden = _traits(server)
    return ServerRequest(
        resources=resources_of(server.flavor, boots_from_volume=server.boots_from_volume),
        required=required,
        forbidden=forbidden,
        zone=server.pinned_availability_zone,
        host=server.requested_host,
        group=None if group is None else _group(group, server.id, hosts_of),
        same_host=_hinted(server, "same_host", hosts_of),
        different_host=_hinted(server, "different_host", hosts_of),
        project_id=server.project_id,
        flavor_name=server.flavor.name,
        extra_specs=server.flavor.extra_specs,
        image_id=server.image_id,
        image_properties=server.image_properties,
        hints=server.hints,
    )


def resources_of(flavor: Flavor, *, boots_from_volume: bool = False) -> dict[str, int]:
    """What a flavor takes of a host by resource class; nothing for the root disk of a server that boots from a volume.

    The extra spec `resources:CLASS=N` takes the place of what the size says, and N = 0 leaves the class out (Nova,
    "Flavors", `resources`). Swap counts in whole GB, rounded up.
    """
    swap_gb = -(-flavor.swap_mb // 1024)
    found = {
        "VCPU": flavor.vcpus,
        "MEMORY_MB": flavor.memory_mb,
        "DISK_GB": (0 if boots_from_volume else flavor.disk_gb) + flavor.ephemeral_gb + swap_gb,
    }
    for key, name, value in _specs(flavor.extra_specs, "resources"):
        if not value.isdecimal():
            raise BadExtraSpec(key=key, value=value, reason="the amount must be a whole number, 0 or more")
        found[name] = int(value)
    return {name: amount for name, amount in found.items() if amount > 0}


def _traits(server: Server) -> tuple[frozenset[str], frozenset[str]]:
    """`trait:NAME` of the flavor (required or forbidden) and of the image (required only)."""
    by_wish: dict[str, set[str]] = {"required": set(), "forbidden": set()}
    for source, allowed in (
        (server.flavor.extra_specs, ("required", "forbidden")),
        (server.image_properties, ("required",)),
    ):
        for key, name, value in _specs(source, "trait"):
            if value not in allowed:
                raise BadExtraSpec(key=key, value=value, reason=f"allowed: {', '.join(allowed)}")
            by_wish[value].add(name)
    return frozenset(by_wish["required"]), frozenset(by_wish["forbidden"])


def _specs(specs: Mapping[str, str], kind: str) -> Iterator[tuple[str, str, str]]:
    """The specs `kind:NAME` as (key, NAME, value). Numbered groups (`kind1:NAME`) ask for trees of providers."""
    for key, value in specs.items():
        prefix, colon, name = key.partition(":")
        if colon and prefix.rstrip("0123456789") == kind:
            if prefix != kind:
                raise BadExtraSpec(key=key, value=value, reason="numbered groups are not supported")
            yield key, name, value


def _group(group: ServerGroup, server_id: ServerId, hosts_of: Mapping[ServerId, HostName]) -> GroupRequest:
    members: dict[HostName, int] = {}
    for member in group.members:
        host = hosts_of.get(member)
        if member != server_id and host is not None:
            members[host] = members.get(host, 0) + 1
    return GroupRequest(id=group.id, policy=group.policy, most_per_host=group.max_server_per_host or 1, members=members)


def _hinted(server: Server, hint: str, hosts_of: Mapping[ServerId, HostName]) -> frozenset[HostName] | None:
    named: Iterable[str] | None = server.hints.get(hint)
    if not named:
        return None
    return frozenset(hosts_of[ServerId(one)] for one in named if ServerId(one) in hosts_of)
