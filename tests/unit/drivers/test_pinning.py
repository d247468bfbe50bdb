"""Which processors of a host are a guest's own."""

import pytest

from kilonova.drivers.pinning import EMULATOR, pinned
from kilonova.objects.numa import GuestCell, HostNode

NODES = (
    HostNode(number=0, dedicated=(0, 1, 4, 5), shared=(2, 3), siblings=((0, 4), (1, 5), (2, 3)), memory_mb=1024),
    HostNode(number=1, dedicated=(6, 7), memory_mb=1024),
)


def cell(node: int | None, *vcpus: int, own_thread: bool = False) -> GuestCell:
    return GuestCell(node=node, vcpus=vcpus, dedicated=vcpus, memory_mb=512, own_thread=own_thread)


def test_pinned__neighbours_share_a_core():
    assert pinned(NODES, (cell(0, 0, 1),), ()) == {0: 0, 1: 4}


def test_pinned__whole_cores_are_kept_whole_for_those_who_need_them():
    assert pinned(NODES, (cell(0, 0, 1),), (0,)) == {0: 1, 1: 5}
    assert pinned(NODES, (cell(0, 0, 1, 2),), (0,)) == {0: 1, 1: 5, 2: 4}


def test_pinned__each_cell_in_its_node_and_the_emulator_beside_the_first():
    assert pinned(NODES, (cell(1, 0, own_thread=True), cell(0, 1)), ()) == {0: 6, EMULATOR: 7, 1: 0}


def test_pinned__vcpus_that_share__have_none():
    shared = GuestCell(node=0, vcpus=(0, 1), memory_mb=512)
    assert pinned(NODES, (shared,), ()) == {}


@pytest.mark.parametrize("node", [1, 9, None])
def test_pinned__too_few_processors__says_how_many(node):
    with pytest.raises(ValueError, match="free processors of 3 that are needed"):
        pinned(NODES, (cell(node, 0, 1, 2),), ())
