"""Which processors of a host serve the dedicated vCPUs of a guest: a pure function of what there is and what is taken.

How many of a node's processors a guest has is what it holds in placement. Which ones they are, its host alone decides, and
remembers with the guest.
"""

from collections.abc import Collection, Sequence

from kilonova.objects.numa import GuestCell, HostNode

EMULATOR = -1
"""Stands for the emulator's own thread among vCPUs."""
Pins = dict[int, int]
"""The processor of the host by vCPU, or by `EMULATOR`."""


def wanted(cells: Sequence[GuestCell]) -> list[int]:
    """What of a guest needs a processor for itself."""
    return [one for cell in cells for one in _of_cell(cell)]


def pinned(
    nodes: Sequence[HostNode], cells: Sequence[GuestCell], taken: Collection[int], own: Collection[int] = ()
) -> Pins:
    """A processor for each vCPU that needs one; neighbours share a core, as far as whole cores are free.

    Args:
        nodes: those of the host.
        cells: those of the guest.
        taken: processors of others.
        own: what the guest has in the size that it may go back to. They come first, because of each node the guest holds no
            more than the larger size takes.

    Raises:
        ValueError: a node has too few that are not in `taken`.
    """
    pins: Pins = {}
    for cell in cells:
        needs = _of_cell(cell)
        if not needs:
            continue
        node = next((one for one in nodes if one.number == cell.node), None)
        free = [] if node is None else _in_order(node, {*taken, *pins.values()}, own)
        if len(free) < len(needs):
            raise ValueError(f"node {cell.node} has {len(free)} free processors of {len(needs)} that are needed")
        pins.update(zip(needs, free, strict=False))
    return pins


def _of_cell(cell: GuestCell) -> list[int]:
    return [*cell.dedicated, *([EMULATOR] if cell.own_thread else ())]


def _in_order(node: HostNode, taken: Collection[int], first: Collection[int]) -> list[int]:
    """The free processors of a node: those in `first`, those of whole cores, the others."""
    cores: dict[int, tuple[int, ...]] = {one: core for core in node.siblings for one in core}
    own = set(node.dedicated)

    def key(one: int) -> tuple[bool, bool, int, int]:
        core = cores.get(one, (one,))
        broken = any(other in taken for other in core if other in own)
        return (one not in first, broken, min(core), one)

    return sorted((one for one in node.dedicated if one not in taken), key=key)
