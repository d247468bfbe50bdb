"""Launchpad's bugs: entries of its REST API, as they come in replies. Pure.

Source: the API's reference, collections `bug`, `bug_task`, `bug_activity`, `message`, version 1.0.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kilonova.health.bugs.model import Deed, Importance, Status, What
from kilonova.health.moments import moment

SOURCE = "launchpad"
_BUG = re.compile(r"/(?:\+bug|bugs)/(\d+)")
_DATES = {
    "date_incomplete": Status.INCOMPLETE,
    "date_confirmed": Status.CONFIRMED,
    "date_triaged": Status.TRIAGED,
    "date_in_progress": Status.IN_PROGRESS,
    "date_fix_committed": Status.FIX_COMMITTED,
    "date_fix_released": Status.FIX_RELEASED,
}
_STATUSES = {
    "Incomplete (with response)": Status.INCOMPLETE,
    "Incomplete (without response)": Status.INCOMPLETE,
    "Deferred": Status.WONT_FIX,
    "Does Not Exist": Status.INVALID,
    "Unknown": Status.NEW,
}
_CHANGES = {
    "status": What.STATUS,
    "importance": What.IMPORTANCE,
    "assignee": What.ASSIGNEE,
    "summary": What.TITLE,
    "description": What.TEXT,
    "tags": What.TAGS,
    "marked as duplicate": What.DUPLICATE,
    "attachment added": What.PATCH,
}
_NOBODY = {"", "None", "nobody"}

Entry = Mapping[str, Any]


def entries(reply: Any) -> Iterator[Entry]:
    """The entries in a reply: itself, or those of the collection that it is."""
    found = reply.get("entries", (reply,)) if isinstance(reply, dict) else reply
    yield from (one for one in found if isinstance(one, dict) and number(one) is not None)


def number(entry: Entry) -> str | None:
    """The number of the bug that an entry is about; None for entries about anything else."""
    links = (entry.get(name) for name in ("bug_link", "self_link", "web_link"))
    found = next((match for link in links if isinstance(link, str) and (match := _BUG.search(link))), None)
    return found[1] if found else None


def kind(entry: Entry) -> str:
    """What an entry is: `bug`, `bug_task`, `bug_activity`, `message`."""
    return str(entry.get("resource_type_link", "")).rpartition("#")[2]


def is_of(entry: Entry, project: str | None) -> bool:
    """Whether an entry is about this project's part of a bug; without a project all are."""
    if project is None:
        return True
    if kind(entry) == "bug_task":
        return entry.get("bug_target_name") == project
    changed = str(entry.get("whatchanged", ""))
    return ":" not in changed or changed.startswith(f"{project}:")


def identity(entry: Entry) -> str:
    """What makes an entry known again: what it is, and of which moment where it changes."""
    link = str(entry.get("self_link") or entry.get("web_link"))
    newest = max((str(value) for name, value in entry.items() if name.startswith("date") and value), default="")
    return f"{kind(entry)} {link.rpartition('/1.0/')[2] or link} {entry.get('http_etag') or newest}"


def when(entry: Entry) -> float:
    """The newest moment that an entry tells of."""
    return max(
        (moment(value) for name, value in entry.items() if name.startswith("date") and isinstance(value, str)),
        default=0.0,
    )


def deeds(entry: Entry) -> Iterable[Deed]:
    """What an entry says that was done to its bug."""
    match kind(entry):
        case "bug":
            return _of_bug(entry)
        case "bug_task":
            return _of_task(entry)
        case "bug_activity":
            return _of_activity(entry)
        case "message":
            return _of_message(entry)
        case _:
            return ()


def _of_bug(entry: Entry) -> Iterator[Deed]:
    opened, at = moment(entry["date_created"]), when(entry)
    yield Deed(opened, What.OPENED, by=_person(entry.get("owner_link")))
    for name, what in (("title", What.TITLE), ("description", What.TEXT)):
        for known in sorted({opened, at}):
            yield Deed(known, what, str(entry.get(name) or ""))
    yield Deed(at, What.TAGS, " ".join(entry.get("tags") or ()))
    if entry.get("private"):
        yield Deed(opened, What.PRIVATE, "yes")
    if entry.get("security_related") or "Security" in str(entry.get("information_type")):
        yield Deed(opened, What.SECURITY, "yes")
    if entry.get("duplicate_of_link"):
        yield Deed(at, What.DUPLICATE, _key(str(entry["duplicate_of_link"])))
    if entry.get("latest_patch_uploaded"):
        yield Deed(moment(entry["latest_patch_uploaded"]), What.PATCH, "yes")


def _of_task(entry: Entry) -> Iterator[Deed]:
    opened = moment(entry["date_created"])
    for name, status in _DATES.items():
        if entry.get(name):
            yield Deed(moment(entry[name]), What.STATUS, status, member=True)
    status, at = _status(str(entry["status"])), when(entry)
    yield Deed(at if status is not Status.NEW else opened, What.STATUS, status, member=status is not Status.NEW)
    importance = str(entry.get("importance") or Importance.UNDECIDED)
    if importance in set(Importance) and importance != Importance.UNDECIDED:
        yield Deed(at, What.IMPORTANCE, importance, member=True)
    assigned = moment(entry["date_assigned"]) if entry.get("date_assigned") else at
    yield Deed(assigned, What.ASSIGNEE, _person(entry.get("assignee_link")))


def _of_activity(entry: Entry) -> Iterator[Deed]:
    name = str(entry.get("whatchanged", "")).rpartition(": ")[2]
    what, new = _CHANGES.get(name), str(entry.get("newvalue") or "")
    by, at = _person(entry.get("person_link")), moment(entry["datechanged"])
    match what:
        case None:
            return
        case What.STATUS:
            new = _status(new)
        case What.IMPORTANCE if new not in set(Importance):
            return
        case What.ASSIGNEE:
            new = "" if new in _NOBODY else (re.search(r"\(([^()]+)\)$", new) or [new, new])[1]
        case What.DUPLICATE:
            new = "" if new in _NOBODY else f"{SOURCE}/{new}"
        case What.PATCH if not new.rpartition(" ")[0].endswith((".patch", ".diff")):
            return
    yield Deed(at, what, new, by, member=True)


def _of_message(entry: Entry) -> Iterator[Deed]:
    """A comment; the first is the description again."""
    if not str(entry.get("self_link", "")).endswith("/comments/0"):
        said = str(entry.get("content") or "")
        yield Deed(moment(entry["date_created"]), What.SAID, said, _person(entry.get("owner_link")), member=True)


def _status(told: str) -> Status:
    return _STATUSES.get(told) or Status(told)


def _key(link: str) -> str:
    found = _BUG.search(link)
    return f"{SOURCE}/{found[1]}" if found else ""


def _person(link: object) -> str:
    """The name behind `https://.../~name`."""
    return str(link).rpartition("~")[2] if link else ""
