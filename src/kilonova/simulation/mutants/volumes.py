"""Mutants of volumes, most of all of those on servers that move."""

from kilonova.operations import moving_volumes
from kilonova.operations.plans import attach_volume, confirm_resize, delete, detach_volume, revert_resize
from kilonova.simulation.mutants.mutant import Change, Mutant, nothing, of_step

_WHERE = ("volumes", "devices")

MUTANTS = (
    Mutant(
        name="move-forgets-volumes",
        breaks="a server that moves goes on with the connections of the host that it has left",
        changes=(Change(moving_volumes.CONNECT, "ensure", nothing), Change(moving_volumes.LEAVE, "ensure", nothing)),
        scenarios=_WHERE,
    ),
    Mutant(
        name="move-undo-keeps-attachments",
        breaks="a move that is undone keeps the attachments for the host that it did not reach",
        changes=(Change(moving_volumes.CONNECT, "undo", nothing),),
        scenarios=_WHERE,
    ),
    Mutant(
        name="move-leaves-attachments",
        breaks="a server that has moved keeps the attachments for the host that it has left",
        changes=(
            Change(moving_volumes.LEAVE, "ensure", nothing),
            *of_step(confirm_resize.PLAN, "volumes", ensure=nothing),
        ),
        scenarios=_WHERE,
    ),
    Mutant(
        name="revert-keeps-attachments",
        breaks="a resize that is taken back keeps the attachments for the host that the server has left again",
        changes=of_step(revert_resize.PLAN, "volumes", ensure=nothing),
        scenarios=_WHERE,
    ),
    Mutant(
        name="attach-undo-keeps-attachment",
        breaks="a volume that no guest got stays reserved for its server",
        changes=of_step(attach_volume.PLAN, "reserve", undo=nothing),
        scenarios=_WHERE,
    ),
    Mutant(
        name="detach-keeps-attachment",
        breaks="a volume that was unplugged stays attached at the volume service",
        changes=of_step(detach_volume.PLAN, "release", ensure=nothing),
        scenarios=_WHERE,
    ),
    Mutant(
        name="delete-keeps-attachments",
        breaks="a deleted server keeps its volumes",
        changes=of_step(delete.PLAN, "volumes", ensure=nothing),
        scenarios=_WHERE,
    ),
)
