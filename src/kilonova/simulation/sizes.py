"""The sizes that clients see of a server: its own, another one when a resize has brought it there, and what comes of that.

The model tells two flavors apart: the one that a server was created with, and the one that servers are resized to.
"""

from types import MappingProxyType

from kilonova.objects.server import Server, VmState
from kilonova.simulation.actions import LARGE
from kilonova.simulation.linearizable import Model

_SIZES = ("old", "new")
_MOVES = tuple((before, after) for before in _SIZES for after in _SIZES)


def _under_way(before: str, after: str) -> str:
    return f"{before}, moving to {after}"


def _waiting(before: str, after: str, what: str = "waiting") -> str:
    """Moved, and shown like that until what was decided is done."""
    return f"{after} instead of {before}, {what}"


_RESIZED = ("waiting", "confirming", "reverting", "reset")

SIZE = Model(
    initial="old",
    answers=MappingProxyType(
        {
            "resize": {size: _under_way(size, "new") for size in _SIZES},
            "migration": {size: _under_way(size, size) for size in _SIZES},
            "confirm_resize": {_waiting(*move): _waiting(*move, "confirming") for move in _MOVES},
            "revert_resize": {_waiting(*move): _waiting(*move, "reverting") for move in _MOVES},
            "reset_state": {
                **{_under_way(*move): move[0] for move in _MOVES},
                **{_waiting(*move, what): _waiting(*move, "reset") for move in _MOVES for what in _RESIZED},
            },
            **{
                f"shown {size}": {state: state for state in (size, *(_under_way(size, after) for after in _SIZES))}
                for size in _SIZES
            },
            **{
                f"shown {size}, resized": {
                    state: state for before in _SIZES for what in _RESIZED for state in (_waiting(before, size, what),)
                }
                for size in _SIZES
            },
        }
    ),
    by_itself=(
        {_under_way(*move): _waiting(*move) for move in _MOVES},
        {_under_way(*move): move[0] for move in _MOVES},
        {_waiting(*move): _waiting(*move, "confirming") for move in _MOVES},
        {_waiting(*move, "confirming"): move[1] for move in _MOVES},
        {_waiting(*move, "reverting"): move[0] for move in _MOVES},
        {_waiting(*move, "reset"): move[1] for move in _MOVES},
        {_waiting(*move, what): _waiting(*move) for move in _MOVES for what in ("confirming", "reverting")},
    ),
)
"""A move arrives or comes to nothing; what has arrived waits, until it is confirmed, also by itself, or reverted."""


def size_shown(server: Server) -> str:
    """The answer that shows the size of `server`."""
    size = "new" if server.flavor.id == LARGE.id else "old"
    return f"shown {size}, resized" if server.vm_state is VmState.RESIZED else f"shown {size}"
