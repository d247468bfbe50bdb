"""PCI devices by alias: what is configured, what is asked, and which host has them."""

import pytest

from kilonova.drivers.fake.size import BadDevice, FakeHostSize
from kilonova.kernel.ids import CellId, HostName
from kilonova.objects.flavor import Flavor
from kilonova.objects.guest import HostDescription
from kilonova.objects.host import Host
from kilonova.operations.discovery import providers_of
from kilonova.placement.placement import Placement
from kilonova.scheduler.decide import NoValidHost, Reason, filtered
from kilonova.scheduler.errors import BadExtraSpec
from kilonova.scheduler.filters import available
from kilonova.scheduler.hosts import host_states
from kilonova.scheduler.options import SchedulerOptions
from kilonova.scheduler.pci import BadAlias, DoubleAlias, addresses, aliases_of
from kilonova.scheduler.request import ServerRequest
from kilonova.scheduler.service import Placed, Scheduler
from kilonova.scheduler.wishes import wishes_of
from unit.placement.placing import uuid_of
from unit.scheduler.test_scheduler import owner
from unit.scheduler.test_trees import in_trees

ALIASES = aliases_of(["gpu=10de:1eb8", "fast=CUSTOM_FPGA+CUSTOM_FAST"])


def wanted(alias: str, **more: str) -> ServerRequest:
    specs = {"pci_passthrough:alias": alias, **{key.replace("__", ":"): value for key, value in more.items()}}
    found = wishes_of(Flavor(id="1", name="a", vcpus=1, memory_mb=64, disk_gb=0, extra_specs=specs), {}, ALIASES)
    return ServerRequest(
        resources=found.resources,
        required=found.required,
        alternatives=found.alternatives,
        apart=found.apart,
        same_subtree=found.same_subtree,
        numa=found.numa,
    )


def host(number: int, *devices: str, nodes: int = 0) -> Host:
    size = FakeHostSize(vcpus=8, memory_mb=4096, numa_nodes=nodes, dedicated_cpus=2, pci_devices=devices)
    description = HostDescription(
        name=HostName(f"host-{number}"),
        hypervisor_type="fake",
        hypervisor_version=1,
        vcpus=size.vcpus,
        memory_mb=size.memory_mb,
        disk_gb=0,
        host_ip="",
        cpu_info={},
        numa=size.nodes,
        pci=size.devices,
    )
    return Host(
        name=description.name,
        cell_id=CellId("cell1"),
        uuid=uuid_of(number),
        service_uuid="",
        agent="",
        heartbeat_at=0.0,
        created_at=0.0,
        updated_at=0.0,
        description=description,
    )


def test_place__two_of_three_devices__different_ones_and_none_is_given_twice(tmp_path):
    hosts = [host(1, "10de:1eb8*3")]

    async def work(placement: Placement, scheduler: Scheduler) -> None:
        states = host_states(hosts, (), 0.0)
        first = await scheduler.place(wanted("gpu:2"), states, owner("c"))
        second = await scheduler.place(wanted("gpu:1"), states, owner("d"))
        assert isinstance(first, Placed)
        assert isinstance(second, Placed)
        assert first.portion is not None
        assert second.portion is not None
        given = [*addresses(first.portion.groups), *addresses(second.portion.groups)]
        assert sorted(given) == ["0000:81:00.0", "0000:81:00.1", "0000:81:00.2"]
        third = await scheduler.place(wanted("gpu:1"), states, owner("e"))
        assert third == NoValidHost(total=1, reasons=(Reason("group pci-gpu-0: CUSTOM_PCI_10DE_1EB8: 1", 1, "host-1"),))

    in_trees(tmp_path, [spec for one in hosts for spec in providers_of(one)], work)


def test_place__with_a_trait__only_the_device_that_has_it(tmp_path):
    hosts = [host(1, "CUSTOM_FPGA*2", "CUSTOM_FPGA+CUSTOM_FAST")]

    async def work(_: Placement, scheduler: Scheduler) -> None:
        placed = await scheduler.place(wanted("fast:1"), host_states(hosts, (), 0.0), owner("c"))
        assert isinstance(placed, Placed)
        assert placed.portion is not None
        assert addresses(placed.portion.groups) == ("0000:81:00.2",)

    in_trees(tmp_path, [spec for one in hosts for spec in providers_of(one)], work)


def test_place__device_and_cpus_of_one_node_required__they_are(tmp_path):
    hosts = [host(1, "10de:1eb8*2", nodes=2)]

    async def work(_: Placement, scheduler: Scheduler) -> None:
        near = {"hw__cpu_policy": "dedicated", "hw__pci_numa_affinity_policy": "required"}
        for consumer in ("c", "d"):
            placed = await scheduler.place(wanted("gpu:1", **near), host_states(hosts, (), 0.0), owner(consumer))
            assert isinstance(placed, Placed)
            assert placed.portion is not None
            (address,), (node,) = addresses(placed.portion.groups), placed.portion.groups["numa0"]
            assert address[-1] == node[-1]

    in_trees(tmp_path, [spec for one in hosts for spec in providers_of(one)], work)


def test_filter__hosts_with_too_few_such_devices_are_left_out_however_free_the_others_are():
    states = host_states([host(1), host(2, "10de:1eb8"), host(3, "10de:1eb8*2")], (), 0.0)
    chosen = available(SchedulerOptions())["PciPassthroughFilter"]
    left, reasons = filtered(wanted("gpu:2"), states, (chosen,))
    assert [one.name for one in left] == ["host-3"]
    assert reasons == [Reason("PciPassthroughFilter", 2, "host-1")]


@pytest.mark.parametrize(
    ("alias", "more", "told"),
    [
        ("disk:1", {}, "PCI alias disk is not defined"),
        ("gpu", {}, "NAME:COUNT"),
        ("gpu:0", {}, "NAME:COUNT"),
        ("gpu:33", {}, "32 devices at most"),
        ("gpu:1", {"hw__pci_numa_affinity_policy": "near"}, "allowed: required, preferred, legacy"),
        ("gpu:1", {"hw__numa_nodes": "1", "hw__pci_numa_affinity_policy": "socket"}, "allowed"),
    ],
)
def test_wishes__that_cannot_be_had__are_refused_with_the_reason(alias, more, told):
    with pytest.raises(BadExtraSpec, match=told):
        wanted(alias, **more)


def test_aliases__that_cannot_be_understood__are_refused_by_name():
    with pytest.raises(BadAlias, match="gpu=nvidia"):
        aliases_of(["gpu=nvidia"])
    with pytest.raises(DoubleAlias, match="gpu is there twice"):
        aliases_of(["gpu=10de:1eb8", "gpu=10de:1eb9"])
    with pytest.raises(BadDevice, match="nvidia"):
        _ = FakeHostSize(pci_devices=("nvidia",)).devices
