"""The addresses of a guest's user-mode network: a subnet for this card alone, served by QEMU itself.

QEMU plays gateway, DHCP and DNS server inside the port's own subnet, and DHCP leases the port's fixed IP. `restrict=on` keeps
the guest from the machine's loopback and everything beyond; only the forward for SSH leads in.
"""

import ipaddress
from collections.abc import Mapping
from itertools import chain, islice

from kilonova.objects.guest import GuestAddress, GuestNic

_LOOPBACK = "127.0.0.1"
_SSH = 22
_CANDIDATES = 4


def ssh_nic(nics: tuple[GuestNic, ...]) -> int | None:
    """Index of the card that the SSH forward leads to: the first with an IPv4 address."""
    return next((index for index, nic in enumerate(nics) if _address(nic, 4)), None)


def netdev_name(slot: int) -> str:
    """The name of the network behind the card in a socket."""
    return f"net{slot}"


def netdev_options(slot: int, nic: GuestNic, ssh_port: int | None) -> dict[str, object]:
    """What QEMU's `netdev_add` takes for the network behind the card in a socket; `ssh_port` when the forward leads to this card.

    A card without an address sits on a network without anybody else.

    Raises:
        ValueError: an address or subnet isn't one, or they don't fit together.
    """
    ipv4, ipv6 = _address(nic, 4), _address(nic, 6)
    if ipv4 is None and ipv6 is None:
        return {"type": "hubport", "id": netdev_name(slot), "hubid": slot}
    options: dict[str, object] = {"type": "user", "id": netdev_name(slot), "restrict": True}
    options |= _ipv4_options(ipv4) if ipv4 else {"ipv4": False}
    options |= _ipv6_options(ipv6) if ipv6 else {"ipv6": False}
    if ssh_port is not None and ipv4:
        options["hostfwd"] = [{"str": f"tcp:{_LOOPBACK}:{ssh_port}-:{_SSH}"}]
    return options


def netdev_argument(options: Mapping[str, object]) -> str:
    """The same as the value of `-netdev`."""
    words = [str(options["type"])]
    for key, value in options.items():
        if key == "hostfwd" and isinstance(value, list):
            words += [f"hostfwd={forward['str']}" for forward in value]
        elif key != "type":
            words.append(f"{key}={_word(value)}")
    return ",".join(words)


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)


def _address(nic: GuestNic, version: int) -> GuestAddress | None:
    return next((address for address in nic.addresses if address.version == version), None)


def _ipv4_options(address: GuestAddress) -> dict[str, object]:
    network = ipaddress.IPv4Network(address.cidr)
    fixed = ipaddress.IPv4Address(address.address)
    gateway = ipaddress.IPv4Address(address.gateway) if address.gateway else None
    if fixed not in network:
        raise ValueError(f"the fixed IP {fixed} is not in its subnet {network}")
    host, dns = _service_addresses(network, fixed, gateway)
    return {"ipv4": True, "net": str(network), "dhcpstart": str(fixed), "host": str(host), "dns": str(dns)}


def _service_addresses(
    network: ipaddress.IPv4Network, fixed: ipaddress.IPv4Address, gateway: ipaddress.IPv4Address | None
) -> tuple[ipaddress.IPv4Address, ipaddress.IPv4Address]:
    """Where QEMU's router and DNS server sit: the subnet's own gateway, and any address that is still free.

    The router's address is what DHCP tells the guest as its gateway, so it is the gateway whenever there is one.
    """
    if network.prefixlen > 30:
        raise ValueError(f"the subnet {network} is too small for a guest, a gateway and a DNS server")
    spare = chain(network.hosts(), (network.broadcast_address,))
    free = islice((found for found in spare if found not in (fixed, gateway)), _CANDIDATES)
    if gateway is not None and gateway in network and gateway != fixed:
        return gateway, next(free)
    return next(free), next(free)


def _ipv6_options(address: GuestAddress) -> dict[str, object]:
    network = ipaddress.IPv6Network(address.cidr)
    options: dict[str, object] = {
        "ipv6": True,
        "ipv6-prefix": str(network.network_address),
        "ipv6-prefixlen": network.prefixlen,
    }
    if address.gateway and ipaddress.IPv6Address(address.gateway) in network:
        options["ipv6-host"] = str(ipaddress.IPv6Address(address.gateway))
    return options
