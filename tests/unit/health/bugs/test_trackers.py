"""What trackers tell becomes the same bug in whatever order and however often it is told."""

import json
from typing import Any

import msgspec
import pytest

from kilonova.health.bugs.model import Bug, Deed, Importance, Status, fold
from kilonova.health.bugs.trackers.reading import DERIVES, NoDocument, reader
from unit.health.bugs.documents import commit, gh_comment, gh_event, gh_issue, lp_activity, lp_bug, lp_message, lp_task
from unit.health.bugs.made import day


def told(source: str, *documents: dict[str, Any], days: float = 1000, project: str | None = None) -> Bug:
    deeds, key = [], ""
    for document in documents:
        event = reader(source, project)(json.dumps(document).encode())
        assert event is not None
        for fact in DERIVES[event.kind.partition(".")[0]](event):
            key = fact.subject
            deeds.append(json_deed(fact.body))
    found = fold(key, deeds, day(days))
    assert found is not None
    return found


def json_deed(body: bytes) -> Deed:
    return msgspec.json.decode(body, type=Deed)


def test_launchpad__bug_and_task__as_they_stand() -> None:
    found = told("launchpad", lp_bug(), lp_task())
    assert (found.key, found.title, found.reporter) == (
        "launchpad/1000001",
        "Resize leaves an allocation behind",
        "rosa",
    )
    assert (found.status, found.importance, found.assignee) == (Status.TRIAGED, Importance.HIGH, "core")
    assert found.tags == {"placement", "resize"}


def test_launchpad__before_it_was_triaged__it_was_new() -> None:
    assert told("launchpad", lp_bug(), lp_task(), days=1.5).status is Status.NEW


def test_launchpad__status_with_response__is_incomplete_and_answered() -> None:
    asked = lp_activity("nova: status", "Incomplete", "2026-01-06T00:00:00+00:00")
    found = told("launchpad", lp_bug(), asked, lp_message(1, "rosa", "2026-01-09T00:00:00+00:00"))
    assert (found.status, found.answered) == (Status.INCOMPLETE, True)


def test_launchpad__the_first_message__is_the_description_and_no_answer() -> None:
    found = told("launchpad", lp_bug(), lp_message(0, "core", "2026-01-05T00:00:00+00:00"))
    assert found.responded_at is None


def test_launchpad__private_security_duplicate_patch__are_seen() -> None:
    found = told(
        "launchpad",
        lp_bug(
            private=True,
            information_type="Private Security",
            duplicate_of_link="https://api.launchpad.net/1.0/bugs/999",
            latest_patch_uploaded="2026-01-05T12:00:00+00:00",
        ),
    )
    assert (found.private, found.security, found.patch, found.duplicate_of) == (True, True, True, "launchpad/999")


def test_launchpad__another_projects_part__doesnt_count() -> None:
    task = json.dumps(lp_task(bug_target_name="cinder")).encode()
    assert reader("launchpad", "nova")(task) is None
    other = json.dumps(lp_activity("cinder: status", "Invalid", "2026-01-06T00:00:00+00:00")).encode()
    assert reader("launchpad", "nova")(other) is None


@pytest.mark.parametrize("changed", ["bug", "nova: milestone", "attachment added"])
def test_launchpad__activity_that_changes_nothing_here__no_deed(changed: str) -> None:
    document = json.dumps(lp_activity(changed, "console.log", "2026-01-06T00:00:00+00:00")).encode()
    event = reader("launchpad")(document)
    assert event is not None
    assert list(DERIVES["launchpad"](event)) == []


def test_github__issue__as_it_stands() -> None:
    found = told("github", gh_issue())
    assert (found.key, found.title, found.reporter) == ("github/o/r/12", "It breaks", "rosa")
    assert (found.status, found.importance) == (Status.CONFIRMED, Importance.HIGH)


@pytest.mark.parametrize(
    ("reason", "status"),
    [("completed", Status.FIX_RELEASED), ("not_planned", Status.WONT_FIX), ("duplicate", Status.INVALID)],
)
def test_github__closed__for_a_reason(reason: str, status: Status) -> None:
    closed = gh_issue(state="closed", state_reason=reason, closed_at="2026-01-09T00:00:00Z")
    assert told("github", closed).status is status


def test_github__reopened__is_new_again() -> None:
    closed = gh_event("closed", "2026-01-09T00:00:00Z")
    assert told("github", gh_issue(), closed, gh_event("reopened", "2026-01-10T00:00:00Z")).open


def test_github__only_members__answer() -> None:
    found = told("github", gh_issue(), gh_comment("passer-by", "NONE", "2026-01-06T00:00:00Z"))
    assert found.responded_at is None
    found = told("github", gh_issue(), gh_comment("core", "MEMBER", "2026-01-07T00:00:00Z"))
    assert found.responded_at == day(2)


def test_github__a_pull_request__is_no_bug() -> None:
    assert reader("github")(json.dumps(gh_issue(pull_request={"url": "x"})).encode()) is None


def test_commits__one_that_closes__fixes_the_bug_in_its_release() -> None:
    found = told("launchpad", lp_bug())
    fix = told("commits", commit("c0ffee", "Mend it\n\nCloses-Bug: #1000001", day(9), "12.0.0"))
    assert fix.key == found.key
    assert [(one.id, one.title, one.release) for one in fix.commits] == [("c0ffee", "Mend it", "12.0.0")]
    assert fix.status is Status.FIX_COMMITTED


def test_commits__one_that_names_no_bug__says_nothing() -> None:
    assert reader("commits")(json.dumps(commit("c0ffee", "Tidy up", 0)).encode()) is None


@pytest.mark.parametrize("source", ["launchpad", "github", "commits"])
def test_any__no_json__is_refused(source: str) -> None:
    with pytest.raises(NoDocument):
        reader(source)(b"<html>")
