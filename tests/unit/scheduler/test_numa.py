"""What flavors and images say of NUMA nodes, dedicated CPUs and huge pages."""

import pytest

from kilonova.objects.flavor import Flavor
from kilonova.objects.numa import GuestCell
from kilonova.objects.portion import Portion
from kilonova.scheduler.errors import BadExtraSpec
from kilonova.scheduler.numa import guest_cells, numa_of
from kilonova.scheduler.wishes import wishes_of


def flavor(vcpus: int = 4, memory_mb: int = 2048, **specs: str) -> Flavor:
    """A flavor; `hw:` is put before each extra spec, and `__` is a dot in it."""
    extra = {f"hw:{key.replace('__', '.')}": value for key, value in specs.items()}
    return Flavor(id="1", name="a", vcpus=vcpus, memory_mb=memory_mb, disk_gb=1, extra_specs=extra)


def asked(found: Flavor, **image: str) -> list[dict[str, dict[str, int]]]:
    wishes = wishes_of(found, image)
    return [{suffix: dict(group.resources) for suffix, group in one.items()} for one in wishes.alternatives]


def test_nothing_said__the_host_as_a_whole_is_asked():
    assert numa_of(flavor(), {}) is None
    assert wishes_of(flavor()).resources == {"VCPU": 4, "MEMORY_MB": 2048, "DISK_GB": 1}


def test_nodes__are_groups_of_different_providers_with_an_even_share_each():
    wishes = wishes_of(flavor(numa_nodes="2"))
    assert wishes.resources == {"DISK_GB": 1}
    assert wishes.apart == {"numa0", "numa1"}
    each = {"VCPU": 2, "MEMORY_MB": 1024}
    assert asked(flavor(numa_nodes="2")) == [{"numa0": each, "numa1": each}]


def test_nodes__with_cpus_and_memory_of_each__as_said():
    uneven = flavor(
        numa_nodes="2",
        numa_cpus__0="0-2",
        numa_mem__0="512",
        numa_cpus__1="3",
        numa_mem__1="1536",
        cpu_policy="dedicated",
    )
    assert asked(uneven) == [{"numa0": {"PCPU": 3, "MEMORY_MB": 512}, "numa1": {"PCPU": 1, "MEMORY_MB": 1536}}]


def test_dedicated__one_node_with_a_processor_for_each_vcpu_and_one_for_the_emulator_where_wanted():
    assert asked(flavor(cpu_policy="dedicated")) == [{"numa0": {"PCPU": 4, "MEMORY_MB": 2048}}]
    alone = flavor(cpu_policy="dedicated", emulator_threads_policy="isolate")
    assert asked(alone) == [{"numa0": {"PCPU": 5, "MEMORY_MB": 2048}}]
    assert asked(flavor(), hw_cpu_policy="dedicated") == [{"numa0": {"PCPU": 4, "MEMORY_MB": 2048}}]


def test_mixed__some_of_each():
    mixed = flavor(cpu_policy="mixed", cpu_dedicated_mask="^0-1")
    assert asked(mixed) == [{"numa0": {"VCPU": 2, "PCPU": 2, "MEMORY_MB": 2048}}]


@pytest.mark.parametrize(
    ("policy", "required", "forbidden"),
    [
        ("prefer", set(), set()),
        ("require", {"HW_CPU_HYPERTHREADING"}, set()),
        ("isolate", set(), {"HW_CPU_HYPERTHREADING"}),
    ],
)
def test_thread_policy__is_a_trait_of_the_host(policy, required, forbidden):
    wishes = wishes_of(flavor(cpu_policy="dedicated", cpu_thread_policy=policy))
    assert (wishes.required, wishes.forbidden) == (required, forbidden)


@pytest.mark.parametrize(
    ("pages", "memory"),
    [
        ("small", [{"MEMORY_MB": 2048}]),
        ("large", [{"CUSTOM_MEMORY_PAGES_1048576KB": 2}, {"CUSTOM_MEMORY_PAGES_2048KB": 1024}]),
        ("any", [{"CUSTOM_MEMORY_PAGES_1048576KB": 2}, {"CUSTOM_MEMORY_PAGES_2048KB": 1024}, {"MEMORY_MB": 2048}]),
        ("2048", [{"CUSTOM_MEMORY_PAGES_2048KB": 1024}]),
        ("2MB", [{"CUSTOM_MEMORY_PAGES_2048KB": 1024}]),
        ("1GiB", [{"CUSTOM_MEMORY_PAGES_1048576KB": 2}]),
    ],
)
def test_pages__every_size_that_will_do_the_largest_first(pages, memory):
    assert asked(flavor(mem_page_size=pages)) == [{"numa0": {"VCPU": 4, **one}} for one in memory]


def test_pages__an_image_narrows_what_the_flavor_leaves_open():
    assert asked(flavor(mem_page_size="large"), hw_mem_page_size="2048") == [
        {"numa0": {"VCPU": 4, "CUSTOM_MEMORY_PAGES_2048KB": 1024}}
    ]


def test_pages__sizes_that_do_not_divide_the_memory_are_left_out():
    assert asked(flavor(memory_mb=1536, mem_page_size="large")) == [
        {"numa0": {"VCPU": 4, "CUSTOM_MEMORY_PAGES_2048KB": 768}}
    ]


@pytest.mark.parametrize(
    ("specs", "image", "told"),
    [
        ({"numa_nodes": "3"}, {}, "can't be dealt out evenly"),
        ({"numa_nodes": "0"}, {}, "from 1 to 64"),
        ({"numa_nodes": "2"}, {"hw_numa_nodes": "1"}, "not permitted to override"),
        ({"numa_nodes": "2", "numa_cpus__0": "0-1"}, {}, "for all nodes or for none"),
        ({"numa_nodes": "1", "numa_cpus__1": "0-1"}, {}, "there are 1 nodes"),
        ({"numa_nodes": "1", "numa_cpus__0": "0-4", "numa_mem__0": "2048"}, {}, "there are 4 CPUs"),
        ({"numa_nodes": "1", "numa_cpus__0": "0-2", "numa_mem__0": "2048"}, {}, "every vCPU has to be in a node"),
        ({"numa_nodes": "1", "numa_cpus__0": "0-3", "numa_mem__0": "1024"}, {}, "has to be the flavor's, 2048 MB"),
        (
            {
                "numa_nodes": "2",
                "numa_cpus__0": "0-3",
                "numa_mem__0": "1024",
                "numa_cpus__1": "3",
                "numa_mem__1": "1024",
            },
            {},
            "in one node only",
        ),
        ({"cpu_policy": "own"}, {}, "allowed: dedicated, shared, mixed"),
        ({"cpu_policy": "shared"}, {"hw_cpu_policy": "dedicated"}, "not permitted to override"),
        ({"cpu_policy": "mixed"}, {}, "cpu_dedicated_mask must say"),
        ({"cpu_policy": "mixed", "cpu_dedicated_mask": "0-3"}, {}, "at least one dedicated vCPU"),
        ({"cpu_policy": "dedicated", "cpu_dedicated_mask": "0"}, {}, "mixed only"),
        ({"cpu_thread_policy": "isolate"}, {}, "goes with hw:cpu_policy"),
        ({"cpu_policy": "dedicated", "cpu_thread_policy": "prefer"}, {"hw_cpu_thread_policy": "require"}, "override"),
        ({"emulator_threads_policy": "isolate"}, {}, "goes with hw:cpu_policy"),
        ({"mem_page_size": "huge"}, {}, "small, large, any or a size"),
        ({"mem_page_size": "1536KB"}, {"hw_mem_page_size": "2048"}, "only where the flavor says"),
        ({}, {"hw_mem_page_size": "large"}, "only where the flavor says"),
        ({"mem_page_size": "3000"}, {}, "no whole number of pages"),
    ],
)
def test_what_does_not_go_together__is_refused_with_the_reason(specs, image, told):
    with pytest.raises(BadExtraSpec, match=told):
        wishes_of(flavor(**specs), image)


def test_guest__lies_in_the_nodes_that_were_claimed_with_the_pages_that_were():
    found = flavor(numa_nodes="2", cpu_policy="dedicated", mem_page_size="any", emulator_threads_policy="isolate")
    portion = Portion(
        allocations={"a": {"PCPU": 3, "CUSTOM_MEMORY_PAGES_2048KB": 512}, "b": {"PCPU": 2}},
        groups={"": ("host",), "numa0": ("host_NUMA1",), "numa1": ("host_NUMA0",)},
    )
    assert guest_cells(found, {}, portion) == (
        GuestCell(node=1, vcpus=(0, 1), dedicated=(0, 1), memory_mb=1024, page_kib=2048, own_thread=True),
        GuestCell(node=0, vcpus=(2, 3), dedicated=(2, 3), memory_mb=1024, page_kib=2048),
    )
