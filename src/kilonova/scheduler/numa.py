"""What a flavor and an image say of a guest's NUMA nodes, dedicated CPUs and huge pages. Pure.

Source: Nova administrator guide, "CPU topologies" and "Huge pages"; the rules for who may say what are those of Nova's
`hardware` module as its documentation of extra specs gives them. Each node of the guest, a cell, is a group that one provider
gives: one node of the host, or the whole of a host that tells of no nodes.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

import msgspec

from kilonova.objects.flavor import Flavor
from kilonova.objects.numa import GuestCell, page_kib_of, pages_class
from kilonova.objects.portion import Portion
from kilonova.placement.shapes import Group
from kilonova.scheduler.errors import BadExtraSpec

Specs = Mapping[str, str]

CELL = "numa"
"""How the suffixes of cells begin; those of flavors begin with a digit or an underscore."""
HYPERTHREADING = "HW_CPU_HYPERTHREADING"
HUGE_KIB = (1024 * 1024, 2048)
"""The page sizes that `large` and `any` stand for, the largest first."""
USUAL_KIB = 4
"""The size of the pages that hosts have without setting any aside."""
NODES_MAX = 64
_UNITS_KIB = {"": 1, "K": 1, "M": 1024, "G": 1024 * 1024, "T": 1024 * 1024 * 1024}


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One NUMA node of the guest."""

    vcpus: tuple[int, ...]
    memory_mb: int


class NumaWish(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked."""

    cells: tuple[Cell, ...]
    dedicated: frozenset[int] = frozenset()
    """vCPUs that want a processor of the host for themselves."""
    pages: tuple[int | None, ...] = (None,)
    """Page sizes in KiB that will do, the best first; None is the usual size."""
    required: frozenset[str] = frozenset()
    forbidden: frozenset[str] = frozenset()
    """Traits of the host."""
    own_thread: bool = False
    """Whether the emulator wants a processor for itself."""

    @property
    def suffixes(self) -> tuple[str, ...]:
        """The suffix of each cell's group."""
        return tuple(f"{CELL}{number}" for number in range(len(self.cells)))

    @property
    def alternatives(self) -> list[dict[str, Group]]:
        """The groups of the cells, for each page size that will do."""
        return [
            {suffix: self._group(number, page_kib) for number, suffix in enumerate(self.suffixes)}
            for page_kib in self.pages
        ]

    def _group(self, number: int, page_kib: int | None) -> Group:
        cell = self.cells[number]
        own = len(self.dedicated.intersection(cell.vcpus))
        found = {"VCPU": len(cell.vcpus) - own, "PCPU": own + (self.own_thread and number == 0)}
        if page_kib is None:
            found["MEMORY_MB"] = cell.memory_mb
        else:
            found[pages_class(page_kib)] = cell.memory_mb * 1024 // page_kib
        return Group(resources={name: amount for name, amount in found.items() if amount > 0})


def numa_of(flavor: Flavor, image: Specs) -> NumaWish | None:
    """What is asked; None where nothing says anything of it. Raises `BadExtraSpec`."""
    dedicated = _dedicated(flavor, image)
    pages = _page_sizes(flavor, image)
    nodes = _either(flavor, image, "numa_nodes")
    required, forbidden = _threads(flavor, image, dedicated)
    own_thread = _own_thread(flavor, dedicated)
    if nodes is None and not dedicated and pages is None:
        return None
    cells = _cells(flavor, image, _count("hw:numa_nodes", nodes))
    return NumaWish(
        cells=cells,
        dedicated=dedicated,
        pages=_fitting_pages(flavor, cells, pages),
        required=required,
        forbidden=forbidden,
        own_thread=own_thread,
    )


def guest_cells(flavor: Flavor, image: Specs, portion: Portion | None) -> tuple[GuestCell, ...]:
    """The cells of a guest that holds `portion`, for its host; none when it asks for none."""
    wish = None if portion is None else numa_of(flavor, image)
    if wish is None or portion is None:
        return ()
    held = (page_kib_of(name) for amounts in portion.allocations.values() for name in amounts)
    page_kib = next((size for size in held if size is not None), None)
    return tuple(
        GuestCell(
            node=node_of(portion.groups.get(suffix, ())),
            vcpus=cell.vcpus,
            dedicated=tuple(one for one in cell.vcpus if one in wish.dedicated),
            memory_mb=cell.memory_mb,
            page_kib=page_kib,
            own_thread=wish.own_thread and number == 0,
        )
        for number, (suffix, cell) in enumerate(zip(wish.suffixes, wish.cells, strict=True))
    )


def node_name(host: str, number: int) -> str:
    """The name of the provider that is a host's NUMA node."""
    return f"{host}_NUMA{number}"


def node_of(providers: Sequence[str]) -> int | None:
    """The number of the node that gives a cell; None where it is the host itself."""
    found = re.search(r"_NUMA(\d+)$", providers[0]) if providers else None
    return int(found[1]) if found else None


def _own(flavor: Flavor, image: Specs, name: str) -> tuple[str | None, str | None]:
    """What the flavor says and what the image says."""
    return flavor.extra_specs.get(f"hw:{name}") or None, image.get(f"hw_{name.replace('.', '_')}") or None


def _either(flavor: Flavor, image: Specs, name: str) -> str | None:
    """What either says; an image may not say something else than the flavor."""
    own, of_image = _own(flavor, image, name)
    if own is not None and of_image is not None and own != of_image:
        reason = f"Image property 'hw_{name.replace('.', '_')}' is not permitted to override the flavor's '{own}'"
        raise BadExtraSpec(key=f"hw:{name}", value=of_image, reason=reason)
    return own if own is not None else of_image


def _choice(key: str, value: str | None, allowed: Sequence[str]) -> None:
    if value is not None and value not in allowed:
        raise BadExtraSpec(key=key, value=value, reason=f"allowed: {', '.join(allowed)}")


def _dedicated(flavor: Flavor, image: Specs) -> frozenset[int]:
    """The vCPUs that are dedicated. An image may ask for it only where the flavor says nothing or the same."""
    own, of_image = _own(flavor, image, "cpu_policy")
    for said in (own, of_image):
        _choice("hw:cpu_policy", said, ("dedicated", "shared", "mixed"))
    if own in {"shared", "mixed"} and of_image not in {None, own}:
        reason = f"Image property 'hw_cpu_policy' is not permitted to override the flavor's '{own}'"
        raise BadExtraSpec(key="hw:cpu_policy", value=of_image, reason=reason)
    policy = own or of_image
    mask = flavor.extra_specs.get("hw:cpu_dedicated_mask")
    if policy == "mixed":
        if mask is None:
            reason = "hw:cpu_dedicated_mask must say which vCPUs are dedicated"
            raise BadExtraSpec(key="hw:cpu_policy", value=policy, reason=reason)
        found = cpus_of("hw:cpu_dedicated_mask", mask, flavor.vcpus)
        if not 0 < len(found) < flavor.vcpus:
            reason = "the mixed policy wants at least one dedicated vCPU and one that is shared"
            raise BadExtraSpec(key="hw:cpu_dedicated_mask", value=mask, reason=reason)
        return found
    if mask is not None:
        raise BadExtraSpec(key="hw:cpu_dedicated_mask", value=mask, reason="it goes with hw:cpu_policy=mixed only")
    return frozenset(range(flavor.vcpus)) if policy == "dedicated" else frozenset()


def _threads(flavor: Flavor, image: Specs, dedicated: frozenset[int]) -> tuple[frozenset[str], frozenset[str]]:
    """Traits that the host must have, and must not, for the policy about threads of one core."""
    policy = _either(flavor, image, "cpu_thread_policy")
    _choice("hw:cpu_thread_policy", policy, ("prefer", "isolate", "require"))
    if policy is not None and not dedicated:
        reason = "it goes with hw:cpu_policy=dedicated or mixed only"
        raise BadExtraSpec(key="hw:cpu_thread_policy", value=policy, reason=reason)
    trait = frozenset({HYPERTHREADING})
    nothing = frozenset[str]()
    return (trait if policy == "require" else nothing), (trait if policy == "isolate" else nothing)


def _own_thread(flavor: Flavor, dedicated: frozenset[int]) -> bool:
    key = "hw:emulator_threads_policy"
    policy = flavor.extra_specs.get(key)
    _choice(key, policy, ("isolate", "share"))
    if policy == "isolate" and not dedicated:
        raise BadExtraSpec(key=key, value=policy, reason="it goes with hw:cpu_policy=dedicated or mixed only")
    return policy == "isolate"


def _page_sizes(flavor: Flavor, image: Specs) -> tuple[int | None, ...] | None:
    """The page sizes that will do; None where nothing is said. The image may narrow `large` and `any` only."""
    own, of_image = _own(flavor, image, "mem_page_size")
    if of_image is not None and own not in {"large", "any"}:
        reason = f"the image may ask for pages only where the flavor says 'large' or 'any', not {own or 'nothing'!r}"
        raise BadExtraSpec(key="hw_mem_page_size", value=of_image, reason=reason)
    said = of_image or own
    if said is None:
        return None
    named: dict[str, tuple[int | None, ...]] = {"small": (None,), "large": HUGE_KIB, "any": (*HUGE_KIB, None)}
    if said in named:
        return named[said]
    found = re.fullmatch(r"(\d+)([KMGT]?)i?[bB]?", said)
    if found is None or int(found[1]) == 0:
        raise BadExtraSpec(key="hw:mem_page_size", value=said, reason="it must be small, large, any or a size in KiB")
    size = int(found[1]) * _UNITS_KIB[found[2]]
    return (None,) if size == USUAL_KIB else (size,)


def _fitting_pages(
    flavor: Flavor, cells: Sequence[Cell], pages: tuple[int | None, ...] | None
) -> tuple[int | None, ...]:
    """Those sizes in whole pages of which every cell's memory can be had."""
    if pages is None:
        return (None,)
    whole = tuple(size for size in pages if size is None or all(cell.memory_mb * 1024 % size == 0 for cell in cells))
    if not whole:
        said = flavor.extra_specs.get("hw:mem_page_size", "")
        raise BadExtraSpec(
            key="hw:mem_page_size", value=said, reason="the memory of each node is no whole number of pages"
        )
    return whole


def _count(key: str, text: str | None) -> int:
    if text is None:
        return 1
    if not text.isdecimal() or not 1 <= int(text) <= NODES_MAX:
        raise BadExtraSpec(key=key, value=text, reason=f"it must be a whole number from 1 to {NODES_MAX}")
    return int(text)


def _cells(flavor: Flavor, image: Specs, count: int) -> tuple[Cell, ...]:
    cpus = [_either(flavor, image, f"numa_cpus.{number}") for number in range(count)]
    memory = [_either(flavor, image, f"numa_mem.{number}") for number in range(count)]
    _none_beyond(flavor, count)
    said = [one is not None for one in (*cpus, *memory)]
    if not any(said):
        return _even(flavor, count)
    if not all(said):
        reason = "hw:numa_cpus.N and hw:numa_mem.N must be given for all nodes or for none"
        raise BadExtraSpec(key="hw:numa_nodes", value=count, reason=reason)
    found = [
        Cell(
            vcpus=tuple(sorted(cpus_of(f"hw:numa_cpus.{number}", str(cpus[number]), flavor.vcpus))),
            memory_mb=_megabytes(f"hw:numa_mem.{number}", str(memory[number])),
        )
        for number in range(count)
    ]
    _whole(flavor, found)
    return tuple(found)


def _none_beyond(flavor: Flavor, count: int) -> None:
    for key, value in flavor.extra_specs.items():
        found = re.fullmatch(r"hw:numa_(cpus|mem)\.(\d+)", key)
        if found and int(found[2]) >= count:
            raise BadExtraSpec(key=key, value=value, reason=f"there are {count} nodes, from 0 on")


def _even(flavor: Flavor, count: int) -> tuple[Cell, ...]:
    if flavor.vcpus % count or flavor.memory_mb % count:
        reason = "vCPUs and memory can't be dealt out evenly: hw:numa_cpus.N and hw:numa_mem.N must say how"
        raise BadExtraSpec(key="hw:numa_nodes", value=count, reason=reason)
    each, memory_mb = flavor.vcpus // count, flavor.memory_mb // count
    return tuple(
        Cell(vcpus=tuple(range(number * each, (number + 1) * each)), memory_mb=memory_mb) for number in range(count)
    )


def _whole(flavor: Flavor, cells: Sequence[Cell]) -> None:
    """Every vCPU is in one node, and the memory adds up."""
    every = sorted(one for cell in cells for one in cell.vcpus)
    twice = [one for one, other in pairwise(every) if one == other]
    if twice:
        raise BadExtraSpec(key="hw:numa_cpus", value=twice[0], reason="a vCPU is in one node only")
    missing = sorted(set(range(flavor.vcpus)).difference(every))
    if missing:
        raise BadExtraSpec(key="hw:numa_cpus", value=missing[0], reason="every vCPU has to be in a node")
    total = sum(cell.memory_mb for cell in cells)
    if total != flavor.memory_mb:
        reason = f"the nodes' memory has to be the flavor's, {flavor.memory_mb} MB"
        raise BadExtraSpec(key="hw:numa_mem", value=total, reason=reason)


def _megabytes(key: str, text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise BadExtraSpec(key=key, value=text, reason="it must be a whole number of MB, 1 or more")
    return int(text)


def cpus_of(key: str, text: str, count: int) -> frozenset[int]:
    """The CPUs in a list such as `0-3,^1`, all below `count`. Raises `BadExtraSpec`."""
    inside: set[int] = set()
    outside: set[int] = set()
    for part in text.split(","):
        found = re.fullmatch(r"\s*(\^?)(\d+)(?:-(\d+))?\s*", part)
        if found is None:
            raise BadExtraSpec(key=key, value=text, reason="it must be a list of CPUs such as 0-3,^1")
        first, last = int(found[2]), int(found[3] or found[2])
        if max(first, last) >= count:
            raise BadExtraSpec(key=key, value=text, reason=f"there are {count} CPUs, from 0 on")
        (outside if found[1] else inside).update(range(first, last + 1))
    if not inside:
        inside = set(range(count))
    return frozenset(inside - outside)
