"""Every case, by its id."""

from collections.abc import Mapping
from types import MappingProxyType

from kilonova.simulation.cases import (
    build,
    delete,
    devices,
    host_loss,
    live_migration,
    placement,
    power,
    resize,
    storage,
)
from kilonova.simulation.cases.case import Case

FAMILIES: Mapping[str, tuple[Case, ...]] = MappingProxyType(
    {
        "A. Build": build.CASES,
        "B. Delete": delete.CASES,
        "C. Power, reboot, pause, snapshot, shelve, rebuild": power.CASES,
        "D. Resize and cold migration": resize.CASES,
        "E. Live migration": live_migration.CASES,
        "F. Host loss and evacuation": host_loss.CASES,
        "G. Placement, scheduler, services": placement.CASES,
        "H. Volumes and ports": devices.CASES,
        "I. Databases, bus and cells": storage.CASES,
    }
)
"""By their letter and what they are about, in the order of the letters."""
CASES: Mapping[str, Case] = MappingProxyType({case.id: case for cases in FAMILIES.values() for case in cases})
