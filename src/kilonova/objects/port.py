"""Networks, subnets and ports as the compute service needs them."""

import msgspec

from kilonova.kernel.ids import ProjectId, ServerId


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """One network (Networking API v2.0)."""

    id: str
    name: str
    project_id: ProjectId
    shared: bool
    admin_state_up: bool
    external: bool
    mtu: int
    subnet_ids: tuple[str, ...]


class Subnet(msgspec.Struct, frozen=True, kw_only=True):
    """One subnet of a network."""

    id: str
    network_id: str
    version: int
    cidr: str
    gateway: str | None
    dns: tuple[str, ...]
    dhcp: bool


class FixedIp(msgspec.Struct, frozen=True, kw_only=True):
    """One address of a port."""

    subnet_id: str
    address: str


class Port(msgspec.Struct, frozen=True, kw_only=True):
    """One port of a network."""

    id: str
    network_id: str
    project_id: ProjectId
    name: str
    mac: str
    status: str
    """`ACTIVE`, `DOWN`, `BUILD`."""
    admin_state_up: bool
    device_id: str
    """The server it belongs to; empty for none."""
    device_owner: str
    fixed_ips: tuple[FixedIp, ...]
    security_group_ids: tuple[str, ...]
    host: str
    """`binding:host_id`; empty for none."""
    description: str = ""
    vif_type: str = ""
    vnic_type: str = "normal"
    tags: tuple[str, ...] = ()


class PortRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A port to be made for a server on its host."""

    project_id: ProjectId
    network_id: str
    server_id: ServerId
    host: str
    zone: str
    """The host's availability zone, told in `device_owner`."""
    fixed_ip: str | None
    """The address wanted; None for any."""
    security_group_ids: tuple[str, ...]
    description: str
    """By which it is found again, and known as ours to delete."""


class SecurityGroup(msgspec.Struct, frozen=True, kw_only=True):
    """One security group, by id and name."""

    id: str
    name: str
    project_id: ProjectId
