"""Every mutant by its name."""

from collections.abc import Mapping
from types import MappingProxyType

from kilonova.simulation.mutants import engine, hosts, network, operations, placement, volumes
from kilonova.simulation.mutants.mutant import Mutant

MUTANTS: Mapping[str, Mutant] = MappingProxyType(
    {
        mutant.name: mutant
        for part in (engine, placement, operations, network, hosts, volumes)
        for mutant in part.MUTANTS
    }
)
