"""Mutants of ports and of the bus."""

from typing import Any

from kilonova.network import ports
from kilonova.operations.plans import boot, delete
from kilonova.simulation.mutants.mutant import Mutant, Replaced, nothing, of_step

_attempt_of = ports._attempt_of


async def _never_late(*_args: Any) -> bool:
    return False


MUTANTS = (
    Mutant(
        name="ports-kept",
        breaks="a delete leaves the server's ports",
        changes=of_step(delete.PLAN, "ports", ensure=nothing) + of_step(delete.PLAN, "sweep", ensure=nothing),
    ),
    Mutant(
        name="ports-of-earlier-attempts-kept",
        breaks="a second attempt at a boot makes ports beside those of the first",
        changes=(Replaced(ports._earlier_dropped, nothing),),
    ),
    Mutant(
        name="late-worker-keeps-ports",
        breaks="a worker that was taken over does not take back the ports it has made meanwhile",
        changes=(Replaced(boot._is_too_late, _never_late),),
        scenarios=("slow-services",),
    ),
    Mutant(
        name="boot-undo-keeps-everything",
        breaks="a boot that failed keeps its ports and its claim",
        changes=of_step(boot.PLAN, "networking", undo=nothing),
    ),
)
