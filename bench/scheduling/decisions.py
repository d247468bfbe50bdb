"""What one decision costs, without a database, while servers come and go."""

import random
import time
from collections import deque

from bench.scheduling.fleets import REQUESTS, Imagined
from kilonova.placement.search import single
from kilonova.scheduler.decide import decide
from kilonova.scheduler.filters import FILTERS
from kilonova.scheduler.quick.choose import Chooser
from kilonova.scheduler.weighers import WEIGHERS

DECISIONS = 4000
STAYING = 2000
"""So many servers stay; with each that comes, the oldest goes."""
SCANS = 3


def quick_us(count: int) -> float:
    """CPU of a decision of the scheduler among so many hosts, the change that follows it included, in microseconds."""
    world, chance = Imagined(count, filled=True), random.Random(2)
    fleet, chooser = world.fleet(), Chooser(FILTERS, WEIGHERS)
    number_of = {uuid: number for number, uuid in enumerate(world.uuids)}
    staying: deque[tuple[int, dict[str, int]]] = deque()

    def decide_some(times: int) -> None:
        for _ in range(times):
            request = chance.choice(REQUESTS)
            chooser.refresh(world.hosts, fleet)
            host = chooser.best(request, chance.random())
            if host is not None:
                number, resources = number_of[host.uuid], dict(request.resources)
                world.use(number, resources, 1)
                fleet.put(world.facts(number))
                staying.append((number, resources))
            if len(staying) > min(STAYING, 4 * count):
                number, resources = staying.popleft()
                world.use(number, resources, -1)
                fleet.put(world.facts(number))

    decide_some(500)  # each sort of request is known then
    begun = time.process_time()
    decide_some(DECISIONS)
    return (time.process_time() - begun) / DECISIONS * 1e6


def scan_us(count: int) -> float:
    """CPU of a decision that looks at every host, in microseconds: what the quick one is compared with."""
    world, chance = Imagined(count, filled=True), random.Random(2)
    fleet = world.fleet()
    begun = time.process_time()
    for _ in range(SCANS):
        request = chance.choice(REQUESTS)
        decide(request, world.hosts, single.candidates(fleet, request.query), chance.random())
    return (time.process_time() - begun) / SCANS * 1e6
