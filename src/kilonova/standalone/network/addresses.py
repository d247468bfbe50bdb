"""Arithmetic of subnets and addresses: pools, gateways, the search for a free address. Pure.

Addresses are integers here. A pool is (first, last), both included; the pools of a subnet are ascending and apart.
"""

import ipaddress
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from kilonova.standalone.network.errors import (
    GatewayConflictWithAllocationPools,
    InvalidAllocationPool,
    InvalidInput,
    OutOfBoundsAllocationPool,
    OverlappingAllocationPools,
)
from kilonova.standalone.network.values import Address, Network

Pool = tuple[int, int]
Taken = Callable[[int, int, int], Sequence[int]]
"""The taken addresses from a first to a last one, ascending, at most so many."""

FIRST_LOOK = 16
NEXT_LOOKS = 2048
"""How many taken addresses one look into the store brings: few at first, for mostly the very next address is free."""
AUTO_MODES = frozenset({"slaac", "dhcpv6-stateless"})
"""IPv6 address modes in which a port's address follows from its MAC."""


def position(address: int, version: int) -> str:
    """An address as text whose order is the addresses' order."""
    return f"{address:0{8 if version == 4 else 32}x}"


def usable(network: Network) -> Pool:
    """The addresses of a network that interfaces can have: not the network's own and not the broadcast address."""
    first, last = int(network.network_address), int(network.broadcast_address)
    if last - first < 2:
        return first, last
    return first + 1, last - 1 if network.version == 4 else last


def is_usable(network: Network, address: Address) -> bool:
    """Whether an interface on `network` can have `address`."""
    first, last = usable(network)
    return address.version == network.version and first <= int(address) <= last


def default_gateway(network: Network) -> str | None:
    """The first usable address; none where a gateway would leave no address for anybody."""
    first, last = usable(network)
    return _text(network, first) if last > first else None


def check_gateway(network: Network, gateway: Address) -> None:
    """Raise `InvalidInput` for an address that can be no gateway. One outside the network can: it is reached on link."""
    if gateway.version != network.version:
        raise InvalidInput(reason=f"gateway_ip '{gateway}' does not match the ip_version '{network.version}'")
    if gateway in network and not is_usable(network, gateway):
        raise InvalidInput(reason=f"Gateway is not valid on subnet: '{gateway}' is no address of an interface")


def default_pools(network: Network, gateway: Address | None) -> list[Pool]:
    """All usable addresses but the gateway's."""
    first, last = usable(network)
    if gateway is None or gateway not in network:
        return [(first, last)]
    split = int(gateway)
    return [(low, high) for low, high in ((first, split - 1), (split + 1, last)) if low <= high]


def given_pools(network: Network, gateway: Address | None, given: Sequence[Mapping[str, Any]]) -> list[Pool]:
    """The pools that a client asked for, ascending.

    Raises `InvalidAllocationPool`, `OutOfBoundsAllocationPool`, `OverlappingAllocationPools`,
    `GatewayConflictWithAllocationPools`.
    """
    pools = []
    for one in given:
        start, end = ipaddress.ip_address(one["start"]), ipaddress.ip_address(one["end"])
        shown = f"{start}-{end}"
        if start.version != network.version or end.version != network.version or int(start) > int(end):
            raise InvalidAllocationPool(pool=shown)
        if not (is_usable(network, start) and is_usable(network, end)):
            raise OutOfBoundsAllocationPool(pool=shown, cidr=network)
        if gateway is not None and gateway.version == network.version and int(start) <= int(gateway) <= int(end):
            raise GatewayConflictWithAllocationPools(ip=gateway, pool=shown)
        pools.append((int(start), int(end)))
    pools.sort()
    for before, after in itertools.pairwise(pools):
        if before[1] >= after[0]:
            raise OverlappingAllocationPools(
                pool=_shown(network, before), other=_shown(network, after), cidr=str(network)
            )
    return pools


def documents(network: Network, pools: Sequence[Pool]) -> list[dict[str, str]]:
    """Pools as the API writes them."""
    return [{"start": _text(network, first), "end": _text(network, last)} for first, last in pools]


def free_address(pools: Sequence[Pool], start: int, taken: Taken) -> int | None:
    """The first free address of the pools from `start` on, and then from their beginning; None when all are taken.

    Looks only at taken addresses next to the candidate, so its cost does not grow with the pools.
    """
    for first, last in _rotated(pools, start):
        candidate, look = first, FIRST_LOOK
        while candidate <= last:
            seen = taken(candidate, last, look)
            for used in seen:
                if used != candidate:
                    return candidate
                candidate += 1
            if len(seen) < look and candidate <= last:
                return candidate
            look = NEXT_LOOKS
    return None


def eui64(network: Network, mac: str) -> str:
    """The IPv6 address that an interface gives itself (RFC 4291, appendix A)."""
    octets = bytes.fromhex(mac.replace(":", ""))
    interface = bytes([octets[0] ^ 0x02, *octets[1:3], 0xFF, 0xFE, *octets[3:]])
    return str(ipaddress.IPv6Address(int(network.network_address) | int.from_bytes(interface, "big")))


def _rotated(pools: Sequence[Pool], start: int) -> Iterator[Pool]:
    for first, last in pools:
        if last >= start:
            yield max(first, start), last
    for first, last in pools:
        if first < start:
            yield first, min(last, start - 1)


def _text(network: Network, address: int) -> str:
    return str(network[address - int(network.network_address)])


def _shown(network: Network, pool: Pool) -> str:
    return "-".join(_text(network, address) for address in pool)
