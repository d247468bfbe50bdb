"""GitHub's issues: issues, their comments and events, as they come in replies of its REST API. Pure.

Source: GitHub's REST API reference, version 2022-11-28. Pull requests, which the API counts among issues, are left out.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kilonova.health.bugs.model import Deed, Importance, Status, What
from kilonova.health.moments import moment

SOURCE = "github"
_ISSUE = re.compile(r"/repos/([^/]+/[^/]+)/issues/(\d+)")
_MEMBERS = {"OWNER", "MEMBER", "COLLABORATOR"}
_CLOSED = {"completed": Status.FIX_RELEASED, "not_planned": Status.WONT_FIX, "duplicate": Status.INVALID}
_STATUS_LABELS = {
    "needs-info": Status.INCOMPLETE,
    "needs more info": Status.INCOMPLETE,
    "confirmed": Status.CONFIRMED,
    "triaged": Status.TRIAGED,
    "triage/accepted": Status.TRIAGED,
    "in progress": Status.IN_PROGRESS,
}
_IMPORTANCES = {str(one).lower(): one for one in Importance}
_SECURITY = {"security", "kind/security", "vulnerability"}

Entry = Mapping[str, Any]


def entries(reply: Any) -> Iterator[Entry]:
    """The issues, comments and events in a reply."""
    found = reply if isinstance(reply, list) else (reply,)
    yield from (one for one in found if isinstance(one, dict) and key(one) and not _issue(one).get("pull_request"))


def key(entry: Entry) -> str | None:
    """The bug that an entry is about: `github/owner/name/12`."""
    links = (_issue(entry).get("url"), entry.get("issue_url"), entry.get("url"))
    found = next((match for link in links if isinstance(link, str) and (match := _ISSUE.search(link))), None)
    return f"{SOURCE}/{found[1]}/{found[2]}" if found else None


def identity(entry: Entry) -> str:
    """What makes an entry known again: what it is, and of which moment where it changes."""
    return f"{entry.get('url')} {entry.get('updated_at') or entry.get('created_at')}"


def when(entry: Entry) -> float:
    """The newest moment that an entry tells of."""
    return moment(entry.get("updated_at") or entry["created_at"])


def deeds(entry: Entry) -> Iterable[Deed]:
    """What an entry says that was done to its issue."""
    if "event" in entry:
        return _of_event(entry)
    return _of_issue(entry) if "number" in entry else _of_comment(entry)


def _issue(entry: Entry) -> Entry:
    inner = entry.get("issue")
    return inner if isinstance(inner, dict) else entry


def _of_issue(entry: Entry) -> Iterator[Deed]:
    opened, at = moment(entry["created_at"]), when(entry)
    yield Deed(opened, What.OPENED, by=_login(entry.get("user")))
    for name, what in (("title", What.TITLE), ("body", What.TEXT)):
        for known in sorted({opened, at}):
            yield Deed(known, what, str(entry.get(name) or ""))
    labels = [str(label.get("name") if isinstance(label, dict) else label) for label in entry.get("labels") or ()]
    yield Deed(at, What.TAGS, " ".join(label.replace(" ", "-") for label in labels))
    yield Deed(at, What.ASSIGNEE, _login((entry.get("assignees") or [None])[0]))
    for label in labels:
        yield from _of_label(label, at, "")
    if entry.get("closed_at"):
        reason = _CLOSED.get(str(entry.get("state_reason")), Status.FIX_RELEASED)
        yield Deed(moment(entry["closed_at"]), What.STATUS, reason)


def _of_event(entry: Entry) -> Iterator[Deed]:
    at, by = moment(entry["created_at"]), _login(entry.get("actor"))
    match entry["event"]:
        case "closed":
            reason = _CLOSED.get(str(entry.get("state_reason")), Status.FIX_RELEASED)
            yield Deed(at, What.STATUS, reason, by, member=True)
        case "reopened":
            yield Deed(at, What.STATUS, Status.NEW, by, member=True)
        case "assigned":
            yield Deed(at, What.ASSIGNEE, _login(entry.get("assignee")), by, member=True)
        case "unassigned":
            yield Deed(at, What.ASSIGNEE, "", by, member=True)
        case "renamed":
            yield Deed(at, What.TITLE, str(entry["rename"]["to"]), by, member=True)
        case "labeled":
            yield from _of_label(str(entry["label"]["name"]), at, by)


def _of_label(label: str, at: float, by: str) -> Iterator[Deed]:
    """What a label means; who has set it is not told with an issue, and then it is no answer."""
    word, member = label.lower(), bool(by)
    importance = _IMPORTANCES.get(word.rpartition("/")[2].removeprefix("priority-"))
    if word in _STATUS_LABELS:
        yield Deed(at, What.STATUS, _STATUS_LABELS[word], by, member)
    if importance is not None:
        yield Deed(at, What.IMPORTANCE, importance, by, member)
    if word in _SECURITY:
        yield Deed(at, What.SECURITY, "yes", by)


def _of_comment(entry: Entry) -> Iterator[Deed]:
    member = str(entry.get("author_association")) in _MEMBERS
    yield Deed(moment(entry["created_at"]), What.SAID, str(entry.get("body") or ""), _login(entry.get("user")), member)


def _login(user: object) -> str:
    return str(user.get("login") or "") if isinstance(user, dict) else ""
