"""Filters by Nova's names: each lets pass what it should, and nothing else."""

from typing import Any

import pytest

from kilonova.drivers.fake.size import FakeHostSize
from kilonova.objects.aggregate import Aggregate
from kilonova.objects.flavor import Flavor
from kilonova.scheduler.decide import filtered
from kilonova.scheduler.filters import NoSuchFilter, available, enabled
from kilonova.scheduler.filters.matching import matches
from kilonova.scheduler.hosts import HostLoad, HostState
from kilonova.scheduler.numa import numa_of
from kilonova.scheduler.options import SchedulerOptions
from kilonova.scheduler.prefilters import prefilters
from kilonova.scheduler.request import ServerRequest

INTEL = {"arch": "x86_64", "vendor": "Intel", "features": ["avx", "sse"], "topology": {"cores": 8}}
ARM = {"arch": "aarch64", "vendor": "Ampere", "features": [], "topology": {"cores": 4}}


def aggregate(id_: int, **metadata: str) -> Aggregate:
    return Aggregate(
        id=id_,
        uuid=str(id_),
        name=str(id_),
        metadata={key.replace("__", ":"): value for key, value in metadata.items()},
        created_at=0.0,
    )


def host(name: str, *aggregates: Aggregate, **more: Any) -> HostState:
    values = {"cell_id": "cell1", "uuid": name, "up": True, "enabled": True, "zone": "nova", **more}
    return HostState(name=name, aggregates=aggregates, **values)


def request(**more: Any) -> ServerRequest:
    return ServerRequest(resources={"VCPU": 1}, **more)


def passing(name: str, wish: ServerRequest, *hosts: HostState, **options: Any) -> list[str]:
    chosen = available(SchedulerOptions(**options))[name]
    left, reasons = filtered(wish, hosts, (chosen,))
    assert [reason.constraint for reason in reasons] == ([name] if len(left) < len(hosts) else [])
    return [one.name for one in left]


@pytest.mark.parametrize(
    ("value", "wanted", "holds"),
    [
        ("4", "= 4", True),
        (8, ">= 4", True),
        ("8", "<= 4", False),
        ("4", "== 4.0", True),
        ("4", "!= 4", False),
        ("x", ">= 4", False),
        ("b", "s> a", True),
        ("a", "s== a", True),
        ("a", "s!= a", False),
        ("ssd-fast", "<in> ssd", True),
        (["avx", "sse"], "<all-in> avx sse", True),
        (["avx"], "<all-in> avx sse", False),
        (["avx2"], "<in> avx", False),
        ("b", "<or> a <or> b", True),
        ("c", "<or> a <or> b", False),
        ("plain", "plain", True),
        ("", "", True),
        ("x", ">=", False),
    ],
)
def test_matches__operators_of_extra_specs__as_documented(value, wanted, holds):
    assert matches(value, wanted) is holds


@pytest.mark.parametrize(
    ("specs", "left"),
    [
        ({}, ["intel", "arm"]),
        ({"capabilities:cpu_info:vendor": "Intel"}, ["intel"]),
        ({"capabilities:cpu_info:topology:cores": ">= 8"}, ["intel"]),
        ({"capabilities:cpu_info:features": "<in> avx"}, ["intel"]),
        ({"hypervisor_type": "s== QEMU"}, ["intel", "arm"]),
        ({"capabilities:nobody_knows": "1"}, []),
        ({"quota:cpu_shares": "10", "hw:cpu_policy": "shared"}, ["intel", "arm"]),
    ],
)
def test_compute_capabilities__what_hosts_say_of_themselves(specs, left):
    hosts = host("intel", cpu_info=INTEL, hypervisor_type="QEMU"), host("arm", cpu_info=ARM, hypervisor_type="QEMU")
    assert passing("ComputeCapabilitiesFilter", request(extra_specs=specs), *hosts) == left


@pytest.mark.parametrize(
    ("properties", "left"),
    [
        ({}, ["intel", "arm"]),
        ({"hw_architecture": "x86_64"}, ["intel"]),
        ({"architecture": "AMD64"}, ["intel"]),
        ({"hw_architecture": "i686"}, ["intel"]),
        ({"hw_architecture": "arm64"}, ["arm"]),
        ({"img_hv_type": "kvm"}, ["intel"]),
        ({"img_hv_type": "fake"}, ["arm"]),
        ({"hw_vm_mode": "hvm"}, ["intel", "arm"]),
        ({"hw_vm_mode": "xen"}, []),
        ({"img_hv_requested_version": ">=6.0, <9"}, ["intel"]),
        ({"img_hv_requested_version": "new"}, []),
    ],
)
def test_image_properties__what_the_image_was_made_for(properties, left):
    hosts = (
        host("intel", cpu_info=INTEL, hypervisor_type="QEMU", hypervisor_version=7_002_000),
        host("arm", cpu_info=ARM, hypervisor_type="fake", hypervisor_version=1_000_000),
    )
    assert passing("ImagePropertiesFilter", request(image_properties=properties), *hosts) == left


@pytest.mark.parametrize(
    ("hints", "left"),
    [
        ({}, ["near", "far", "odd"]),
        ({"build_near_host_ip": ["10.0.0.9"]}, ["near"]),
        ({"build_near_host_ip": ["10.0.0.9"], "cidr": ["/8"]}, ["near", "far"]),
        ({"build_near_host_ip": ["10.0.0.9"], "cidr": ["/99"]}, []),
    ],
)
def test_simple_cidr__hosts_of_the_same_network(hints, left):
    hosts = host("near", host_ip="10.0.0.1"), host("far", host_ip="10.9.0.1"), host("odd", host_ip="")
    assert passing("SimpleCIDRAffinityFilter", request(hints=hints), *hosts) == left


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ('["=", "$hypervisor_hostname", "a"]', ["a"]),
        ('["and", [">=", "$vcpus_total", 4], ["<", "$num_instances", 2]]', ["b"]),
        ('["or", ["=", "$host", "a"], ["=", "$host", "b"]]', ["a", "b"]),
        ('["not", ["in", "$host", "a", "x"]]', ["b"]),
        ('[">", "$cpu_info.topology.cores", 4]', ["a"]),
        ('["=", "$nobody_knows", 1]', []),
        ('[">", "$host", 1]', []),
        ('["like", "$host", "a"]', []),
        ('"a"', []),
        ("[", []),
    ],
)
def test_json__expressions_over_facts__those_that_cannot_be_read_fit_no_host(query, left):
    hosts = (
        host("a", vcpus=8, cpu_info=INTEL, load=HostLoad(servers=2)),
        host("b", vcpus=4, cpu_info=ARM, load=HostLoad(servers=1)),
    )
    assert passing("JsonFilter", request(hints={"query": [query]}), *hosts) == left
    assert passing("JsonFilter", request(), *hosts) == ["a", "b"]


def test_aggregate_image_properties__values_that_an_aggregate_takes():
    hosts = (
        host("windows", aggregate(1, os_type="windows, dos")),
        host("any"),
        host("other", aggregate(2, x_os="linux")),
    )
    name = "AggregateImagePropertiesIsolation"
    assert passing(name, request(image_properties={"os_type": "linux"}), *hosts) == ["any", "other"]
    assert passing(name, request(image_properties={"os_type": "dos"}), *hosts) == ["windows", "any", "other"]
    assert passing(name, request(), *hosts) == ["windows", "any", "other"]
    within = {
        "aggregate_image_properties_isolation_namespace": "x",
        "aggregate_image_properties_isolation_separator": "_",
    }
    wish = request(image_properties={"os_type": "linux", "x_os": "bsd"})
    assert passing(name, wish, *hosts, **within) == ["windows", "any"]


def test_aggregate_extra_specs__an_aggregate_must_have_what_is_wanted():
    hosts = host("ssd", aggregate(1, ssd="true"), aggregate(2, rack="r1, r2")), host("disk", aggregate(3)), host("none")
    name = "AggregateInstanceExtraSpecsFilter"
    assert passing(name, request(extra_specs={"aggregate_instance_extra_specs:ssd": "true"}), *hosts) == ["ssd"]
    assert passing(name, request(extra_specs={"rack": "<or> r2 <or> r3"}), *hosts) == ["ssd"]
    assert passing(name, request(extra_specs={"ssd": "false"}), *hosts) == []
    assert passing(name, request(extra_specs={"hw:x": "1"}), *hosts) == ["ssd", "disk", "none"]


def test_aggregate_tenancy_and_flavor__kept_for_those_that_are_named():
    hosts = (
        host("theirs", aggregate(1, filter_tenant_id="p1,p2", instance_type="big")),
        host("more", aggregate(2, filter_tenant_id_2="p3"), aggregate(3, instance_type="small, tiny")),
        host("free", aggregate(4)),
    )
    for project, left in (("p1", ["theirs", "free"]), ("p3", ["more", "free"]), ("p9", ["free"])):
        assert passing("AggregateMultiTenancyIsolation", request(project_id=project), *hosts) == left
    for flavor, left in (("big", ["theirs", "free"]), ("tiny", ["more", "free"]), ("odd", ["free"])):
        assert passing("AggregateTypeAffinityFilter", request(flavor_name=flavor), *hosts) == left


def test_limits__of_the_configuration_and_of_aggregates():
    busy = HostLoad(servers=3, io_ops=2)
    hosts = (
        host("plain", load=busy),
        host("more", aggregate(1, max_instances_per_host="4", max_io_ops_per_host="3"), load=busy),
        host("least", aggregate(2, max_instances_per_host="9"), aggregate(3, max_instances_per_host="2"), load=busy),
        host("odd", aggregate(4, max_instances_per_host="many")),
    )
    limits = {"max_instances_per_host": 3, "max_io_ops_per_host": 2}
    assert passing("NumInstancesFilter", request(), *hosts, **limits) == ["odd"]
    assert passing("IoOpsFilter", request(), *hosts, **limits) == ["odd"]
    assert passing("AggregateNumInstancesFilter", request(), *hosts, **limits) == ["more", "odd"]
    assert passing("AggregateIoOpsFilter", request(), *hosts, **limits) == ["more", "odd"]


@pytest.mark.parametrize(("restrict", "others"), [(True, ["b"]), (False, ["a", "b"])])
def test_isolated_hosts__for_isolated_images(restrict, others):
    options = {
        "isolated_hosts": ("a",),
        "isolated_images": ("i",),
        "restrict_isolated_hosts_to_isolated_images": restrict,
    }
    assert passing("IsolatedHostsFilter", request(image_id="i"), host("a"), host("b"), **options) == ["a"]
    assert passing("IsolatedHostsFilter", request(image_id="j"), host("a"), host("b"), **options) == others
    assert passing("IsolatedHostsFilter", request(image_id="j"), host("a"), host("b")) == ["a", "b"]


def test_all_hosts__every_host():
    assert passing("AllHostsFilter", request(), host("a"), host("b", up=False)) == ["a", "b"]


def test_enabled__order_of_the_configuration_between_what_always_holds():
    names = [
        one.name for one in enabled(SchedulerOptions(enabled_filters=("IoOpsFilter", "ComputeFilter", "SameCell")))
    ]
    assert names[:2] == ["SameCell", "IgnoredHosts"]
    assert names[-4:] == ["IoOpsFilter", "ComputeFilter", "ServerGroupAntiAffinityFilter", "ServerGroupAffinityFilter"]
    with pytest.raises(NoSuchFilter, match="no filter 'IoOpFilter'; did you mean 'IoOpsFilter'"):
        enabled(SchedulerOptions(enabled_filters=("IoOpFilter",)))


def prefiltered(wish: ServerRequest, *hosts: HostState, **options: Any) -> tuple[ServerRequest, list[str]]:
    for one in prefilters(SchedulerOptions(**options)):
        wish = one(wish, hosts)
    left, _ = filtered(wish, hosts, enabled(SchedulerOptions()))
    return wish, [one.name for one in left]


def test_prefilter__tenants__a_named_project_gets_its_aggregates_only():
    hosts = host("theirs", aggregate(1, filter_tenant_id="p1")), host("free")
    limited = {"limit_tenants_to_placement_aggregate": True}
    assert prefiltered(request(project_id="p1"), *hosts, **limited)[1] == ["theirs"]
    assert prefiltered(request(project_id="p2"), *hosts, **limited)[1] == ["theirs", "free"]
    limited["placement_aggregate_required_for_tenants"] = True
    assert prefiltered(request(project_id="p2"), *hosts, **limited)[1] == []
    assert prefiltered(request(project_id="p1"), *hosts)[1] == ["theirs", "free"]


def test_prefilter__isolated_aggregates__only_for_servers_that_require_all_their_traits():
    hosts = (
        host("special", aggregate(1, trait__CUSTOM_A="required", trait__CUSTOM_B="required")),
        host("plain", aggregate(2)),
    )
    on = {"enable_isolated_aggregate_filtering": True}
    assert prefiltered(request(required=frozenset({"CUSTOM_A"})), *hosts, **on)[1] == ["plain"]
    both = frozenset({"CUSTOM_A", "CUSTOM_B"})
    assert prefiltered(request(required=both), *hosts, **on)[1] == ["special", "plain"]


def test_prefilter__image_type__its_trait_is_required():
    on = {"query_placement_for_image_type_support": True}
    wish = request(image_id="i", image_properties={"disk_format": "qcow2"})
    assert prefiltered(wish, **on)[0].required == {"COMPUTE_IMAGE_TYPE_QCOW2"}
    assert prefiltered(request(image_properties={"disk_format": "raw"}), **on)[0].required == frozenset()


def test_numa_topology__only_hosts_whose_nodes_could_take_the_guests_were_they_empty():
    def wish(**specs: str) -> ServerRequest:
        extra = {f"hw:{name}": value for name, value in specs.items()}
        flavor = Flavor(id="1", name="a", vcpus=4, memory_mb=2048, disk_gb=0, extra_specs=extra)
        return request(numa=numa_of(flavor, {}))

    flat, two = host("flat"), FakeHostSize(vcpus=8, memory_mb=4096, numa_nodes=2, dedicated_cpus=3, huge_pages=512)
    hosts = (flat, host("two", numa=two.nodes))
    assert passing("NUMATopologyFilter", wish(), *hosts) == ["flat", "two"]
    assert passing("NUMATopologyFilter", wish(numa_nodes="1"), *hosts) == ["flat"]
    assert passing("NUMATopologyFilter", wish(numa_nodes="2"), *hosts) == ["two"]
    assert passing("NUMATopologyFilter", wish(numa_nodes="4"), *hosts) == []
    assert passing("NUMATopologyFilter", wish(cpu_policy="dedicated"), *hosts) == []
    assert passing("NUMATopologyFilter", wish(cpu_policy="dedicated", numa_nodes="2"), *hosts) == ["two"]
    assert passing("NUMATopologyFilter", wish(mem_page_size="2048"), *hosts) == []
    assert passing("NUMATopologyFilter", wish(mem_page_size="2048", numa_nodes="2"), *hosts) == ["two"]
