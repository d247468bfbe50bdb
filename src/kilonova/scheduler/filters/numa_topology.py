"""NUMATopologyFilter: hosts whose NUMA nodes could take the guest's, were they empty.

How full they are, placement judges. So this filter lets nobody in or out; it tells hosts that are built otherwise from full ones.
"""

from collections.abc import Sequence

from kilonova.objects.numa import HostNode
from kilonova.scheduler.filters.filter import Rule
from kilonova.scheduler.numa import Cell, NumaWish
from kilonova.scheduler.request import ServerRequest


def numa_topology(request: ServerRequest) -> Rule | None:
    """Only hosts with a node for each node of the guest; those that tell of none take guests with one that want nothing else."""
    wish = request.numa
    if wish is None:
        return None
    simple = len(wish.cells) == 1 and not wish.dedicated and None in wish.pages
    return lambda host: _fits(wish, wish.cells, host.numa) if host.numa else simple


def _fits(wish: NumaWish, cells: Sequence[Cell], nodes: Sequence[HostNode]) -> bool:
    """Whether each of the cells can have a node of its own."""
    if not cells:
        return True
    first, rest = cells[0], cells[1:]
    return any(
        _holds(wish, first, node) and _fits(wish, rest, [*nodes[:at], *nodes[at + 1 :]])
        for at, node in enumerate(nodes)
    )


def _holds(wish: NumaWish, cell: Cell, node: HostNode) -> bool:
    own = len(wish.dedicated.intersection(cell.vcpus))
    cpus = own <= len(node.dedicated) and (bool(node.shared) or own == len(cell.vcpus))
    return cpus and any(
        cell.memory_mb <= node.memory_mb
        if size is None
        else cell.memory_mb * 1024 <= node.huge_pages.get(size, 0) * size
        for size in wish.pages
    )
