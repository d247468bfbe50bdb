"""Opportunities: each patch set that a CI system was expected to answer on, and what came of it. Pure.

Everything is as of a moment: what a change's later history says is left out, so the same change can be looked at day by day.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum

import msgspec

from kilonova.health.ci.comments import Verdict
from kilonova.health.ci.facts import Ended, Label
from kilonova.health.ci.history import UNCHANGED, Change, PatchSet, Report, reports_of
from kilonova.health.ci.registry import System

_REVERTS = re.compile(r"This reverts commit ([0-9a-f]{7,40})")


class Outcome(StrEnum):
    """What a patch set turned out to be, judged by what happened to it."""

    GOOD = "good"
    BAD = "bad"
    UNKNOWN = "unknown"


class Opportunity(msgspec.Struct, frozen=True):
    """One patch set that one system was expected to answer on."""

    subject: str
    patchset: int
    owner: str
    opened_at: float
    ended_at: float
    """When it was answered, or nobody waited for an answer any more, or the moment that is looked from."""
    end: str
    """answered, superseded, merged, abandoned, draft or open."""
    started_at: float | None
    verdicts: tuple[Verdict, ...]
    """Its judgements, in order."""
    outcome: Outcome
    label: Label | None
    reference: Verdict | None
    """What the project's own CI said at last."""
    reports: int
    readable: int

    @property
    def answered(self) -> bool:
        """Whether it was judged at all."""
        return bool(self.verdicts)

    @property
    def waited_s(self) -> float:
        """How long it took to be answered, or was waited for."""
        return self.ended_at - self.opened_at

    @property
    def final(self) -> Verdict | None:
        """The last judgement."""
        return self.verdicts[-1] if self.verdicts else None

    @property
    def flipped(self) -> bool:
        """Whether it was judged both ways."""
        return len(set(self.verdicts)) > 1

    @property
    def excused(self) -> bool:
        """Whether a person or a known failure says that this verdict tells nothing of the system."""
        return self.label in {Label.INFRA, Label.EXCUSED}

    def in_time(self, deadline_s: float) -> bool | None:
        """Whether it was answered within the deadline; None where nobody waited that long."""
        if self.answered and self.waited_s <= deadline_s:
            return True
        return False if self.waited_s >= deadline_s else None


class Watched(msgspec.Struct, frozen=True):
    """A change with what one system and the reference said of it: read once, looked at from many moments."""

    change: Change
    reports: tuple[Report, ...]
    reference: tuple[Report, ...]
    expected: tuple[int, ...]
    """The places of the patch sets that an answer was expected on."""


def watched(changes: Iterable[Change], system: System, reference: System | None) -> tuple[Watched, ...]:
    """The changes that a system might have to answer on."""
    other = reference if reference is not None and reference.name != system.name else None
    found = []
    for change in changes:
        expected = tuple(place for place, one in enumerate(change.patchsets) if _is_expected(change, one, system))
        if expected:
            reference_said = reports_of(change, other) if other else ()
            found.append(Watched(change, reports_of(change, system), reference_said, expected))
    return tuple(found)


def reverted_at(changes: Iterable[Change]) -> Mapping[str, float]:
    """When each change that was taken back was, by its subject."""
    known = tuple(changes)
    by_revision = {one.revision: change.subject for change in known for one in change.patchsets if one.revision}
    found: dict[str, float] = {}
    for change in known:
        if change.merged is None:
            continue
        subjects = [] if change.reverts is None else [f"{change.subject.rpartition('/')[0]}/{change.reverts}"]
        for revision in _REVERTS.findall(change.message):
            subjects += [subject for whole, subject in by_revision.items() if whole.startswith(revision)]
        for subject in subjects:
            found[subject] = min(change.merged[0], found.get(subject, change.merged[0]))
    return found


def opportunities_of(
    watching: Iterable[Watched], system: System, reverted: Mapping[str, float], at: float, since: float
) -> list[Opportunity]:
    """The opportunities that opened from `since` to `at`, in order, as they were at `at`."""
    found = [
        one for watch in watching for one in _of_change(watch, system, reverted.get(watch.change.subject), at, since)
    ]
    return sorted(found, key=lambda one: (one.opened_at, one.subject, one.patchset))


def _of_change(
    watch: Watched, system: System, reverted: float | None, at: float, since: float
) -> Iterator[Opportunity]:
    change = watch.change
    for place in watch.expected:
        if since <= change.patchsets[place].at <= at:
            yield _opportunity(watch, change.patchsets[place:], system, reverted, at)


def _is_expected(change: Change, patchset: PatchSet, system: System) -> bool:
    return (
        patchset.kind not in UNCHANGED
        and system.covers_change(change.project, change.branch, patchset.files)
        and not change.is_draft(patchset.at)
        and not system.in_maintenance(patchset.at)
    )


def _opportunity(
    watch: Watched, rest: Sequence[PatchSet], system: System, reverted: float | None, at: float
) -> Opportunity:
    """`rest` begins with the patch set itself."""
    change, patchset = watch.change, rest[0]
    mine = [one for one in watch.reports if one.patchset == patchset.number and one.at <= at]
    judged = [one for one in mine if one.verdict.judges]
    reference = [
        one for one in watch.reference if one.patchset == patchset.number and one.verdict.judges and one.at <= at
    ]
    label = next(
        (
            said.label
            for when, said in reversed(change.labels)
            if said.system == system.name and said.patchset == patchset.number and when <= at
        ),
        None,
    )
    ended_at, end = (judged[0].at, "answered") if judged else _censored(change, rest, at)
    outcome = _outcome(change, rest, reverted, at)
    return Opportunity(
        subject=change.subject,
        patchset=patchset.number,
        owner=change.owner,
        opened_at=patchset.at,
        ended_at=max(ended_at, patchset.at),
        end=end,
        started_at=next((one.at for one in mine if one.verdict is Verdict.STARTED), None),
        verdicts=tuple(one.verdict for one in judged),
        outcome=_labelled(outcome, label, judged[-1].verdict if judged else None),
        label=label,
        reference=reference[-1].verdict if reference else None,
        reports=len(mine),
        readable=sum(one.readable for one in mine),
    )


def _censored(change: Change, rest: Sequence[PatchSet], at: float) -> tuple[float, str]:
    """When nobody waited any more for an answer on the first of `rest`, and why."""
    begun = rest[0].at
    ends = [(one.at, "superseded") for one in rest[1:2]]
    ends += [(when, str(closed.how)) for when, closed in change.closings if closed.how is not Ended.RESTORED]
    ends += [(when, "draft") for when, value in change.drafts if value]
    return min([(when, why) for when, why in ends if begun <= when <= at], default=(at, "open"))


def _outcome(change: Change, rest: Sequence[PatchSet], reverted: float | None, at: float) -> Outcome:
    merged = change.merged
    if merged is None or merged[0] > at:
        return Outcome.UNKNOWN
    after = [one for one in rest[1:] if one.number <= merged[1]]
    if rest[0].number > merged[1] or any(one.kind not in UNCHANGED for one in after):
        return Outcome.UNKNOWN
    return Outcome.BAD if reverted is not None and reverted <= at else Outcome.GOOD


def _labelled(outcome: Outcome, label: Label | None, final: Verdict | None) -> Outcome:
    """A person's word goes before what happened."""
    if label is Label.FALSE_ALARM:
        return Outcome.GOOD
    if label is Label.MISSED_BREAK:
        return Outcome.BAD
    if label is Label.CORRECT and final is not None:
        return Outcome.GOOD if final is Verdict.SUCCESS else Outcome.BAD
    return outcome
