"""Gerrit: events of `stream-events`, a JSON object a line, and changes as the REST API tells them, with messages.

Source: Gerrit documentation, "gerrit stream-events" and "REST API: Changes", ChangeInfo. Streams of old versions write numbers
as strings and call the labels `VRIF` and `CRVW`. Times of the stream are seconds since the epoch, those of the REST API are text
in UTC with nine decimals. Both are cut to seconds, so that a comment that both tell is one fact.
"""

from collections.abc import Iterator
from typing import Any

from kilonova.health.ci.comments import without_head
from kilonova.health.ci.facts import ChangeSeen, Closed, Commented, Draft, Ended, PatchSetSeen, fact
from kilonova.health.document import BadDocument, decoded, digest, host_of, number, part, text
from kilonova.health.moments import moment
from kilonova.health.store import Event, Fact

PREFIX = "gerrit"
CHANGE_INFO = "change-info"
"""The kind of a change as the REST API tells it; the others are named as the stream names them."""

_CLOSING = {
    "change-merged": Ended.MERGED,
    "change-abandoned": Ended.ABANDONED,
    "change-restored": Ended.RESTORED,
}
_STATUS = {"MERGED": Ended.MERGED, "ABANDONED": Ended.ABANDONED}
_LABELS = {"VRIF": "Verified", "CRVW": "Code-Review", "APRV": "Workflow", "WIP": "Work-In-Progress"}


def stream_event(line: bytes, host: str | None) -> Event | None:
    """The event in a line of the stream; None for kinds that say nothing of a change.

    Args:
        line: one JSON object.
        host: the Gerrit it comes from; that of the change's URL when None.

    Raises:
        BadDocument: it is no event.
    """
    document = decoded(line, "the event")
    kind = text(document, "type")
    if not kind:
        raise BadDocument(what="the event", reason="it has no type")
    change = part(document, "change")
    if not change:
        return None
    known = host or host_of(text(change, "url"))
    if not known:
        raise BadDocument(what="the event", reason="neither --host nor the change's url says which Gerrit it is from")
    if not number(change, "number"):
        raise BadDocument(what="the event", reason="its change has no number")
    return Event(f"{PREFIX}:{known}", digest(line), f"{PREFIX}.{kind}", _stream_time(document), line)


def change_info(document: bytes, host: str) -> Event:
    """A change as the REST API tells it. Raises `BadDocument`."""
    change = decoded(document, "the change")
    if not number(change, "_number"):
        raise BadDocument(what="the change", reason="it has no _number")
    at = moment(text(change, "updated") or text(change, "created") or "1970-01-01")
    return Event(f"{PREFIX}:{host}", digest(document), f"{PREFIX}.{CHANGE_INFO}", float(int(at)), document)


def facts_in(event: Event) -> Iterator[Fact]:
    """What an event of either kind says."""
    host, kind = event.source.partition(":")[2], event.kind.partition(".")[2]
    document = decoded(event.payload, "the event")
    if kind == CHANGE_INFO:
        yield from _of_change_info(host, document)
    else:
        yield from _of_stream(host, kind, document, event.at)


def _of_stream(host: str, kind: str, document: dict[str, Any], at: float) -> Iterator[Fact]:
    change, patchset = part(document, "change"), part(document, "patchSet")
    subject = f"{host}/{number(change, 'number')}"
    yield fact(subject, at, _change(change, text(change, "commitMessage"), None))
    if patchset:
        yield fact(subject, float(number(patchset, "createdOn")) or at, _patchset(patchset))
    if kind == "comment-added":
        votes = {_label(one): number(one, "value") for one in document.get("approvals") or () if one.get("value")}
        comment = without_head(text(document, "comment"))
        author = _account(part(document, "author"))
        yield fact(subject, at, Commented(author, comment, number(patchset, "number"), votes))
    elif kind in _CLOSING:
        how = _CLOSING[kind]
        yield fact(subject, at, Closed(how, number(patchset, "number") if how is Ended.MERGED else 0))
    elif kind == "wip-state-changed":
        yield fact(subject, at, Draft(bool(change.get("wip"))))


def _of_change_info(host: str, document: dict[str, Any]) -> Iterator[Fact]:
    subject = f"{host}/{number(document, '_number')}"
    created = _rest_time(document, "created")
    revisions = part(document, "revisions")
    current = part(part(revisions, text(document, "current_revision")), "commit")
    yield fact(subject, created, _change(document, text(current, "message"), document.get("revert_of")))
    for revision, one in revisions.items():
        files = one.get("files")
        seen = PatchSetSeen(
            revision=revision,
            number=number(one, "_number"),
            kind=text(one, "kind"),
            files=None if files is None else tuple(sorted(path for path in files if not path.startswith("/"))),
            uploader=_account(part(one, "uploader")),
        )
        yield fact(subject, _rest_time(one, "created"), seen)
    for message in document.get("messages") or ():
        comment = without_head(text(message, "message"))
        author, tag = _account(part(message, "author")), text(message, "tag")
        said = Commented(author, comment, number(message, "_revision_number"), tag=tag)
        yield fact(subject, _rest_time(message, "date"), said)
    if document.get("work_in_progress"):
        yield fact(subject, created, Draft(True))
    ended = _STATUS.get(text(document, "status"))
    if ended is not None:
        newest = number(part(revisions, text(document, "current_revision")), "_number")
        at = _rest_time(document, "submitted" if "submitted" in document else "updated")
        yield fact(subject, at, Closed(ended, newest if ended is Ended.MERGED else 0))


def _change(change: dict[str, Any], message: str, reverts: object) -> ChangeSeen:
    return ChangeSeen(
        project=text(change, "project"),
        branch=text(change, "branch"),
        title=text(change, "subject"),
        owner=_account(part(change, "owner")),
        topic=text(change, "topic"),
        message=message,
        reverts=reverts if isinstance(reverts, int) else None,
    )


def _patchset(patchset: dict[str, Any]) -> PatchSetSeen:
    return PatchSetSeen(
        revision=text(patchset, "revision"),
        number=number(patchset, "number"),
        kind=text(patchset, "kind"),
        uploader=_account(part(patchset, "uploader")),
    )


def _account(account: dict[str, Any]) -> str:
    """What an account is known by: its user name, which nobody can take; else its number; never the name it shows."""
    return text(account, "username") or (str(account["_account_id"]) if "_account_id" in account else "")


def _label(approval: dict[str, Any]) -> str:
    kind = text(approval, "type")
    return _LABELS.get(kind, kind)


def _stream_time(document: dict[str, Any]) -> float:
    at = number(document, "eventCreatedOn") or number(part(document, "patchSet"), "createdOn")
    if not at:
        raise BadDocument(what="the event", reason="it doesn't say when it happened")
    return float(at)


def _rest_time(document: dict[str, Any], name: str) -> float:
    return float(int(moment(text(document, name) or "1970-01-01")))
