"""What each fake host has."""

import msgspec

from kilonova.objects.numa import HostNode

_HUGE_KIB = 2048
_KIB_IN_MB = 1024


class FakeHostSize(msgspec.Struct, frozen=True, kw_only=True):
    """The resources of each fake host."""

    vcpus: int = 64
    memory_mb: int = 256 * 1024
    disk_gb: int = 4096
    numa_nodes: int = 0
    """How many NUMA nodes it tells of, which share its processors and memory evenly; 0 for a host that tells of none."""
    dedicated_cpus: int = 0
    """How many processors of each node are dedicated: the first ones."""
    huge_pages: int = 0
    """How many pages of 2 MiB are set aside in each node."""

    @property
    def nodes(self) -> tuple[HostNode, ...]:
        """The nodes; neighbouring processors are threads of one core."""
        if not self.numa_nodes:
            return ()
        each = self.vcpus // self.numa_nodes
        return tuple(self._node(number, range(number * each, (number + 1) * each)) for number in range(self.numa_nodes))

    def _node(self, number: int, cpus: range) -> HostNode:
        huge_mb = self.huge_pages * _HUGE_KIB // _KIB_IN_MB
        return HostNode(
            number=number,
            dedicated=tuple(cpus[: self.dedicated_cpus]),
            shared=tuple(cpus[self.dedicated_cpus :]),
            siblings=tuple(zip(cpus[::2], cpus[1::2], strict=False)),
            memory_mb=max(0, self.memory_mb // self.numa_nodes - huge_mb),
            huge_pages={_HUGE_KIB: self.huge_pages} if self.huge_pages else {},
        )
