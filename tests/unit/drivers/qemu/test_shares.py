"""Several hosts on one machine: its parts are the whole, and guests of different hosts are different users."""

import os

import pytest

from kilonova.drivers.qemu.resources import WHOLE, Share
from kilonova.drivers.qemu.user import FIRST_UID, NOBODY, uid_pick


@pytest.mark.parametrize("hosts", [1, 2, 3, 7])
@pytest.mark.parametrize("total", [0, 1, 2, 3, 16, 512, 64_003])
def test_shares__of_whatever_there_is__add_up_to_it(total: int, hosts: int) -> None:
    shares = [Share(number, hosts).of(total) for number in range(1, hosts + 1)]
    assert sum(shares) == total
    assert max(shares) - min(shares) <= 1


def test_share__of_the_only_host__is_all() -> None:
    assert WHOLE.of(17) == 17


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give guests a user of their own")
def test_users__of_two_hosts__never_the_same() -> None:
    picked = [uid_pick((), Share(number, 2)) for number in (1, 2)]
    assert picked in ([FIRST_UID, FIRST_UID + 32768], [NOBODY, NOBODY])
