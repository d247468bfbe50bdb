"""Bugs are fetched page by page, and an import that broke off goes on where it was."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from kilonova.health.bugs.fetching import BadBugUrl, import_bugs
from kilonova.health.bugs.model import Status
from kilonova.health.bugs.service import Desk
from kilonova.health.ci.archive import Archive
from kilonova.health.importing import Imported
from kilonova.kernel.errors import Unavailable
from kilonova.runtime.real import RealRuntime
from unit.health.bugs.documents import (
    API,
    REPO,
    gh_comment,
    gh_event,
    gh_issue,
    lp_activity,
    lp_bug,
    lp_message,
    lp_task,
)
from unit.health.bugs.made import day
from unit.health.ci.archives import with_archive

SECOND = f"{API}/nova?ws.start=1"
LAUNCHPAD: dict[str, Any] = {
    f"{API}/nova": {"entries": [lp_task()], "next_collection_link": SECOND},
    SECOND: {"entries": [lp_task(1000002, status="New", date_triaged=None)]},
    **{f"{API}/bugs/{number}": lp_bug(number) for number in (1000001, 1000002)},
    **{f"{API}/bugs/{number}/messages": {"entries": []} for number in (1000001, 1000002)},
    f"{API}/bugs/1000001/activity": {"entries": [lp_activity("nova: status", "Invalid", "2026-01-20T00:00:00+00:00")]},
    f"{API}/bugs/1000002/activity": {"entries": []},
}
LAUNCHPAD[f"{API}/bugs/1000002/messages"] = {
    "entries": [lp_message(1, "core", "2026-01-06T00:00:00+00:00", 1000002)],
}


class Recorded:
    """Answers with what was recorded, and breaks off when it is told to."""

    def __init__(self, replies: Mapping[str, Any], breaks_at: int | None = None) -> None:
        self.replies = replies
        self.asked: list[str] = []
        self.breaks_at = breaks_at

    async def __call__(self, url: str) -> bytes:
        if len(self.asked) == self.breaks_at:
            raise Unavailable(service=url, reason="it broke off")
        self.asked.append(url)
        plain = url if url in self.replies else url.partition("?")[0]
        return json.dumps(self.replies[plain]).encode()


def taken(
    path: Path, get: Recorded, source: str = "launchpad", url: str = f"{API}/nova", days: float = 100
) -> Imported:
    return with_archive(path, lambda archive: import_bugs(archive.store, source, url, get, day(days)))


def statuses(path: Path) -> dict[str, str]:
    async def work(archive: Archive) -> dict[str, str]:
        bugs = await Desk(archive.store, RealRuntime()).bugs(day(1000))
        return {key: str(bug.status) for key, bug in bugs.items()}

    return with_archive(path, work)


def test_launchpad__all_pages__each_bug_with_what_was_done_and_said(tmp_path: Path) -> None:
    assert taken(tmp_path, Recorded(LAUNCHPAD)).refused == 0
    assert statuses(tmp_path) == {"launchpad/1000001": Status.INVALID, "launchpad/1000002": Status.NEW}


def test_launchpad__again__nothing_is_new_and_only_changes_are_asked_for(tmp_path: Path) -> None:
    taken(tmp_path, Recorded(LAUNCHPAD))
    again = Recorded(LAUNCHPAD)
    assert taken(tmp_path, again).new == 0
    assert dict(parse_qsl(urlsplit(again.asked[0]).query))["modified_since"] == "2026-04-14T23:59:00Z"


def test_launchpad__broken_off__goes_on_with_the_page_it_was_at(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        taken(tmp_path, Recorded(LAUNCHPAD, breaks_at=5))
    rest = Recorded(LAUNCHPAD)
    taken(tmp_path, rest)
    assert rest.asked[0] == SECOND
    assert set(statuses(tmp_path)) == {"launchpad/1000001", "launchpad/1000002"}


def test_github__issues_comments_and_events__make_the_bug(tmp_path: Path) -> None:
    replies = {
        f"{REPO}/issues": [gh_issue()],
        f"{REPO}/issues/comments": [gh_comment("core", "MEMBER", "2026-01-07T00:00:00Z")],
        f"{REPO}/issues/events": [gh_event("closed", "2026-01-09T00:00:00Z")],
    }
    assert taken(tmp_path, Recorded(replies), "github", REPO).new == 3
    assert statuses(tmp_path) == {"github/o/r/12": Status.FIX_RELEASED}


@pytest.mark.parametrize(("source", "url"), [("launchpad", "ftp://x/nova"), ("commits", f"{API}/nova")])
def test_url__none_to_import_from__says_why(tmp_path: Path, source: str, url: str) -> None:
    with pytest.raises(BadBugUrl):
        taken(tmp_path, Recorded({}), source, url)
