"""GitHub: webhooks with their signature, and pull requests as they are fetched, with files, check runs and statuses.

Source: GitHub documentation, "Webhook events and payloads", "Validating webhook deliveries", "REST API: Checks, Commit statuses".
A status names a revision and no pull request, so what is told of a revision is kept under the revision.
"""

import hmac
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import msgspec

from kilonova.health.ci.facts import Built, ChangeSeen, Closed, Commented, Draft, Ended, PatchSetSeen, fact
from kilonova.health.document import BadDocument, decoded, digest, number, part, text
from kilonova.health.moments import moment
from kilonova.health.store import Event, Fact
from kilonova.kernel.errors import Forbidden

PREFIX = "github"
HOST = "github.com"
PULL = "pull"
"""The kind of a fetched pull request; the others are named as GitHub's webhooks."""
KNOWN = frozenset({"check_run", "status", "pull_request", "issue_comment"})
"""The webhooks that say something."""
_RESULTS = {
    "success": "SUCCESS",
    "failure": "FAILURE",
    "timed_out": "TIMED_OUT",
    "error": "ERROR",
    "neutral": "NEUTRAL",
    "cancelled": "CANCELLED",
    "skipped": "SKIPPED",
    "action_required": "ACTION_REQUIRED",
    "stale": "STALE",
    "pending": "STARTED",
}


class BadSignature(Forbidden):
    """The webhook's signature is not that of the secret shared with GitHub; nothing was kept."""

    code = "bad-signature"


def check_signature(body: bytes, secret: bytes, header: str | None) -> None:
    """Raise `BadSignature` unless `header` (`X-Hub-Signature-256`) is the body's under `secret`."""
    expected = "sha256=" + hmac.new(secret, body, sha256).hexdigest()
    if not secret or not hmac.compare_digest(expected.encode(), (header or "").encode()):
        raise BadSignature


def webhook(body: bytes, kind: str, delivery: str) -> Event | None:
    """A webhook whose signature was found right; None for a kind that says nothing. Raises `BadDocument`."""
    document = decoded(body, "the webhook")
    if kind not in KNOWN:
        return None
    repository = text(part(document, "repository"), "full_name")
    if not repository:
        raise BadDocument(what="the webhook", reason="it names no repository")
    return Event(f"{PREFIX}:{repository}", delivery, f"{PREFIX}.{kind}", _webhook_time(kind, document), body)


def line(payload: bytes) -> Event | None:
    """A line of a file: a fetched pull request, or `{"event": KIND, "delivery": ID, "payload": {...}}`. Raises `BadDocument`."""
    document = decoded(payload, "the line")
    if "pull_request" in document and "event" not in document:
        return pull(payload)
    inner = document.get("payload")
    if not isinstance(inner, dict) or not text(document, "event") or not text(document, "delivery"):
        raise BadDocument(what="the line", reason="it needs event, delivery and payload, or pull_request")

    return webhook(msgspec.json.encode(inner), text(document, "event"), text(document, "delivery"))


def pull(payload: bytes) -> Event:
    """A fetched pull request: `{"pull_request": {...}, "files": [...], "check_runs": [...], "statuses": [...]}`."""
    document = decoded(payload, "the pull request")
    request = part(document, "pull_request")
    repository = text(part(part(request, "base"), "repo"), "full_name")
    if not repository or not number(request, "number"):
        raise BadDocument(what="the pull request", reason="it has no number or no base.repo.full_name")
    at = _time(request, "updated_at")
    return Event(f"{PREFIX}:{repository}", digest(payload), f"{PREFIX}.{PULL}", at, payload)


def facts_in(event: Event) -> Iterator[Fact]:
    """What a webhook or a pull request says."""
    repository, kind = event.source.partition(":")[2], event.kind.partition(".")[2]
    document = decoded(event.payload, "the webhook")
    if kind == "check_run":
        yield from _check_run(repository, part(document, "check_run"))
    elif kind == "status":
        yield _status(repository, document)
    elif kind == "issue_comment":
        yield from _comment(repository, document)
    else:
        yield from _pull_request(repository, document, event.at)


def _pull_request(repository: str, document: dict[str, Any], at: float) -> Iterator[Fact]:
    request = part(document, "pull_request")
    subject = f"{HOST}/{repository}/{number(request, 'number')}"
    owner = text(part(request, "user"), "login")
    change = ChangeSeen(
        project=repository,
        branch=text(part(request, "base"), "ref"),
        title=text(request, "title"),
        owner=owner,
        message=text(request, "body"),
    )
    yield fact(subject, _time(request, "created_at"), change)
    named = document.get("files")
    files = None if named is None else tuple(sorted(text(one, "filename") for one in named))
    revision = text(part(request, "head"), "sha")
    yield fact(subject, at, PatchSetSeen(revision=revision, files=files, uploader=owner))
    yield fact(subject, at, Draft(bool(request.get("draft"))))
    if request.get("merged_at"):
        yield fact(subject, _time(request, "merged_at"), Closed(Ended.MERGED))
    elif request.get("closed_at"):
        yield fact(subject, _time(request, "closed_at"), Closed(Ended.ABANDONED))
    for run in document.get("check_runs") or ():
        yield from _check_run(repository, run)
    for status in document.get("statuses") or ():
        yield _status(repository, {"sha": revision, **status})


def _check_run(repository: str, run: dict[str, Any]) -> Iterator[Fact]:
    done = text(run, "status") == "completed"
    began, ended = text(run, "started_at"), text(run, "completed_at")
    if not (ended if done else began):
        return
    built = Built(
        account=text(part(run, "app"), "slug"),
        job=text(run, "name"),
        result=_RESULTS.get(text(run, "conclusion"), "UNKNOWN") if done else "STARTED",
        id=str(run.get("id", "")),
        revision=text(run, "head_sha"),
        url=text(run, "details_url"),
        duration_s=moment(ended) - moment(began) if done and began else None,
    )
    yield fact(f"{HOST}/{repository}@{built.revision}", moment(ended if done else began), built)


def _status(repository: str, status: dict[str, Any]) -> Fact:
    built = Built(
        account=text(part(status, "creator"), "login") or text(part(status, "sender"), "login"),
        job=text(status, "context"),
        result=_RESULTS.get(text(status, "state"), "UNKNOWN"),
        id=str(status.get("id", "")),
        revision=text(status, "sha"),
        url=text(status, "target_url"),
    )
    return fact(f"{HOST}/{repository}@{built.revision}", _time(status, "created_at"), built)


def _comment(repository: str, document: dict[str, Any]) -> Iterator[Fact]:
    issue, comment = part(document, "issue"), part(document, "comment")
    if "pull_request" in issue and text(document, "action") == "created":
        said = Commented(text(part(comment, "user"), "login"), text(comment, "body"))
        yield fact(f"{HOST}/{repository}/{number(issue, 'number')}", _time(comment, "created_at"), said)


def _webhook_time(kind: str, document: dict[str, Any]) -> float:
    if kind == "check_run":
        run = part(document, "check_run")
        return _time(run, "completed_at" if text(run, "completed_at") else "started_at")
    if kind == "status":
        return _time(document, "created_at")
    if kind == "issue_comment":
        return _time(part(document, "comment"), "created_at")
    request = part(document, "pull_request")
    return _time(request, "created_at" if text(document, "action") == "opened" else "updated_at")


def _time(document: dict[str, Any], name: str) -> float:
    told = text(document, name)
    if not told:
        raise BadDocument(what="the document", reason=f"it has no {name}")
    return moment(told)
