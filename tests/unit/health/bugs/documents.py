"""Replies of trackers as their APIs give them, made here."""

import json
from typing import Any

API = "https://api.launchpad.net/1.0"
REPO = "https://api.github.com/repos/o/r"


def lp_bug(number: int = 1000001, **fields: Any) -> dict[str, Any]:
    return {
        "resource_type_link": f"{API}/#bug",
        "self_link": f"{API}/bugs/{number}",
        "activity_collection_link": f"{API}/bugs/{number}/activity",
        "messages_collection_link": f"{API}/bugs/{number}/messages",
        "id": number,
        "title": "Resize leaves an allocation behind",
        "description": "Placement keeps it.",
        "owner_link": f"{API}/~rosa",
        "tags": ["placement", "resize"],
        "private": False,
        "information_type": "Public",
        "duplicate_of_link": None,
        "date_created": "2026-01-05T00:00:00+00:00",
        "date_last_updated": "2026-01-06T00:00:00+00:00",
        **fields,
    }


def lp_task(number: int = 1000001, **fields: Any) -> dict[str, Any]:
    return {
        "resource_type_link": f"{API}/#bug_task",
        "self_link": f"{API}/nova/+bug/{number}",
        "bug_link": f"{API}/bugs/{number}",
        "bug_target_name": "nova",
        "status": "Triaged",
        "importance": "High",
        "assignee_link": f"{API}/~core",
        "date_created": "2026-01-05T00:00:00+00:00",
        "date_triaged": "2026-01-07T00:00:00+00:00",
        "date_assigned": "2026-01-08T00:00:00+00:00",
        **fields,
    }


def lp_activity(changed: str, new: str, at: str, by: str = "core", number: int = 1000001) -> dict[str, Any]:
    return {
        "resource_type_link": f"{API}/#bug_activity",
        "self_link": f"{API}/bugs/{number}/activity/{at}",
        "bug_link": f"{API}/bugs/{number}",
        "person_link": f"{API}/~{by}",
        "whatchanged": changed,
        "oldvalue": "?",
        "newvalue": new,
        "datechanged": at,
    }


def lp_message(place: int, by: str, at: str, number: int = 1000001) -> dict[str, Any]:
    return {
        "resource_type_link": f"{API}/#message",
        "self_link": f"{API}/nova/+bug/{number}/comments/{place}",
        "owner_link": f"{API}/~{by}",
        "content": "Words.",
        "date_created": at,
    }


def gh_issue(number: int = 12, **fields: Any) -> dict[str, Any]:
    return {
        "url": f"{REPO}/issues/{number}",
        "number": number,
        "title": "It breaks",
        "body": "Badly.",
        "user": {"login": "rosa"},
        "labels": [{"name": "priority/high"}, {"name": "confirmed"}],
        "assignees": [],
        "state": "open",
        "state_reason": None,
        "created_at": "2026-01-05T00:00:00Z",
        "updated_at": "2026-01-06T00:00:00Z",
        "closed_at": None,
        **fields,
    }


def gh_comment(by: str, association: str, at: str, number: int = 12) -> dict[str, Any]:
    return {
        "url": f"{REPO}/issues/comments/{at}",
        "issue_url": f"{REPO}/issues/{number}",
        "user": {"login": by},
        "author_association": association,
        "body": "Words.",
        "created_at": at,
        "updated_at": at,
    }


def gh_event(event: str, at: str, number: int = 12, **fields: Any) -> dict[str, Any]:
    return {
        "url": f"{REPO}/issues/events/{at}",
        "event": event,
        "actor": {"login": "core"},
        "issue": {"url": f"{REPO}/issues/{number}", "number": number},
        "created_at": at,
        **fields,
    }


def commit(id_: str, text: str, at: float, release: str = "") -> dict[str, Any]:
    return {"commit": id_, "at": at, "text": text, "release": release}


def lines(*documents: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in documents)
