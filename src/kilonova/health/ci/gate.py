"""The gate: may this patch set merge? Pure: what is known of it goes in, a decision with its reasons comes out.

What isn't known never lets anything pass: old data, files that weren't told, a CI that isn't registered. A verdict on an earlier
patch set counts only over kinds of new ones that the policy names, and a CI never judges what its own account uploaded.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum

import msgspec

from kilonova.health.ci.comments import Verdict
from kilonova.health.ci.facts import EVERYTHING, Label
from kilonova.health.ci.history import Change, PatchSet, Report, reports_of
from kilonova.health.ci.policy import Policy, Requirement
from kilonova.health.ci.registry import Registry, System
from kilonova.health.ci.voting import State
from kilonova.health.ci.waivers import Waiver
from kilonova.health.moments import duration, length, shown, stamp


class Outcome(StrEnum):
    """What the gate says."""

    PASS = "pass"
    FAIL = "fail"
    PENDING = "pending"
    BLOCKED = "blocked"
    UNKNOWN = "unknown"


EXIT = {Outcome.PASS: 0, Outcome.FAIL: 1, Outcome.PENDING: 3, Outcome.BLOCKED: 4, Outcome.UNKNOWN: 5}
"""The exit codes of `kilonova ci gate`; 2 is a command line that can't be understood."""
_GRAVEST = (Outcome.UNKNOWN, Outcome.FAIL, Outcome.BLOCKED, Outcome.PENDING)


class Reason(msgspec.Struct, frozen=True):
    """One thing that was looked at."""

    outcome: Outcome
    text: str
    system: str = ""
    feature: str = ""
    url: str = ""
    due: str = ""
    """Until when is waited, for what is pending."""


class Decision(msgspec.Struct, frozen=True):
    """What the gate says of one patch set at one moment."""

    subject: str
    patchset: int
    revision: str
    at: str
    outcome: Outcome
    reasons: tuple[Reason, ...]
    policy: str
    """A digest of the policy that was gone by."""

    @property
    def line(self) -> str:
        """All of it in one line."""
        graver = [one.text for one in self.reasons if one.outcome is self.outcome and self.outcome is not Outcome.PASS]
        return f"{self.outcome.upper()}: {'; '.join(graver) or 'every CI that is required has passed'}"


class Known(msgspec.Struct, frozen=True):
    """What the gate goes by, beside the change."""

    policy: Policy
    policy_digest: str
    registry: Registry
    states: Mapping[str, State]
    waivers: Sequence[Waiver]
    known_until: float | None
    """Nothing that the change's review system told before is missing; None when it never told anything."""
    at: float


def judge(change: Change, number: int | None, known: Known) -> Decision:
    """Decide on a patch set, the newest when `number` is None."""
    patchset = change.current if number is None else change.patchset(number)
    if patchset is None:
        reasons: list[Reason] = [Reason(Outcome.UNKNOWN, "this patch set is not known")]
    else:
        reasons = [*_old_data(known), *_reasons(change, patchset, known)]
    outcome = next((one for one in _GRAVEST if any(reason.outcome is one for reason in reasons)), Outcome.PASS)
    return Decision(
        subject=change.subject,
        patchset=patchset.number if patchset else (number or 0),
        revision=patchset.revision if patchset else "",
        at=stamp(known.at),
        outcome=outcome,
        reasons=tuple(reasons),
        policy=known.policy_digest,
    )


def _old_data(known: Known) -> Iterator[Reason]:
    most = duration(known.policy.max_staleness)
    if known.known_until is None:
        yield Reason(Outcome.UNKNOWN, "nothing was ever imported from its review system")
    elif known.at - known.known_until > most:
        age = length(known.at - known.known_until)
        yield Reason(Outcome.UNKNOWN, f"what is known is {age} old, {known.policy.max_staleness} is the most")


def _reasons(change: Change, patchset: PatchSet, known: Known) -> Iterator[Reason]:
    newest = change.current
    if newest is not None and patchset.number != newest.number:
        yield Reason(Outcome.BLOCKED, f"patch set {newest.number} is newer")
    if patchset.files is None:
        yield Reason(Outcome.UNKNOWN, "its files are not known: import the change with its files")
        return
    for feature in known.policy.touched(patchset.files):
        for requirement in known.policy.requirements_of(feature):
            yield from _required(change, patchset, feature, requirement, known)
    yield from _new_feature(change, patchset, known)


def _required(
    change: Change, patchset: PatchSet, feature: str, requirement: Requirement, known: Known
) -> Iterator[Reason]:
    systems = known.policy.systems_of(feature)
    if not systems:
        yield Reason(Outcome.BLOCKED, f"{feature} has no CI", feature=feature)
        return
    found = [_of_system(change, patchset, name, feature, requirement, known) for name in systems]
    if requirement.quorum == "any" and any(one.outcome is Outcome.PASS for one in found):
        found = [one for one in found if one.outcome is Outcome.PASS]
    yield from found


def _of_system(
    change: Change, patchset: PatchSet, name: str, feature: str, requirement: Requirement, known: Known
) -> Reason:
    system = next((one for one in known.registry.systems if one.name == name), None)
    seen = _seen(change, patchset, system, name, requirement, known)
    reason = msgspec.structs.replace(seen, system=name, feature=feature)
    if reason.outcome in {Outcome.PASS, Outcome.UNKNOWN}:
        return reason
    waiver = _waiver(change.subject, name, known)
    if waiver is None:
        return reason
    text = f"{name}: waived by {waiver.waived.by} until {shown(waiver.waived.until)}: {waiver.waived.reason}"
    return msgspec.structs.replace(reason, outcome=Outcome.PASS, text=f"{text} (without it: {reason.text})")


def _seen(
    change: Change, patchset: PatchSet, system: System | None, name: str, requirement: Requirement, known: Known
) -> Reason:
    """What a system's verdicts come to, waivers aside."""
    if system is None:
        return Reason(Outcome.BLOCKED, f"{name} is not in the registry, or its entry is refused")
    state = known.states.get(name, State.PROPOSED)
    if not state.votes:
        return Reason(Outcome.BLOCKED, f"{name} is {state} and its verdict counts for nothing")
    if system.is_account(change.host, patchset.uploader):
        return Reason(Outcome.BLOCKED, f"{name} can't judge what its own account uploaded")
    carried = _carried(change, patchset, requirement)
    reports = [one for one in reports_of(change, system) if one.patchset in carried and one.at <= known.at]
    return _judged(change, patchset, system, reports, requirement, known)


def _judged(
    change: Change,
    patchset: PatchSet,
    system: System,
    reports: Sequence[Report],
    requirement: Requirement,
    known: Known,
) -> Reason:
    name = system.name
    judged = [one for one in reports if one.verdict.judges]
    url = next((job.url for one in reversed(reports) for job in one.jobs if job.url), "")
    if not judged:
        due = patchset.at + system.deadline_s
        if known.at < due:
            return Reason(Outcome.PENDING, f"{name} has until {shown(due)}", url=url, due=stamp(due))
        return Reason(Outcome.BLOCKED, f"{name} has not answered within {system.answer_within}", url=url)
    last = judged[-1]
    if last.verdict is Verdict.SUCCESS:
        if known.at - last.at > duration(requirement.max_age):
            return Reason(Outcome.PENDING, f"{name} passed more than {requirement.max_age} ago: recheck first", url=url)
        over = "" if last.patchset == patchset.number else f", on patch set {last.patchset}"
        return Reason(Outcome.PASS, f"{name} passed{over}", url=url)
    if _is_excused(change, patchset, name, judged, known.policy):
        return Reason(Outcome.PASS, f"{name} failed by a failure that is known, and again when retried", url=url)
    return Reason(Outcome.FAIL, f"{name} failed", url=url)


def _is_excused(change: Change, patchset: PatchSet, name: str, judged: Sequence[Report], policy: Policy) -> bool:
    """Whether a failure was found to be a known one, after as many retries as the policy wants."""
    excused = {
        said.system
        for _, said in change.labels
        if said.patchset == patchset.number and said.label in {Label.EXCUSED, Label.INFRA}
    }
    return name in excused and len(excused) <= policy.excuse.max_per_change and len(judged) > policy.excuse.needs_retry


def _carried(change: Change, patchset: PatchSet, requirement: Requirement) -> frozenset[int]:
    """The patch sets whose verdicts hold for this one: itself, and those before it that it differs from in name only."""
    kinds = {kind.upper() for kind in requirement.carry}
    found, place = {patchset.number}, patchset
    for earlier in reversed([one for one in change.patchsets if one.number < patchset.number]):
        if place.kind not in kinds:
            break
        found.add(earlier.number)
        place = earlier
    return frozenset(found)


def _waiver(subject: str, system: str, known: Known) -> Waiver | None:
    for one in known.waivers:
        if one.holds(known.at) and one.waived.system == system and one.subject in {EVERYTHING, subject}:
            return one
    return None


def _new_feature(change: Change, patchset: PatchSet, known: Known) -> Iterator[Reason]:
    """A new feature needs a CI that has reported success on this very patch set."""
    files = patchset.files or ()
    directories = known.policy.new_directories(files)
    trailers = [one for one in known.policy.new_feature.trailers if _has_trailer(change.message, one)]
    if not directories and not trailers:
        return
    what = f"new directory {directories[0]}" if directories else f"trailer {trailers[0]}"
    touched = known.policy.touched(files)
    named = {name for feature in touched for name in known.policy.systems_of(feature)}
    able = [one for one in _proving(known.registry, change, files) if not named or one.name in named]
    for system in able:
        reports = [one for one in reports_of(change, system) if one.patchset == patchset.number and one.at <= known.at]
        last = next((one for one in reversed(reports) if one.verdict.judges), None)
        mine = system.is_account(change.host, patchset.uploader)
        if last is not None and last.verdict is Verdict.SUCCESS and not mine:
            yield Reason(Outcome.PASS, f"new feature ({what}): {system.name} passed on it", system.name)
            return
    who = ", ".join(one.name for one in able) or "no CI covers it"
    yield Reason(Outcome.BLOCKED, f"new feature ({what}): no CI has passed on this very patch set ({who})")


def _proving(registry: Registry, change: Change, files: Iterable[str]) -> list[System]:
    """The systems that prove a feature of these files; the project's own CI proves none."""
    return [
        one
        for one in registry.systems
        if not one.reference and one.covers_change(change.project, change.branch, tuple(files))
    ]


def _has_trailer(message: str, name: str) -> bool:
    return any(line.startswith(f"{name}:") for line in message.splitlines())
