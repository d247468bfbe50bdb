"""Flavors: the sizes that servers come in."""

import msgspec


class Flavor(msgspec.Struct, frozen=True, kw_only=True):
    """One flavor (Compute API, "Flavors"). A server keeps the flavor it was made with."""

    id: str
    """The id users see (`flavorid`), a UUID or whatever the admin chose."""
    name: str
    vcpus: int
    memory_mb: int
    disk_gb: int
    ephemeral_gb: int = 0
    swap_mb: int = 0
    rxtx_factor: float = 1.0
    public: bool = True
    disabled: bool = False
    description: str | None = None
    extra_specs: dict[str, str] = {}
