"""SameCell: a server that is in a cell already stays there."""

from kilonova.scheduler.filters.filter import Rule
from kilonova.scheduler.request import ServerRequest


def same_cell(request: ServerRequest) -> Rule | None:
    """Only hosts of the server's cell, where it has one."""
    cell = request.cell
    return None if cell is None else lambda host: host.cell_id == cell
