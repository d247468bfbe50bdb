"""Every case, by its id."""

from collections.abc import Mapping
from types import MappingProxyType

from kilonova.simulation.cases import power
from kilonova.simulation.cases.case import Case

FAMILIES: Mapping[str, tuple[Case, ...]] = MappingProxyType(
    {
        "C. Power, reboot, pause, snapshot, shelve, rebuild": power.CASES,
    }
)
"""By their letter and what they are about, in the order of the letters."""
CASES: Mapping[str, Case] = MappingProxyType({case.id: case for cases in FAMILIES.values() for case in cases})
