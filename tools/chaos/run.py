"""One run: storm, calm, judgement."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from tools.chaos.actions import LARGE_MB, Furnished
from tools.chaos.client import Client, Pace
from tools.chaos.guests import guests_there
from tools.chaos.http import NEWEST, SERVERS, Http
from tools.chaos.judge import Wrong, judged, kept, unfinished
from tools.chaos.plan import Strike
from tools.chaos.record import Record
from tools.chaos.shown import cloud_shown
from tools.chaos.victim import Victim
from tools.up_cloud import UpCloud

SETTLED_S = 120.0
"""How long after the last fault everything may take to become final."""
LOOK_EVERY_S = 0.5
LOOK_AGAIN_S = 12.0
"""What is well when all is final has to be well still after each agent has looked at its guests once more."""
ADMIN, MEMBER = "kilonova-admin", "kilonova"


@dataclass
class Verdict:
    """What came of a run."""

    struck: Counter[str]
    cuts: int
    failed_starts: int
    record: Record
    storm_s: float
    final_s: float | None = None
    """From the last fault until every operation had ended and every server was at rest."""
    clean_s: float | None = None
    """From the last fault until nothing was wrong any more."""
    lingered: list[str] = field(default_factory=list)
    """What was wrong the last time that something was, after all had become final."""
    servers: Counter[str] = field(default_factory=Counter)
    """Those that were left, by status."""
    wrong: dict[Wrong, list[str]] = field(default_factory=dict)
    measures: dict[str, float] = field(default_factory=dict)

    @property
    def well(self) -> bool:
        """Whether every promise was kept."""
        return not any(self.wrong.values()) and self.final_s is not None

    def judge(self, findings: Iterable[tuple[Wrong, str]]) -> bool:
        """Replace what was found before; whether there is nothing now."""
        self.wrong = {}
        for kind, what in findings:
            self.wrong.setdefault(kind, []).append(what)
        return not self.wrong


def furnished(up: UpCloud) -> Furnished:
    """Make what clients need, in a cloud that answers."""
    boot = up.furnish()
    up.lift_quotas()
    with up.client() as admin:
        flavor = {"name": "larger", "vcpus": 1, "ram": LARGE_MB, "disk": 2}
        larger = admin.post("/compute/v2.1/flavors", json={"flavor": flavor}).raise_for_status().json()
    return Furnished(boot, (boot["flavorRef"], larger["flavor"]["id"]))


async def run(
    up: UpCloud, driver: str, *, agents: bool, seed: int, strikes: Iterable[Strike], clients: int, pace: Pace
) -> Verdict:
    """Strike a cloud that is furnished and stopped now, and judge it; it is stopped again afterwards.

    Raises:
        StartFailure: the cloud doesn't start any more.
    """
    await asyncio.to_thread(up.start)
    made = await asyncio.to_thread(furnished, up)
    await asyncio.to_thread(up.stop)
    victim, record = Victim(up, agents=agents), Record()
    try:
        url = await victim.start()
        began = time.monotonic()
        last_fault = await _storm(victim, up, url, made, record, seed, strikes, clients, pace)
        verdict = Verdict(
            struck=Counter({str(kind): count for kind, count in victim.struck.items()}),
            cuts=victim.cuts,
            failed_starts=victim.failed_starts,
            record=record,
            storm_s=last_fault - began,
        )
        await asyncio.to_thread(_settle, up, driver, made, verdict, last_fault)
        if verdict.well:
            await asyncio.to_thread(_end_all, up, driver, made, verdict)
    finally:
        await victim.close()
        await asyncio.to_thread(up.stop)
    return verdict


async def _storm(
    victim: Victim,
    up: UpCloud,
    url: str,
    made: Furnished,
    record: Record,
    seed: int,
    strikes: Iterable[Strike],
    clients: int,
    pace: Pace,
) -> float:
    """Let clients work while the cloud is struck, until each was answered; when the last fault was over."""
    ended = asyncio.Event()
    connections: list[Http] = []
    async with asyncio.TaskGroup() as group:
        for number in range(1, clients + 1):
            member, admin = Http(up, url, MEMBER, record), Http(up, url, ADMIN, record)
            connections += (member, admin)
            for connection in (member, admin):
                await connection.login()
            chance = random.Random(f"{seed}/{number}")
            client = Client(f"c{number}", member, admin, made, record, chance, pace)
            group.create_task(client.run(ended))
        for strike in strikes:
            await asyncio.sleep(strike.after_s)
            await victim.strike(strike)
        victim.end_storm()
        last_fault = time.monotonic()
        ended.set()
    for connection in connections:
        await connection.close()
    return last_fault


def _settle(up: UpCloud, driver: str, made: Furnished, verdict: Verdict, last_fault: float) -> None:
    """Wait until all is final and nothing is wrong, or the time is over; then look once more."""
    while True:
        waited_s = time.monotonic() - last_fault
        cloud = cloud_shown(up)
        waits = unfinished(cloud)
        if not waits and verdict.final_s is None:
            verdict.final_s = waited_s
        if verdict.judge(judged(cloud, guests_there(up.state, driver), made)):
            verdict.clean_s = waited_s
            break
        if verdict.final_s is not None:
            verdict.lingered = [sentence for sentences in verdict.wrong.values() for sentence in sentences]
        if waited_s > SETTLED_S:
            break
        time.sleep(LOOK_EVERY_S)
    if verdict.clean_s is not None:
        time.sleep(LOOK_AGAIN_S)
    cloud = cloud_shown(up)
    verdict.servers = Counter(server["status"] for server in cloud.servers.values())
    verdict.measures = dict(cloud.measures)
    verdict.judge([*judged(cloud, guests_there(up.state, driver), made), *kept(up, cloud, verdict.record)])


def _end_all(up: UpCloud, driver: str, made: Furnished, verdict: Verdict) -> None:
    """Delete every server: nothing may be left."""
    with up.client() as admin:
        admin.headers.update(NEWEST)
        for server_id in cloud_shown(up).servers:
            admin.delete(f"{SERVERS}/{server_id}").raise_for_status()
    give_up_at = time.monotonic() + SETTLED_S
    while True:
        cloud, guests = cloud_shown(up), guests_there(up.state, driver)
        left = [*cloud.servers, *cloud.allocations, *(port["id"] for port in cloud.ports), *guests]
        well = verdict.judge(judged(cloud, guests, made))
        if well and not left:
            return
        if time.monotonic() > give_up_at:
            verdict.wrong.setdefault(Wrong.STUCK, []).extend(f"{what} is left of a deleted server" for what in left)
            return
        time.sleep(LOOK_EVERY_S)
