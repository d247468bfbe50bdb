"""The arithmetic of subnets, pools and free addresses."""

import ipaddress
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonova.standalone.network.addresses import (
    FIRST_LOOK,
    NEXT_LOOKS,
    default_gateway,
    default_pools,
    documents,
    eui64,
    free_address,
    given_pools,
    position,
    usable,
)
from kilonova.standalone.network.errors import (
    GatewayConflictWithAllocationPools,
    InvalidAllocationPool,
    OutOfBoundsAllocationPool,
    OverlappingAllocationPools,
)


def store(taken: set[int], looks: list[int] | None = None):
    def look(first: int, last: int, limit: int) -> Sequence[int]:
        found = sorted(one for one in taken if first <= one <= last)[:limit]
        if looks is not None:
            looks.append(len(found))
        return found

    return look


def test_free_address__nothing_taken__is_where_the_search_starts() -> None:
    assert free_address([(10, 20)], 13, store(set())) == 13


def test_free_address__end_reached__begins_anew() -> None:
    assert free_address([(10, 12)], 12, store({12})) == 10


def test_free_address__start_beyond_all_pools__begins_anew() -> None:
    assert free_address([(10, 12), (20, 22)], 99, store({10})) == 11


def test_free_address__all_taken__none() -> None:
    assert free_address([(10, 12), (20, 21)], 11, store({10, 11, 12, 20, 21})) is None


@given(
    st.sets(st.integers(0, 60)),
    st.integers(0, 70),
    st.sampled_from([[(5, 40)], [(5, 10), (12, 12), (30, 59)], [(0, 60)]]),
)
def test_free_address__any_state__finds_a_free_one_exactly_when_there_is_one(
    taken: set[int], start: int, pools: list[tuple[int, int]]
) -> None:
    pooled = [one for first, last in pools for one in range(first, last + 1)]
    free = [one for one in pooled if one not in taken]
    found = free_address(pools, start, store(taken))
    after = [one for one in free if one >= start]
    assert found == (after[0] if after else free[0] if free else None)


def test_free_address__huge_pool__looks_at_neighbours_only() -> None:
    looks: list[int] = []
    first = int(ipaddress.ip_address("2001:db8::"))
    taken = set(range(first, first + 100_000, 2))
    assert free_address([(first, first + 2**64)], first + 50_000, store(taken, looks)) == first + 50_001
    assert sum(looks) <= FIRST_LOOK


def test_free_address__long_run_taken__looks_in_large_steps() -> None:
    looks: list[int] = []
    assert free_address([(0, 100_000)], 0, store(set(range(9000)), looks)) == 9000
    assert len(looks) <= 2 + 9000 // NEXT_LOOKS + 1


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_position__any_two_addresses__order_of_text_is_order_of_addresses(one: int, other: int) -> None:
    assert (position(one, 4) < position(other, 4)) == (one < other)


@pytest.mark.parametrize(
    ("cidr", "first", "last", "gateway"),
    [
        ("10.0.0.0/24", "10.0.0.1", "10.0.0.254", "10.0.0.1"),
        ("10.0.0.0/30", "10.0.0.1", "10.0.0.2", "10.0.0.1"),
        ("10.0.0.0/31", "10.0.0.0", "10.0.0.1", "10.0.0.0"),
        ("10.0.0.7/32", "10.0.0.7", "10.0.0.7", None),
        ("fd00::/64", "fd00::1", "fd00::ffff:ffff:ffff:ffff", "fd00::1"),
        ("fd00::/127", "fd00::", "fd00::1", "fd00::"),
    ],
)
def test_usable__network__all_addresses_that_interfaces_can_have(
    cidr: str, first: str, last: str, gateway: str | None
) -> None:
    network = ipaddress.ip_network(cidr)
    assert usable(network) == (int(ipaddress.ip_address(first)), int(ipaddress.ip_address(last)))
    assert default_gateway(network) == gateway


def test_default_pools__gateway_in_the_middle__leave_it_out() -> None:
    network = ipaddress.ip_network("10.0.0.0/29")
    pools = default_pools(network, ipaddress.ip_address("10.0.0.3"))
    assert documents(network, pools) == [
        {"start": "10.0.0.1", "end": "10.0.0.2"},
        {"start": "10.0.0.4", "end": "10.0.0.6"},
    ]


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ([("10.0.0.9", "10.0.0.5")], InvalidAllocationPool),
        ([("fd00::1", "fd00::2")], InvalidAllocationPool),
        ([("10.0.0.5", "fd00::2")], InvalidAllocationPool),
        ([("10.0.0.5", "10.0.1.5")], OutOfBoundsAllocationPool),
        ([("10.0.0.0", "10.0.0.5")], OutOfBoundsAllocationPool),
        ([("10.0.0.5", "10.0.0.9"), ("10.0.0.9", "10.0.0.12")], OverlappingAllocationPools),
        ([("10.0.0.1", "10.0.0.9")], GatewayConflictWithAllocationPools),
    ],
)
def test_given_pools__impossible_ones__refused(given: list[tuple[str, str]], error: type[Exception]) -> None:
    network, gateway = ipaddress.ip_network("10.0.0.0/24"), ipaddress.ip_address("10.0.0.1")
    with pytest.raises(error):
        given_pools(network, gateway, [{"start": start, "end": end} for start, end in given])


def test_eui64__example_of_the_rfc__is_the_same() -> None:
    assert eui64(ipaddress.ip_network("2001:db8::/64"), "34:56:78:9a:bc:de") == "2001:db8::3656:78ff:fe9a:bcde"
