"""Decisions: who is left, who is best, and why not the others."""

import msgspec
import pytest

from kilonova.objects.flavor import Flavor
from kilonova.objects.server import Server
from kilonova.objects.server_group import ServerGroup
from kilonova.placement.shapes import Candidates, SpreadSet
from kilonova.scheduler.decide import NO_VALID_HOST, NoValidHost, Ranked, Reason, decide
from kilonova.scheduler.hosts import HostState
from kilonova.scheduler.request import GroupRequest, ServerRequest, request_of
from kilonova.scheduler.wishes import BadExtraSpec, resources_of

SMALL = ServerRequest(resources={"VCPU": 1, "MEMORY_MB": 512})
FLAVOR = Flavor(id="1", name="small", vcpus=2, memory_mb=1024, disk_gb=10)


def host(name: str, **more: object) -> HostState:
    values = {"cell_id": "cell1", "uuid": f"uuid-{name}", "up": True, "enabled": True, "zone": "nova", **more}
    return HostState(name=name, **values)


def candidates(*names: str, vcpus: tuple[int, ...] = ()) -> Candidates:
    count = len(names)
    return Candidates(
        uuids=tuple(f"uuid-{name}" for name in names),
        names=names,
        capacity={"VCPU": vcpus or (8,) * count, "MEMORY_MB": (4096,) * count},
        used={"VCPU": (0,) * count, "MEMORY_MB": (0,) * count},
    )


def server(**more: object) -> Server:
    values = {"flavor": FLAVOR, "image_id": None, "created_at": 0.0, "updated_at": 0.0, **more}
    return Server(id="me", project_id="p", user_id="u", name="n", hostname="n", **values)


def names(decision: Ranked | NoValidHost) -> list[str]:
    assert isinstance(decision, Ranked), decision
    return [one.name for one in decision.hosts]


@pytest.mark.parametrize(
    ("wish", "removed_by"),
    [
        ({"host": "a"}, "RequestedHost"),
        ({"zone": "z1"}, "AvailabilityZoneFilter"),
        ({"same_host": frozenset({"a"})}, "SameHostFilter"),
        ({"different_host": frozenset({"b", "c"})}, "DifferentHostFilter"),
        ({"group": GroupRequest(id="g", policy="affinity", members={"a": 1})}, "ServerGroupAffinityFilter"),
        (
            {"group": GroupRequest(id="g", policy="anti-affinity", members={"b": 1, "c": 2})},
            "ServerGroupAntiAffinityFilter",
        ),
    ],
)
def test_decide__wish_that_only_one_host_meets__that_host_or_the_reason(wish, removed_by):
    hosts = [host("a", zone="z1"), host("b"), host("c")]
    request = msgspec.structs.replace(SMALL, **wish)
    assert names(decide(request, hosts, candidates("a", "b", "c"), 0.5)) == ["a"]
    no = decide(request, hosts[1:], candidates("b", "c"), 0.5)
    assert no == NoValidHost(total=2, reasons=(Reason(removed_by, 2, "b"),))


def test_decide__down_and_disabled_hosts__are_removed_by_the_compute_filter():
    hosts = [host("a", up=False), host("b", enabled=False), host("c")]
    assert names(decide(SMALL, hosts, candidates("a", "b", "c"), 0.0)) == ["c"]
    no = decide(SMALL, hosts[:2], candidates("a", "b"), 0.0)
    assert no == NoValidHost(total=2, reasons=(Reason("ComputeFilter", 2, "a"),))


def test_decide__several_constraints__each_tells_what_it_removed_and_users_see_no_names():
    hosts = [host("a", up=False), host("b", zone="z1"), host("c", zone="z1")]
    no = decide(msgspec.structs.replace(SMALL, zone="z1"), [*hosts, host("d")], candidates("a"), 0.0)
    assert isinstance(no, NoValidHost)
    assert no.details == (
        "No valid host was found among 4: AvailabilityZoneFilter removed 2 (e.g. a); Resources removed 2 (e.g. b)."
    )
    assert no.message == f"{NO_VALID_HOST} None is left after AvailabilityZoneFilter, Resources."


def test_decide__no_hosts_at_all__says_so():
    no = decide(SMALL, [], candidates(), 0.0)
    assert isinstance(no, NoValidHost)
    assert no.details == "No valid host was found: there are no hosts."


def test_decide__more_free_room__comes_first():
    hosts = [host("a"), host("b"), host("c")]
    assert names(decide(SMALL, hosts, candidates("a", "b", "c", vcpus=(2, 8, 4)), 0.9)) == ["b", "c", "a"]


def test_decide__equal_hosts__chance_decides_and_every_host_gets_its_turn():
    hosts = [host(name) for name in "abcd"]
    firsts = [names(decide(SMALL, hosts, candidates(*"abcd"), chance))[0] for chance in (0.0, 0.3, 0.5, 0.99)]
    assert firsts == ["a", "b", "c", "d"]


def test_decide__soft_policies__prefer_and_do_not_forbid():
    hosts = [host("a"), host("b")]
    near = GroupRequest(id="g", policy="soft-affinity", members={"b": 1})
    away = GroupRequest(id="g", policy="soft-anti-affinity", members={"a": 1})
    for group in (near, away):
        request = msgspec.structs.replace(SMALL, group=group)
        assert names(decide(request, hosts, candidates("a", "b"), 0.0)) == ["b", "a"]
        assert request.spread("uuid-a") is None


def test_resources__of_a_flavor__count_all_its_disks_and_follow_the_extra_specs():
    assert resources_of(FLAVOR) == {"VCPU": 2, "MEMORY_MB": 1024, "DISK_GB": 10}
    more = msgspec.structs.replace(
        FLAVOR, ephemeral_gb=5, swap_mb=1, extra_specs={"resources:VCPU": "0", "resources:CUSTOM_FPGA": "1"}
    )
    assert resources_of(more) == {"MEMORY_MB": 1024, "DISK_GB": 16, "CUSTOM_FPGA": 1}


@pytest.mark.parametrize(
    "specs", [{"resources:VCPU": "many"}, {"resources1:VCPU": "1.5"}, {"trait:HW_CPU_X86_AVX2": "maybe"}]
)
def test_request__extra_spec_that_cannot_be_understood__is_refused_by_name(specs):
    with pytest.raises(BadExtraSpec, match=next(iter(specs))):
        request_of(server(flavor=msgspec.structs.replace(FLAVOR, extra_specs=specs)))


def test_request__reads_traits_hints_and_group():
    group = ServerGroup(
        id="g",
        name="n",
        project_id="p",
        user_id="u",
        policy="anti-affinity",
        max_server_per_host=2,
        members=("me", "x", "y", "z"),
        created_at=0.0,
    )
    asked = server(
        flavor=msgspec.structs.replace(
            FLAVOR, extra_specs={"trait:CUSTOM_A": "required", "trait:CUSTOM_B": "forbidden"}
        ),
        image_properties={"trait:CUSTOM_C": "required"},
        hints={"different_host": ["x", "nowhere"]},
        requested_host="h9",
        pinned_availability_zone="z1",
    )
    request = request_of(asked, group, {"x": "h1", "y": "h1", "me": "h7"})
    assert (request.required, request.forbidden) == (frozenset({"CUSTOM_A", "CUSTOM_C"}), frozenset({"CUSTOM_B"}))
    assert (request.zone, request.host) == ("z1", "h9")
    assert (request.same_host, request.different_host) == (None, frozenset({"h1"}))
    assert request.group is not None
    assert request.group.members == {"h1": 2}
    assert request.spread("uuid") == SpreadSet(id="g", provider="uuid", most=2)
