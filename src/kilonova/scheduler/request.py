"""What a server asks of its host: read from the server, its flavor, its image and its group."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import msgspec

from kilonova.kernel.ids import CellId, HostName, ServerId
from kilonova.objects.server import Server
from kilonova.objects.server_group import ServerGroup
from kilonova.placement.shapes import CandidateQuery, Group, Resources, SpreadSet
from kilonova.scheduler.numa import NumaWish
from kilonova.scheduler.pci import Aliases
from kilonova.scheduler.wishes import NO_ALIASES, wishes_of


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
    alternatives: tuple[Mapping[str, Group], ...] = ()
    """Groups that are each asked of one provider, by suffix; of several such sets any will do, the first best."""
    isolate: bool = False
    """Whether each group comes from a provider of its own."""
    apart: frozenset[str] = frozenset()
    """Suffixes of groups that come from different providers in any case."""
    same_subtree: tuple[frozenset[str], ...] = ()
    """Sets of suffixes of groups that come from one subtree."""
    numa: NumaWish | None = None
    """The topology that is among the groups."""
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
        return CandidateQuery(
            resources=self.resources,
            required=required,
            forbidden=self.forbidden,
            alternatives=self.alternatives,
            isolate=self.isolate,
            apart=self.apart,
            same_subtree=self.same_subtree,
        )

    def spread(self, provider: str) -> SpreadSet | None:
        """The hard rule of the server's group as a condition of a claim on `provider`; None without one."""
        if self.group is None or self.group.soft:
            return None
        most = self.group.most_per_host if self.group.policy == "anti-affinity" else None
        return SpreadSet(id=self.group.id, provider=provider, most=most)


def request_of(
    server: Server,
    group: ServerGroup | None = None,
    hosts_of: Mapping[ServerId, HostName] = MappingProxyType({}),
    aliases: Aliases = NO_ALIASES,
) -> ServerRequest:
    """What `server` asks for.

    Args:
        server: as it was accepted; its hints are lists of strings (Compute API, "Create server", `os:scheduler_hints`).
        group: the server group it is a member of.
        hosts_of: where the group's other members, and the servers named in hints, are. Those without a host are left out.
        aliases: of PCI devices.

    Raises:
        BadExtraSpec: an extra spec or image property can't be understood.
    """
    wishes = wishes_of(server.flavor, server.image_properties, aliases, boots_from_volume=server.boots_from_volume)
    return ServerRequest(
        resources=wishes.resources,
        alternatives=wishes.alternatives,
        isolate=wishes.isolate,
        apart=wishes.apart,
        same_subtree=wishes.same_subtree,
        numa=wishes.numa,
        required=wishes.required,
        forbidden=wishes.forbidden,
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
