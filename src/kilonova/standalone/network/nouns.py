"""Rows of the network database as the nouns that compute knows."""

from collections.abc import Mapping, Sequence
from typing import Any

from kilonova.database.database import Transaction
from kilonova.kernel.ids import ProjectId
from kilonova.objects.port import FixedIp, Network, Port, SecurityGroup, Subnet
from kilonova.standalone.network.store import addresses, networks, ports, tags

Row = Mapping[str, Any]


def networks_txn(tx: Transaction, rows: Sequence[Row]) -> list[Network]:
    """Networks, with their subnets."""
    subnet_ids = networks.subnet_ids_txn(tx, [row["id"] for row in rows])
    return [
        Network(
            id=row["id"],
            name=row["name"],
            project_id=ProjectId(row["project_id"]),
            shared=row["shared"],
            admin_state_up=row["admin_state_up"],
            external=row["external"],
            mtu=row["mtu"],
            subnet_ids=tuple(subnet_ids.get(row["id"], ())),
        )
        for row in rows
    ]


def ports_txn(tx: Transaction, rows: Sequence[Row]) -> list[Port]:
    """Ports, with their addresses, security groups and tags."""
    ids = [row["id"] for row in rows]
    fixed_ips, groups, words = addresses.of_ports_txn(tx, ids), ports.groups_txn(tx, ids), tags.of_txn(tx, ids)
    return [
        port_of(row, fixed_ips.get(row["id"], ()), groups.get(row["id"], ()), words.get(row["id"], ())) for row in rows
    ]


def port_of(row: Row, fixed_ips: Sequence[Row], groups: Sequence[str], words: Sequence[str]) -> Port:
    """A port; `words` are its tags."""
    return Port(
        id=row["id"],
        network_id=row["network_id"],
        project_id=ProjectId(row["project_id"]),
        name=row["name"],
        description=row["description"],
        mac=row["mac_address"],
        status=row["status"],
        admin_state_up=row["admin_state_up"],
        device_id=row["device_id"],
        device_owner=row["device_owner"],
        fixed_ips=tuple(FixedIp(subnet_id=one["subnet_id"], address=one["ip_address"]) for one in fixed_ips),
        security_group_ids=tuple(groups),
        host=row["host_id"],
        vif_type=row["vif_type"],
        vnic_type=row["vnic_type"],
        tags=tuple(words),
    )


def subnet_of(row: Row) -> Subnet:
    """A subnet."""
    return Subnet(
        id=row["id"],
        network_id=row["network_id"],
        version=row["ip_version"],
        cidr=row["cidr"],
        gateway=row["gateway_ip"],
        dns=tuple(row["dns_nameservers"]),
        dhcp=row["enable_dhcp"],
    )


def group_of(row: Row) -> SecurityGroup:
    """A security group."""
    return SecurityGroup(id=row["id"], name=row["name"], project_id=ProjectId(row["project_id"]))
