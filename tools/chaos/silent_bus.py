"""The same load on a cloud whose bus carries hints, and on one whose bus is silent: how much later everything finishes."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from kilonova.app.paths import OWN
from tools.chaos.actions import ACTIONS, SUITS, Furnished
from tools.chaos.http import NEWEST, SERVERS
from tools.chaos.run import furnished
from tools.chaos.victim import victim_cloud
from tools.up_cloud import UpCloud

HOSTS = 3
SERVERS_MADE = 12
ROUNDS = ("stop", "start", "resize", "confirm_resize", "live_migration", "shelve", "unshelve", "snapshot")
"""Between the creation of all servers and their end: each is asked of every server when all have finished the one before."""
LATER_MAX_S = 10.0
PATIENCE_S = 120.0
LOOK_EVERY_S = 0.05


@dataclass(frozen=True)
class Compared:
    """What one round took, in seconds."""

    name: str
    with_hints_s: float
    silent_s: float

    @property
    def later_s(self) -> float:
        """How much longer it took without hints."""
        return self.silent_s - self.with_hints_s


class NotFinished(Exception):
    """A round did not finish; the argument says which, and what it left."""


def compared(scratch: Path) -> list[Compared]:
    """Run the load twice, in directories below `scratch`. Raises `NotFinished`, `httpx.HTTPError`."""
    loud, silent = (_load(scratch / f"hints-{hints}", hints=hints) for hints in (True, False))
    return [Compared(name, loud[name], silent[name]) for name in loud]


def _load(state: Path, *, hints: bool) -> Mapping[str, float]:
    """Seconds of each round, by its name."""
    took: dict[str, float] = {}
    with victim_cloud(state, "fake", HOSTS, hints=hints) as up:
        made = furnished(up)
        with up.client() as admin, up.client("kilonova") as member:
            admin.headers.update(NEWEST)
            up.wait_until_hosts(HOSTS)
            began = time.monotonic()
            for number in range(SERVERS_MADE):
                body = {"server": {"name": f"s{number}", **made.boot}}
                member.post(SERVERS, json=body, headers=NEWEST).raise_for_status()
            took["create"] = _finished(up, admin, began, "create")
            for name in ROUNDS:
                took[name] = _round(up, admin, made, name)
            began = time.monotonic()
            for server in _servers(admin):
                admin.delete(f"{SERVERS}/{server['id']}").raise_for_status()
            took["delete"] = _finished(up, admin, began, "delete")
    return took


def _round(up: UpCloud, admin: httpx.Client, made: Furnished, name: str) -> float:
    """Ask every server for one action, and wait for all."""
    began = time.monotonic()
    for server in _servers(admin):
        assert name in SUITS[server["status"]], f"{name} does not suit {server}"
        body = {ACTIONS[name].key: ACTIONS[name].value(made, server)}
        admin.post(f"{SERVERS}/{server['id']}/action", json=body).raise_for_status()
    return _finished(up, admin, began, name)


def _finished(up: UpCloud, admin: httpx.Client, began: float, name: str) -> float:
    """Wait until nobody has anything left to do; seconds since `began`."""
    while True:
        live = admin.get(f"{OWN}/operations").raise_for_status().json()["operations"]
        waited_s = time.monotonic() - began
        if not live:
            return waited_s
        if waited_s > PATIENCE_S:
            raise NotFinished(f"{name}: {len(live)} operations are live after {waited_s:.0f} s, see {up.state}")
        time.sleep(LOOK_EVERY_S)


def _servers(admin: httpx.Client) -> list[Mapping[str, str]]:
    answer = admin.get(f"{SERVERS}/detail", params={"all_tenants": "1"}).raise_for_status()
    found: list[Mapping[str, str]] = answer.json()["servers"]
    return found
