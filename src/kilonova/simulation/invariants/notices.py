"""What others are told: every operation begins once and ends once, in that order, and in the order in which they happened."""

from collections import Counter
from collections.abc import Callable, Mapping

import msgspec

from kilonova.kernel.ids import CellId
from kilonova.operations.notices import EVENTS
from kilonova.simulation.database import DatabaseServer

_LINES = "SELECT event_type, payload FROM outbox WHERE event_type LIKE 'instance.%.%' ORDER BY seq"
_ASKED = "SELECT server_id, kind FROM operations WHERE kind <> 'boot'"
Line = tuple[str, str]
"""An event and its phase."""


class _Data(msgspec.Struct):
    uuid: str


class _Payload(msgspec.Struct):
    data: _Data = msgspec.field(name="nova_object.data")


_decode = msgspec.json.Decoder(_Payload).decode


def check(api: DatabaseServer, cells: Mapping[CellId, DatabaseServer], report: Callable[[str], None]) -> None:
    """Report what was told wrongly. Nobody takes the lines away in the simulation, so all that was ever told is there."""
    told: dict[str, list[Line]] = {}
    for database in (api, *cells.values()):  # a server's first lines are in the API database, all others in one cell's
        for event_type, payload in database.rows(_LINES):
            _, event, phase = event_type.split(".")
            told.setdefault(_decode(payload).data.uuid, []).append((event, phase))
    asked = Counter(
        (server_id, EVENTS[kind]) for database in cells.values() for server_id, kind in database.rows(_ASKED)
    )
    for server_id, lines in told.items():
        _check_pairs(server_id, lines, report)
        begun = Counter(event for event, phase in lines if phase == "start")
        if begun["create"] != 1:
            report(f"others are told {begun['create']} times that server {server_id} is being made")
        for event in set(begun) - {"create", "delete"}:
            if begun[event] != asked[server_id, event]:
                report(f"{asked[server_id, event]} of {event} of {server_id} were accepted, {begun[event]} are told")
    for server_id, event in asked:
        if (event, "start") not in told.get(server_id, ()):
            report(f"nobody is told of {event} of server {server_id}")


def _check_pairs(server_id: str, lines: list[Line], report: Callable[[str], None]) -> None:
    """Nothing ends that has not begun, and all that has begun ends."""
    live: Counter[str] = Counter()
    for event, phase in lines:
        if phase == "start":
            live[event] += 1
        elif live[event] == 0:
            report(f"others are told of the {phase} of {event} of server {server_id}, and not of its start")
        else:
            live[event] -= 1
    for event, count in live.items():
        if count:
            report(f"others are never told how {event} of server {server_id} ended")
