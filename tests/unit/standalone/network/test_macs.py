"""MAC addresses that the service makes up."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from contract.services import run
from kilonova.standalone.network.errors import MacAddressGenerationFailure, MacAddressInUse
from kilonova.standalone.network.ports import MAC_ATTEMPTS, new_mac, with_macs

FIRST, SECOND = "fa:16:3e:00:00:00", "fa:16:3e:80:00:00"


class Store:
    """Refuses MACs that are taken."""

    def __init__(self, *taken: str) -> None:
        self.taken = taken
        self.tries = 0

    async def write(self, items: Sequence[dict[str, Any]]) -> list[str]:
        self.tries += 1
        for item in items:
            if item["mac_address"] in self.taken:
                raise MacAddressInUse(network="n", mac=item["mac_address"])
        return [item["mac_address"] for item in items]


def chances(*values: float) -> Any:
    following: Iterator[float] = iter(values)
    return lambda: next(following)


def test_new_mac__any_chance__is_a_unicast_address_with_the_known_prefix() -> None:
    assert new_mac(lambda: 0.0) == FIRST
    assert new_mac(lambda: 0.999999999) == "fa:16:3e:ff:ff:ff"


def test_with_macs__made_up_one_is_taken__another_is_tried() -> None:
    store = Store(FIRST)
    assert run(with_macs([{"network_id": "n"}], chances(0.0, 0.5), store.write)) == [SECOND]
    assert store.tries == 2


def test_with_macs__named_one_is_taken__refused_at_once() -> None:
    store = Store(FIRST)
    with pytest.raises(MacAddressInUse):
        run(with_macs([{"network_id": "n", "mac_address": FIRST}], lambda: 0.5, store.write))
    assert store.tries == 1


def test_with_macs__all_are_taken__gives_up_after_some() -> None:
    store = Store(FIRST)
    with pytest.raises(MacAddressGenerationFailure):
        run(with_macs([{"network_id": "n"}], lambda: 0.0, store.write))
    assert store.tries == MAC_ATTEMPTS
