"""NUMA nodes: those that a host has, and the cells of a guest that come to lie in them."""

import msgspec

_PAGES = "CUSTOM_MEMORY_PAGES_"


class HostNode(msgspec.Struct, frozen=True, kw_only=True):
    """One NUMA node of a host. Every processor and every byte is given in one way only."""

    number: int
    dedicated: tuple[int, ...] = ()
    """Processors that each serve one guest alone."""
    shared: tuple[int, ...] = ()
    """Processors that guests share."""
    siblings: tuple[tuple[int, ...], ...] = ()
    """Processors that are threads of one core; none where each core is one processor."""
    memory_mb: int
    """For guests, in pages of the usual size."""
    huge_pages: dict[int, int] = {}
    """How many pages of each other size, in KiB, are set aside for guests."""


class GuestCell(msgspec.Struct, frozen=True, kw_only=True):
    """One NUMA node as a guest sees it."""

    node: int | None
    """The host's node that it lies in; None on hosts that tell of none."""
    vcpus: tuple[int, ...]
    dedicated: tuple[int, ...] = ()
    """Those of its vCPUs that each have a processor of the host to themselves."""
    memory_mb: int
    page_kib: int | None = None
    """The size of its memory's pages; None for the usual one."""
    own_thread: bool = False
    """Whether the emulator has a processor of its own in this cell's node."""


def pages_class(page_kib: int) -> str:
    """The resource class of huge pages; it is counted in pages."""
    return f"{_PAGES}{page_kib}KB"


def page_kib_of(resource_class: str) -> int | None:
    """The size of the pages that a resource class counts; None for any other class."""
    if not resource_class.startswith(_PAGES):
        return None
    return int(resource_class.removeprefix(_PAGES).removesuffix("KB"))
