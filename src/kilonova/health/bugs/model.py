"""A bug is the sum of what was done to it: `fold` makes the bug of its deeds, at whatever moment is asked for. Pure.

Statuses and importances are Launchpad's, onto which other trackers are mapped.
"""

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum

import msgspec


class Status(StrEnum):
    """Where a bug stands. The values are what Launchpad shows."""

    NEW = "New"
    INCOMPLETE = "Incomplete"
    OPINION = "Opinion"
    INVALID = "Invalid"
    WONT_FIX = "Won't Fix"
    EXPIRED = "Expired"
    CONFIRMED = "Confirmed"
    TRIAGED = "Triaged"
    IN_PROGRESS = "In Progress"
    FIX_COMMITTED = "Fix Committed"
    FIX_RELEASED = "Fix Released"


class Importance(StrEnum):
    """How much a bug matters, as Launchpad says it."""

    UNDECIDED = "Undecided"
    CRITICAL = "Critical"
    HIGH = "High"
    MEDIUM = "Medium"
    LOW = "Low"
    WISHLIST = "Wishlist"


class What(StrEnum):
    """Kinds of deeds."""

    OPENED = "opened"
    STATUS = "status"
    IMPORTANCE = "importance"
    ASSIGNEE = "assignee"
    TEAM = "team"
    TITLE = "title"
    TEXT = "text"
    TAGS = "tags"
    DUPLICATE = "duplicate"
    PRIVATE = "private"
    SECURITY = "security"
    SAID = "said"
    PATCH = "patch"
    COMMIT = "commit"
    HIT = "hit"
    RULE = "rule"


class Link(StrEnum):
    """What a commit says that it does to a bug."""

    CLOSES = "closes"
    PARTIAL = "partial"
    RELATED = "related"
    MENTIONS = "mentions"
    REVERTS = "reverts"


RULE = "rule"
"""Who has done what a rule does; it answers nobody."""
SOLVED = frozenset({Status.FIX_COMMITTED, Status.FIX_RELEASED})
CLOSED = SOLVED | {Status.OPINION, Status.INVALID, Status.WONT_FIX, Status.EXPIRED}
"""Statuses in which nobody owes anything."""


class Deed(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that was done to a bug."""

    at: float
    """When, in seconds since the epoch."""
    what: What
    value: str = ""
    """The new status, name, tags (with spaces between) or text; a commit's id."""
    by: str = ""
    """Who, by name at the tracker; empty where it isn't told."""
    member: bool = False
    """Whether who did it belongs to the project, so that it answers the reporter."""
    link: Link | None = None
    """Of a commit."""
    release: str = ""
    """Of a commit: the first release that has it, where there is one."""
    hours: float = 0.0
    """Of a hit: what it cost, in hours of CI."""
    ours: bool = False
    """Whether it was done here, and the tracker may not know of it yet."""


class Commit(msgspec.Struct, frozen=True):
    """A commit that names a bug."""

    id: str
    at: float
    title: str
    link: Link
    release: str


class Bug(msgspec.Struct):
    """A bug as it stands at a moment."""

    key: str
    """Where it is kept and its number there: `launchpad/1458945`."""
    title: str = ""
    text: str = ""
    reporter: str = ""
    opened_at: float | None = None
    """None when only commits are known of it."""
    changed_at: float = 0.0
    status: Status = Status.NEW
    status_at: float = 0.0
    importance: Importance = Importance.UNDECIDED
    assignee: str = ""
    team: str = ""
    tags: frozenset[str] = frozenset()
    duplicate_of: str = ""
    private: bool = False
    security: bool = False
    patch: bool = False
    answered: bool = False
    """Whether the reporter has said something since the project asked."""
    responded_at: float | None = None
    """When somebody of the project first did anything to it."""
    commits: list[Commit] = []
    hits: list[tuple[float, float]] = []
    """Failures of CI for it: when, and their cost in hours."""
    reopened_because: str = ""
    deeds: list[Deed] = []
    """All of them so far, in order."""

    @property
    def open(self) -> bool:
        """Whether somebody still owes something for it."""
        return self.status not in CLOSED and not self.duplicate_of

    @property
    def reported(self) -> bool:
        """Whether the report itself is known, and not only commits that name it: without, nothing is promised or measured."""
        return self.opened_at is not None

    @property
    def waits(self) -> bool:
        """Whether the reporter owes an answer: then no promise of the project's can be broken."""
        return self.status is Status.INCOMPLETE and not self.answered

    @property
    def hours(self) -> float:
        """What it has cost, in hours of CI."""
        return sum(hours for _, hours in self.hits)

    @property
    def first_seen(self) -> float:
        """When it was opened, or first named by a commit."""
        return self.opened_at if self.opened_at is not None else self.deeds[0].at


def fold(key: str, deeds: Iterable[Deed], at: float) -> Bug | None:
    """The bug `key` as it stood at the moment `at`; None when nothing had been done to it yet."""
    bug = Bug(key)
    for _ in moments(bug, deeds, at):
        pass
    return bug if bug.deeds else None


def moments(bug: Bug, deeds: Iterable[Deed], at: float) -> Iterator[Deed]:
    """Do the deeds up to the moment `at` to `bug`, one after the other: each is yielded just before it is done."""
    for deed in sorted((deed for deed in deeds if deed.at <= at), key=_order):
        yield deed
        bug.deeds.append(deed)
        _do(bug, deed)


_PLACE = {what: place for place, what in enumerate(What)}


def _order(deed: Deed) -> tuple[float, int, str]:
    """By time; at one time in the order of `What`, so that the order in which they were told doesn't matter."""
    return deed.at, _PLACE[deed.what], deed.value


_FIELDS: dict[What, tuple[str, Callable[[str], object]]] = {
    What.IMPORTANCE: ("importance", Importance),
    What.ASSIGNEE: ("assignee", str),
    What.TEAM: ("team", str),
    What.TITLE: ("title", str),
    What.TEXT: ("text", str),
    What.TAGS: ("tags", lambda value: frozenset(value.split())),
    What.DUPLICATE: ("duplicate_of", str),
    What.PRIVATE: ("private", bool),
    What.SECURITY: ("security", bool),
    What.PATCH: ("patch", bool),
}
"""What simply sets a field: its name, and how the value is read."""


def _do(bug: Bug, deed: Deed) -> None:
    if deed.what is What.RULE:  # a remark of our own: it changes nothing, and answers nobody
        return
    match deed.what:
        case What.OPENED:
            bug.opened_at, bug.reporter, bug.status_at = deed.at, deed.by, deed.at
        case What.STATUS:
            _stand(bug, Status(deed.value), deed.at)
        case What.SAID:
            bug.answered = bug.status is Status.INCOMPLETE and (not deed.member or deed.by == bug.reporter)
        case What.COMMIT:
            _link(bug, deed)
        case What.HIT:
            _hit(bug, deed)
        case _:
            field, read = _FIELDS[deed.what]
            setattr(bug, field, read(deed.value))
    bug.changed_at = max(bug.changed_at, deed.at)
    if bug.responded_at is None and deed.member and deed.by not in {bug.reporter, RULE}:
        bug.responded_at = deed.at


def _stand(bug: Bug, status: Status, at: float) -> None:
    if bug.status in CLOSED and status not in CLOSED:
        bug.reopened_because = "its status was set back"
    if status is not bug.status:
        bug.status, bug.status_at, bug.answered = status, at, False


def _link(bug: Bug, deed: Deed) -> None:
    """A commit that closes an open bug solves it; one that takes such a commit back reopens it."""
    assert deed.link is not None, "a commit says how it is linked"
    bug.commits.append(
        Commit(deed.value.partition(" ")[0], deed.at, deed.value.partition(" ")[2], deed.link, deed.release)
    )
    if deed.link is Link.CLOSES and bug.status not in CLOSED:
        _stand(bug, Status.FIX_COMMITTED, deed.at)
    elif deed.link is Link.REVERTS and bug.status in SOLVED:
        _stand(bug, Status.TRIAGED, deed.at)
        bug.reopened_because = "its fix was reverted"


def _hit(bug: Bug, deed: Deed) -> None:
    """CI has failed for it again: a fix that was there did not hold."""
    bug.hits.append((deed.at, deed.hours))
    if bug.status in SOLVED:
        _stand(bug, Status.TRIAGED, deed.at)
        bug.reopened_because = "CI failed for it after the fix"
