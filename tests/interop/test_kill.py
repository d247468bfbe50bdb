"""kill -9 of `kilonova up` at random moments during boots and deletes: everything finishes, nothing leaks, on both drivers.

The moments come from a seed. After the last restart every server that was accepted and not deleted becomes ACTIVE, every
other is gone, and what is left in placement, at the network service and in the hypervisor is exactly theirs.
"""

import os
import random
import signal
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from kilonova.drivers.qemu.probe import Unusable, emulator_find
from tools.up_cloud import UpCloud

pytestmark = pytest.mark.interop
SETTLED_S = 120
TOKEN = {"OpenStack-API-Version": "compute 2.96"}


class Load:
    """Boots and deletes, one after another, remembering what was accepted."""

    def __init__(self, up: UpCloud, chance: random.Random, boots: int) -> None:
        self._up = up
        self._chance = chance
        self._boots = boots
        self.accepted: set[str] = set()
        self.deleted: set[str] = set()
        self._wanted = up.furnish()
        up.lift_quotas()

    @property
    def left(self) -> int:
        return self._boots - len(self.accepted)

    def act_until(self, moment_s: float) -> None:
        """Boot and delete until `moment_s` seconds have passed."""
        deadline = time.monotonic() + moment_s
        with self._up.client("kilonova") as member:
            while time.monotonic() < deadline:
                self._act(member)

    def _act(self, member: httpx.Client) -> None:
        doomed = sorted(self.accepted - self.deleted)
        if doomed and (not self.left or self._chance.random() < 0.4):
            victim = self._chance.choice(doomed)
            assert member.delete(f"/compute/v2.1/servers/{victim}").status_code in {204, 404}
            self.deleted.add(victim)
        elif self.left:
            server = {"name": f"s{len(self.accepted)}", **self._wanted}
            answer = member.post("/compute/v2.1/servers", json={"server": server}, headers=TOKEN)
            assert answer.status_code == 202, answer.text
            self.accepted.add(answer.json()["server"]["id"])
        else:
            time.sleep(0.01)

    @property
    def living(self) -> set[str]:
        return self.accepted - self.deleted


def play(up: UpCloud, seed: int, kills: int, boots: int, moments: tuple[float, float]) -> Load:
    """Kill the cloud `kills` times while `boots` servers are booted and some are deleted."""
    chance = random.Random(seed)
    load = Load(up, chance, boots)
    for _ in range(kills):
        load.act_until(chance.uniform(*moments))
        up.kill()
        up.start()
    return load


def settle(up: UpCloud, load: Load) -> None:
    """Wait until the cloud shows what was accepted."""
    with up.client() as admin:

        def settled() -> bool:
            listed = admin.get("/compute/v2.1/servers/detail", params={"all_tenants": "1"}).json()["servers"]
            states = {server["id"]: (server["status"], server["OS-EXT-STS:task_state"]) for server in listed}
            return states == dict.fromkeys(load.living, ("ACTIVE", None))

        _wait(settled, lambda: _story(admin, load))


def check_nothing_leaked(up: UpCloud, load: Load) -> None:
    """What placement and the network service hold is the living servers', no more and no less."""
    with up.client() as admin:
        ports = admin.get("/network/v2.0/ports").json()["ports"]
        assert {port["device_id"] for port in ports} == load.living
        assert len(ports) == len(load.living)
        consumers = set()
        for provider in admin.get("/placement/resource_providers").json()["resource_providers"]:
            found = admin.get(f"/placement/resource_providers/{provider['uuid']}/allocations").json()
            consumers |= set(found["allocations"])
        assert consumers == load.living


def test_kill__fake_driver_50_times_in_20_boots__all_finishes_nothing_leaks(tmp_path: Path) -> None:
    with UpCloud(tmp_path / "state", "--hosts", 3) as up:
        load = play(up, seed=2026, kills=50, boots=20, moments=(0.0, 0.5))
        settle(up, load)
        check_nothing_leaked(up, load)
    with sqlite3.connect(tmp_path / "state" / "hypervisor" / "fake.sqlite") as hypervisor:
        assert {row[0] for row in hypervisor.execute("SELECT server_id FROM guests")} == load.living
    hypervisor.close()


@pytest.mark.qemu
def test_kill__qemu_50_times_in_20_boots__all_finishes_nothing_leaks(tmp_path: Path) -> None:
    try:
        emulator_find(tmp_path / "probe", None)
    except Unusable as reason:
        pytest.skip(str(reason))
    tmp_path.chmod(0o711)
    with UpCloud(tmp_path / "state", driver="qemu") as up:
        load = play(up, seed=2026, kills=50, boots=20, moments=(0.0, 0.5))
        settle(up, load)
        check_nothing_leaked(up, load)
        guests = {entry.name for entry in (tmp_path / "state" / "hypervisor" / "guests").iterdir()}
        assert guests == load.living
        with up.client() as admin:
            for server in load.living:
                admin.delete(f"/compute/v2.1/servers/{server}")
        load.deleted |= load.living
        settle(up, load)


@pytest.mark.qemu
def test_kill__two_qemu_hosts_20_times_and_their_agents__all_finishes_nothing_leaks(tmp_path: Path) -> None:
    try:
        emulator_find(tmp_path / "probe", None)
    except Unusable as reason:
        pytest.skip(str(reason))
    tmp_path.chmod(0o711)
    chance = random.Random(2026)
    with UpCloud(tmp_path / "state", "--hosts", 2, driver="qemu") as up:
        load = Load(up, chance, boots=8)
        for number in range(20):
            load.act_until(chance.uniform(0.0, 1.0))
            if number % 2:
                up.kill()
                up.start()
            else:
                os.kill(chance.choice(up.agents()), signal.SIGKILL)
        settle(up, load)
        check_nothing_leaked(up, load)
        hosts = [tmp_path / "state" / "hypervisor" / f"host-{number}" for number in (1, 2)]
        assert {entry.name for host in hosts for entry in (host / "guests").iterdir()} == load.living
        with up.client() as admin:
            for server in load.living:
                console = {"os-getConsoleOutput": {}}
                assert admin.post(f"/compute/v2.1/servers/{server}/action", json=console).status_code == 200
                admin.delete(f"/compute/v2.1/servers/{server}")
        load.deleted |= load.living
        settle(up, load)
        before = up.agents()
    assert before
    assert up.agents() == []


def _story(admin: httpx.Client, load: Load) -> str:
    """What is not as it should be, server by server."""
    lines = []
    for server in sorted(load.accepted):
        answer = admin.get(f"/compute/v2.1/servers/{server}")
        seen = answer.json().get("server", {})
        state = (seen.get("status"), seen.get("OS-EXT-STS:task_state"), seen.get("fault", {}).get("message"))
        lines.append(f"{server} {'deleted' if server in load.deleted else 'wanted'}: {answer.status_code} {state}")
    return "\n".join(lines)


def _wait(condition: Callable[[], bool], story: Callable[[], str]) -> None:
    deadline = time.monotonic() + SETTLED_S
    while not condition():
        assert time.monotonic() < deadline, f"not settled after {SETTLED_S} s:\n{story()}"
        time.sleep(0.1)
