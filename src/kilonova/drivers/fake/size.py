"""What each fake host has."""

import re

import msgspec

from kilonova.kernel.errors import Invalid
from kilonova.objects.numa import HostNode
from kilonova.objects.pci import HostDevice, device_class

_HUGE_KIB = 2048
_KIB_IN_MB = 1024
_DEVICES_MAX = 256
_DEVICE = re.compile(r"(?:([0-9A-Fa-f]{4}):([0-9A-Fa-f]{4})|(CUSTOM_[A-Z0-9_]+))((?:\+[A-Z0-9_]+)*)(?:\*(\d{1,3}))?")


class BadDevice(Invalid):
    """[fake] pci_devices: '{text}' is not VENDOR:PRODUCT or CUSTOM_CLASS, with +TRAIT and *COUNT after it as wanted."""

    code = "bad-fake-device"


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
    pci_devices: tuple[str, ...] = ()
    """`VENDOR:PRODUCT` or `CUSTOM_CLASS`, with `+TRAIT` and `*COUNT` after it; they are dealt out to the nodes in turn."""

    @property
    def devices(self) -> tuple[HostDevice, ...]:
        """The PCI devices. Raises `BadDevice`."""
        kinds = [kind for text in self.pci_devices for kind in _kinds(text)]
        return tuple(
            HostDevice(
                address=f"0000:81:{number >> 3:02x}.{number & 7}",
                resource_class=name,
                traits=traits,
                node=number % self.numa_nodes if self.numa_nodes else None,
            )
            for number, (name, traits) in enumerate(kinds)
        )

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


def _kinds(text: str) -> list[tuple[str, tuple[str, ...]]]:
    """The class and traits of each device that is meant."""
    found = _DEVICE.fullmatch(text)
    if found is None or int(found[5] or 1) > _DEVICES_MAX:
        raise BadDevice(text=text)
    name = found[3] or device_class(found[1], found[2])
    return [(name, tuple(found[4].split("+")[1:]))] * int(found[5] or 1)
