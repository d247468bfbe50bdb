"""A real cloud killed, frozen and cut off under load: nothing lost, nothing leaked, nothing stuck, on both drivers.

The plan comes from a seed. With one host the agent is in the program; with more each agent is a process, and has its share.
"""

from pathlib import Path

import pytest

from kilonova.drivers.qemu.probe import Unusable, emulator_find
from tools.chaos.__main__ import figures, strike

pytestmark = pytest.mark.interop
SEED = 2026


@pytest.mark.parametrize(
    ("driver", "hosts", "kills"),
    [
        ("fake", 1, 50),
        ("fake", 3, 20),
        pytest.param("qemu", 1, 50, marks=pytest.mark.qemu),
        pytest.param("qemu", 2, 20, marks=pytest.mark.qemu),
    ],
)
def test_cloud__killed_frozen_and_cut_off_under_load__keeps_every_promise(
    driver: str, hosts: int, kills: int, tmp_path: Path
) -> None:
    if driver == "qemu":
        try:
            emulator_find(tmp_path / "probe", None)
        except Unusable as reason:
            pytest.skip(str(reason))
    tmp_path.chmod(0o711)
    verdict = strike(tmp_path / "state", driver, hosts, SEED, kills)
    assert verdict.well, figures(SEED, verdict)
    assert verdict.record.accepted
