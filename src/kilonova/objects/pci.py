"""PCI devices that a host may give to guests."""

import msgspec


class HostDevice(msgspec.Struct, frozen=True, kw_only=True):
    """One device of a host, given whole to one guest."""

    address: str
    """Domain, bus, slot and function, e.g. `0000:81:00.0`."""
    resource_class: str
    """Of which it is one, e.g. `CUSTOM_PCI_10DE_1EB8`."""
    traits: tuple[str, ...] = ()
    node: int | None = None
    """The NUMA node that it hangs on, where the host tells of nodes."""


def device_class(vendor: str, product: str) -> str:
    """The resource class of devices by their hexadecimal ids, where nothing else is said of them."""
    return f"CUSTOM_PCI_{vendor.upper()}_{product.upper()}"
