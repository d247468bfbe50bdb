"""The addresses of a guest's own network."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonova.drivers.qemu.networking import netdev_argument, netdev_options, ssh_nic
from kilonova.objects.guest import GuestAddress, GuestNic


def nic(*addresses: GuestAddress) -> GuestNic:
    return GuestNic(port_id="p", network_id="n", mac="fa:16:3e:00:00:01", mtu=1500, addresses=addresses)


def ipv4(address: str, cidr: str, gateway: str | None = None) -> GuestAddress:
    return GuestAddress(address=address, version=4, cidr=cidr, gateway=gateway, dns=())


def words(argument: str) -> dict[str, str]:
    return dict(word.split("=", 1) for word in argument.split(",")[1:])


def test_netdev__ordinary_port__leases_its_address_and_is_shut_off() -> None:
    argument = words(netdev_argument(netdev_options(0, nic(ipv4("10.0.0.9", "10.0.0.0/24", "10.0.0.1")), 40022)))
    assert argument == {
        "id": "net0",
        "restrict": "on",
        "ipv4": "on",
        "ipv6": "off",
        "net": "10.0.0.0/24",
        "dhcpstart": "10.0.0.9",
        "host": "10.0.0.1",
        "dns": "10.0.0.2",
        "hostfwd": "tcp:127.0.0.1:40022-:22",
    }


@st.composite
def ports(draw: st.DrawFn) -> GuestAddress:
    prefix = draw(st.integers(8, 30))
    network = ipaddress.ip_network((draw(st.integers(0x0A000000, 0x0AFFFFFF)), prefix), strict=False)
    numbers = st.integers(1, network.num_addresses - 2)
    gateway = draw(st.none() | numbers)
    fixed = draw(numbers.filter(lambda number: number != gateway))
    return ipv4(str(network[fixed]), str(network), None if gateway is None else str(network[gateway]))


@given(ports())
def test_netdev__any_port__four_addresses_of_the_subnet_never_collide(port: GuestAddress) -> None:
    argument = words(netdev_argument(netdev_options(0, nic(port), None)))
    served = [argument[name] for name in ("dhcpstart", "host", "dns")]
    network = ipaddress.ip_network(port.cidr)
    assert len(set(served)) == 3
    assert all(ipaddress.ip_address(address) in network for address in served)
    assert argument["dhcpstart"] == port.address
    assert argument["host"] == port.gateway or port.gateway is None
    assert argument["dns"] != port.gateway


def test_netdev__no_address__is_alone_on_its_network() -> None:
    assert netdev_argument(netdev_options(2, nic(), None)) == "hubport,id=net2,hubid=2"


def test_netdev__ipv6_only__has_no_ipv4() -> None:
    address = GuestAddress(address="fd00::5", version=6, cidr="fd00::/64", gateway="fd00::1", dns=())
    argument = words(netdev_argument(netdev_options(1, nic(address), 40022)))
    assert argument == {
        "id": "net1",
        "restrict": "on",
        "ipv4": "off",
        "ipv6": "on",
        "ipv6-prefix": "fd00::",
        "ipv6-prefixlen": "64",
        "ipv6-host": "fd00::1",
    }


@pytest.mark.parametrize(
    ("address", "complaint"),
    [
        (ipv4("10.0.0.1", "10.0.0.0/31"), "too small"),
        (ipv4("10.0.1.1", "10.0.0.0/24"), "not in its subnet"),
        (ipv4("10.0.0.1,guestfwd=x", "10.0.0.0/24"), "guestfwd"),
    ],
)
def test_netdev__impossible_address__says_what_is_wrong(address: GuestAddress, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        netdev_options(0, nic(address), None)


def test_ssh_nic__several_cards__is_the_first_with_ipv4() -> None:
    assert ssh_nic((nic(), nic(ipv4("10.0.0.9", "10.0.0.0/24")))) == 1
    assert ssh_nic((nic(),)) is None
