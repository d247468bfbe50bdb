"""What was done here goes to the tracker, unless the tracker has moved on."""

from typing import Any

import msgspec
import pytest

from kilonova.health.bugs.model import Deed, Status, What
from kilonova.health.bugs.sync import Outgoing, github_request, launchpad_request, outgoing
from unit.health.bugs.made import day, opened, said, status

API = "https://api"


def ours(days: float, what: What, value: str) -> Deed:
    return Deed(day(days), what, value, "core", member=True, ours=True)


def test_outgoing__only_here__is_to_be_sent() -> None:
    (found,) = outgoing("github/o/r/1", [*opened(), ours(1, What.STATUS, Status.TRIAGED)])
    assert (found.what, found.value, found.conflict) == (What.STATUS, Status.TRIAGED, False)


def test_outgoing__both_have_it__nothing() -> None:
    assert outgoing("github/o/r/1", [*opened(), ours(1, What.STATUS, "Invalid"), status(2, Status.INVALID)]) == []


def test_outgoing__the_tracker_changed_it_later__a_conflict_that_it_wins() -> None:
    (found,) = outgoing("github/o/r/1", [*opened(), ours(1, What.STATUS, "Triaged"), status(2, Status.INVALID)])
    assert (found.theirs, found.conflict) == ("Invalid", True)


def test_outgoing__the_tracker_changed_it_earlier__ours_is_sent() -> None:
    (found,) = outgoing("github/o/r/1", [*opened(), status(1, Status.INVALID), ours(2, What.STATUS, "Triaged")])
    assert not found.conflict


def test_outgoing__different_fields__go_by_themselves() -> None:
    deeds = [*opened(), ours(1, What.STATUS, "Triaged"), status(2, Status.INVALID), ours(1, What.TAGS, "a b")]
    assert [(one.what, one.conflict) for one in outgoing("github/o/r/1", deeds)] == [
        (What.STATUS, True),
        (What.TAGS, False),
    ]


def test_outgoing__said_and_heard__once() -> None:
    deeds = [
        *opened(),
        ours(1, What.SAID, "Which version?"),
        said(2, "core", "Which version? "),
        ours(3, What.SAID, "New"),
    ]
    assert [one.value for one in outgoing("github/o/r/1", deeds)] == ["New"]


@pytest.mark.parametrize(
    ("what", "value", "method", "end", "body"),
    [
        (What.STATUS, "Fix Released", "PATCH", "/nova/+bug/7", {"status": "Fix Released"}),
        (What.IMPORTANCE, "High", "PATCH", "/nova/+bug/7", {"importance": "High"}),
        (What.ASSIGNEE, "", "PATCH", "/nova/+bug/7", {"assignee_link": None}),
        (What.TITLE, "T", "PATCH", "/bugs/7", {"title": "T"}),
        (What.TAGS, "a b", "PATCH", "/bugs/7", {"tags": ["a", "b"]}),
        (What.DUPLICATE, "launchpad/9", "PATCH", "/bugs/7", {"duplicate_of_link": f"{API}/bugs/9"}),
        (What.SAID, "Hm.", "POST", "/bugs/7", {"ws.op": "newMessage", "content": "Hm."}),
    ],
)
def test_launchpad__each_field__its_request(
    what: What, value: str, method: str, end: str, body: dict[str, Any]
) -> None:
    found = launchpad_request(Outgoing("launchpad/7", what, value, "", conflict=False), API, "nova")
    assert found is not None
    assert msgspec.structs.astuple(found) == (method, API + end, body)


@pytest.mark.parametrize(
    ("what", "value", "end", "body"),
    [
        (What.STATUS, "Fix Released", "", {"state": "closed", "state_reason": "completed"}),
        (What.STATUS, "Won't Fix", "", {"state": "closed", "state_reason": "not_planned"}),
        (What.STATUS, "Triaged", "", {"state": "open"}),
        (What.ASSIGNEE, "core", "", {"assignees": ["core"]}),
        (What.TITLE, "T", "", {"title": "T"}),
        (What.TAGS, "a b", "", {"labels": ["a", "b"]}),
        (What.SAID, "Hm.", "/comments", {"body": "Hm."}),
    ],
)
def test_github__each_field__its_request(what: What, value: str, end: str, body: dict[str, Any]) -> None:
    found = github_request(Outgoing("github/o/r/7", what, value, "", conflict=False), API)
    assert found is not None
    assert (found.url, found.body) == (f"{API}/repos/o/r/issues/7{end}", body)


def test_github__importance__has_no_field_there() -> None:
    assert github_request(Outgoing("github/o/r/7", What.IMPORTANCE, "High", "", conflict=False), API) is None
