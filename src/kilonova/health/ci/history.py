"""What the facts make of a change: its patch sets, what each CI said of each, and how it ended. Pure.

Facts up to a moment make the change as it was at that moment. The order in which they came makes no difference.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby

import msgspec

from kilonova.health.ci.comments import JobResult, Verdict, is_readable
from kilonova.health.ci.facts import (
    Built,
    ChangeSeen,
    Closed,
    Commented,
    Draft,
    Ended,
    Labelled,
    PatchSetSeen,
    said_by,
)
from kilonova.health.ci.registry import System
from kilonova.health.store import Fact

UNCHANGED = frozenset({"NO_CHANGE", "NO_CODE_CHANGE"})
"""Kinds of patch sets that ask no CI for anything."""


class PatchSet(msgspec.Struct, frozen=True):
    """One version of a change."""

    number: int
    revision: str
    kind: str
    at: float
    files: tuple[str, ...] | None
    uploader: str = ""


class Report(msgspec.Struct, frozen=True):
    """What one CI system said at one moment about one patch set."""

    at: float
    patchset: int
    verdict: Verdict
    jobs: tuple[JobResult, ...]
    readable: bool
    """Whether it leads to its logs."""


class Change(msgspec.Struct, frozen=True):
    """A change as it was known."""

    subject: str
    project: str
    branch: str
    title: str
    owner: str
    topic: str
    message: str
    reverts: int | None
    patchsets: tuple[PatchSet, ...]
    comments: tuple[tuple[float, Commented], ...]
    builds: tuple[tuple[float, Built], ...]
    closings: tuple[tuple[float, Closed], ...]
    drafts: tuple[tuple[float, bool], ...]
    labels: tuple[tuple[float, Labelled], ...]

    @property
    def host(self) -> str:
        """The review system it is at."""
        return self.subject.partition("/")[0]

    @property
    def current(self) -> PatchSet | None:
        """The newest patch set."""
        return self.patchsets[-1] if self.patchsets else None

    @property
    def merged(self) -> tuple[float, int] | None:
        """When it was merged and with which patch set; None while it isn't."""
        for at, closed in reversed(self.closings):
            if closed.how is Ended.MERGED:
                current = self.current
                return at, closed.patchset or (current.number if current else 0)
        return None

    def patchset(self, number: int) -> PatchSet | None:
        """The patch set of that number."""
        return next((one for one in self.patchsets if one.number == number), None)

    def is_draft(self, at: float) -> bool:
        """Whether it was work in progress."""
        return next((value for since, value in reversed(self.drafts) if since <= at), False)


def change_of(subject: str, facts: Iterable[Fact]) -> Change | None:
    """The change that the facts about `subject` make, with those about its revisions; None without any that names it."""
    told = [(one.at, said_by(one)) for one in sorted(facts, key=lambda one: (one.at, one.key))]
    seen = [said for _, said in told if isinstance(said, ChangeSeen)]
    if not seen:
        return None
    newest = seen[-1]
    patchsets = _patchsets([(at, said) for at, said in told if isinstance(said, PatchSetSeen)])
    return Change(
        subject=subject,
        project=newest.project,
        branch=newest.branch,
        title=newest.title,
        owner=newest.owner,
        topic=newest.topic,
        message=next((one.message for one in reversed(seen) if one.message), ""),
        reverts=next((one.reverts for one in seen if one.reverts is not None), None),
        patchsets=patchsets,
        comments=tuple((at, said) for at, said in told if isinstance(said, Commented)),
        builds=tuple((at, _placed(said, patchsets)) for at, said in told if isinstance(said, Built)),
        closings=_last_words(told),
        drafts=tuple((at, said.value) for at, said in told if isinstance(said, Draft)),
        labels=tuple((at, said) for at, said in told if isinstance(said, Labelled)),
    )


def reports_of(change: Change, system: System) -> tuple[Report, ...]:
    """What `system` said about a change, in order. Jobs that are told one by one count together, the newest run of each."""
    found = []
    for at, comment in change.comments:
        if system.is_account(change.host, comment.account):
            verdict, jobs = system.verdict_of_comment(comment.text)
            if verdict is not None:
                found.append(Report(at, comment.patchset, verdict, jobs, is_readable(comment.text, jobs)))
    latest: dict[int, dict[str, JobResult]] = {}
    for at, built in change.builds:
        job = JobResult(built.job, built.result, built.url, built.duration_s, built.voting)
        if not built.final or not system.is_account(change.host, built.account) or not system.counted((job,)):
            continue
        jobs_there = latest.setdefault(built.patchset, {})
        jobs_there[job.name] = job
        jobs = tuple(jobs_there.values())
        verdict = system.verdict_of_jobs(jobs)
        if verdict is not None:
            found.append(Report(at, built.patchset, verdict, jobs, bool(built.url)))
    return tuple(sorted(found, key=lambda one: one.at))


def subjects_of_revisions(change: Change) -> tuple[str, ...]:
    """The subjects of what is told of a change's revisions alone."""
    if change.subject.startswith("github.com/"):
        base = change.subject.rpartition("/")[0]
        return tuple(f"{base}@{one.revision}" for one in change.patchsets)
    return ()


def _patchsets(told: Sequence[tuple[float, PatchSetSeen]]) -> tuple[PatchSet, ...]:
    """Each patch set once, with all that was told of it."""
    by_name: dict[str, list[tuple[float, PatchSetSeen]]] = {}
    for at, seen in told:
        by_name.setdefault(str(seen.number) if seen.number else seen.revision, []).append((at, seen))
    found = []
    for versions in by_name.values():
        at, first = versions[0]
        found.append(
            PatchSet(
                number=first.number,
                revision=next((one.revision for _, one in versions if one.revision), ""),
                kind=next((one.kind for _, one in versions if one.kind), ""),
                at=at,
                files=next((one.files for _, one in reversed(versions) if one.files is not None), None),
                uploader=next((one.uploader for _, one in versions if one.uploader), ""),
            )
        )
    found.sort(key=lambda one: (one.number, one.at))
    if any(one.number == 0 for one in found):
        return tuple(msgspec.structs.replace(one, number=number) for number, one in enumerate(found, 1))
    return tuple(found)


def _placed(built: Built, patchsets: tuple[PatchSet, ...]) -> Built:
    """A build of a revision becomes one of that revision's patch set."""
    if built.patchset or not built.revision:
        return built
    number = next((one.number for one in patchsets if one.revision == built.revision), 0)
    return msgspec.structs.replace(built, patchset=number)


def _last_words(told: Sequence[tuple[float, object]]) -> tuple[tuple[float, Closed], ...]:
    """How it ended, each time; what is told again later by the newest state of a change is left out."""
    closings = [(at, said) for at, said in told if isinstance(said, Closed)]
    return tuple(next(group) for _, group in groupby(closings, key=lambda one: one[1].how))
