"""What was done here to bugs of a tracker, and is to be carried there; and where the two disagree. Pure.

Each field goes by itself. What only one side has changed holds. Where both have, the tracker holds if it changed later: whoever
changed it there has seen more; what was done here is then told as a conflict and not sent. What was said is sent once.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from kilonova.health.bugs.model import Deed, Status, What

FIELDS = (What.STATUS, What.IMPORTANCE, What.ASSIGNEE, What.TITLE, What.TAGS, What.DUPLICATE)
"""What is carried; in this order."""


class Outgoing(msgspec.Struct, frozen=True):
    """Something that the tracker doesn't know yet."""

    bug: str
    what: What
    value: str
    theirs: str
    """What the tracker has."""
    conflict: bool
    """The tracker has changed it since: it is told and not sent."""


class Request(msgspec.Struct, frozen=True):
    """A request to a tracker's API."""

    method: str
    url: str
    body: dict[str, Any]


def outgoing(key: str, deeds: Iterable[Deed]) -> list[Outgoing]:
    """What is to be carried for the bug `key`, in the order in which it was done."""
    ordered = sorted(deeds, key=lambda deed: deed.at)
    ours = [deed for deed in ordered if deed.ours]
    theirs = [deed for deed in ordered if not deed.ours]
    found = []
    for field in FIELDS:
        here = next((deed for deed in reversed(ours) if deed.what is field), None)
        there = next((deed for deed in reversed(theirs) if deed.what is field), None)
        if here is not None and (there is None or there.value != here.value):
            known = "" if there is None else there.value
            found.append(Outgoing(key, field, here.value, known, there is not None and there.at > here.at))
    heard = {deed.value.strip() for deed in theirs if deed.what is What.SAID}
    said = [deed.value for deed in ours if deed.what is What.SAID and deed.value.strip() not in heard]
    return [*found, *(Outgoing(key, What.SAID, text, "", conflict=False) for text in dict.fromkeys(said))]


_LAUNCHPAD_FIELDS = {What.STATUS: "status", What.IMPORTANCE: "importance"}
_GITHUB_REASONS = {Status.FIX_RELEASED: "completed", Status.FIX_COMMITTED: "completed", Status.INVALID: "not_planned"}


def launchpad_request(one: Outgoing, api: str, project: str) -> Request | None:
    """The request to Launchpad's API; None for what it has no field for."""
    number = one.bug.rpartition("/")[2]
    task, bug = f"{api}/{project}/+bug/{number}", f"{api}/bugs/{number}"
    match one.what:
        case What.STATUS | What.IMPORTANCE:
            return Request("PATCH", task, {_LAUNCHPAD_FIELDS[one.what]: one.value})
        case What.ASSIGNEE:
            return Request("PATCH", task, {"assignee_link": f"{api}/~{one.value}" if one.value else None})
        case What.TITLE:
            return Request("PATCH", bug, {"title": one.value})
        case What.TAGS:
            return Request("PATCH", bug, {"tags": one.value.split()})
        case What.DUPLICATE:
            other = one.value.rpartition("/")[2]
            return Request("PATCH", bug, {"duplicate_of_link": f"{api}/bugs/{other}" if other else None})
        case What.SAID:
            return Request("POST", bug, {"ws.op": "newMessage", "content": one.value})
        case _:
            return None


def github_request(one: Outgoing, api: str) -> Request | None:
    """The request to GitHub's API; None for what it has no field for. Importance is a label there, which people give."""
    _, owner, name, number = one.bug.split("/")
    issue = f"{api}/repos/{owner}/{name}/issues/{number}"
    match one.what:
        case What.STATUS:
            status = Status(one.value)
            if status in _GITHUB_REASONS or status in {Status.WONT_FIX, Status.EXPIRED, Status.OPINION}:
                reason = _GITHUB_REASONS.get(status, "not_planned")
                return Request("PATCH", issue, {"state": "closed", "state_reason": reason})
            return Request("PATCH", issue, {"state": "open"})
        case What.ASSIGNEE:
            return Request("PATCH", issue, {"assignees": [one.value] if one.value else []})
        case What.TITLE:
            return Request("PATCH", issue, {"title": one.value})
        case What.TAGS:
            return Request("PATCH", issue, {"labels": one.value.split()})
        case What.SAID:
            return Request("POST", f"{issue}/comments", {"body": one.value})
        case _:
            return None
