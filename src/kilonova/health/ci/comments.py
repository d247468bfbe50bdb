"""What a CI's comment on a change says: its jobs, and the verdict that they make. Pure.

Lines of jobs are written as Zuul and third-party CIs write them (OpenStack's third-party CI requirements):
`- job http://log : RESULT in 1h 02m 03s (non-voting)`.
"""

import re
from collections.abc import Iterable, Sequence
from enum import StrEnum

import msgspec


class Verdict(StrEnum):
    """What a CI says about a patch set. Only the first two judge it."""

    SUCCESS = "success"
    FAILURE = "failure"
    INFRA = "infra"
    """It couldn't say: no judgement, and no answer."""
    STARTED = "started"

    @property
    def judges(self) -> bool:
        """Whether it is an answer."""
        return self in {self.SUCCESS, self.FAILURE}


class JobResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """How one job ended."""

    name: str
    result: str
    """In capitals, as the CI wrote it."""
    url: str = ""
    duration_s: float | None = None
    voting: bool = True


FAILED = frozenset({"FAILURE", "FAILED", "FAIL", "TIMED_OUT"})
PASSED = frozenset({"SUCCESS", "PASS", "PASSED"})
BEGUN = frozenset({"STARTED", "PENDING", "QUEUED", "IN_PROGRESS"})

_LINE = re.compile(
    r"^[ \t]*[-*] (\S+) (?:(https?://\S+) )?: ?([A-Z][A-Z_]+)(?: in (?:(\d+)h )?(?:(\d+)m )?(\d+)s)?(.*)$", re.MULTILINE
)
_HEAD = re.compile(r"\APatch Set \d+:[^\n]*\n*")
_STARTED = re.compile(r"\b(?:build started|starting \w+ jobs|jobs? (?:queued|triggered))\b", re.IGNORECASE)
_WHOLE = re.compile(r"\bbuild (successful|succeeded|failed|unstable|aborted)\b", re.IGNORECASE)
_RECHECK = re.compile(r"^\s*(?:recheck|reverify)\b[ \t]*(.*)$", re.IGNORECASE | re.MULTILINE)
_WHOLE_VERDICTS = {
    "successful": Verdict.SUCCESS,
    "succeeded": Verdict.SUCCESS,
    "failed": Verdict.FAILURE,
    "unstable": Verdict.FAILURE,
    "aborted": Verdict.INFRA,
}


def jobs_in(text: str) -> tuple[JobResult, ...]:
    """The jobs of a comment, in order."""
    return tuple(_job(found) for found in _LINE.finditer(text))


def verdict_of(jobs: Sequence[JobResult]) -> Verdict | None:
    """What jobs say together; None where there are none. Jobs without a vote count where no job has one."""
    counted = [job.result for job in jobs if job.voting] or [job.result for job in jobs]
    if not counted:
        return None
    if any(result in FAILED for result in counted):
        return Verdict.FAILURE
    if any(result in BEGUN for result in counted):
        return Verdict.STARTED
    return Verdict.SUCCESS if all(result in PASSED for result in counted) else Verdict.INFRA


def verdict_in(text: str, jobs: Sequence[JobResult]) -> Verdict | None:
    """What a comment says that follows the common form; None where it says nothing of that kind."""
    verdict = verdict_of(jobs)
    if verdict is not None:
        return verdict
    whole = _WHOLE.search(text)
    if whole is not None:
        return _WHOLE_VERDICTS[whole[1].lower()]
    return Verdict.STARTED if _STARTED.search(text) else None


def without_head(text: str) -> str:
    """A comment without the line `Patch Set N:` that Gerrit puts before it in some places."""
    return _HEAD.sub("", text)


def rechecks_in(text: str) -> list[str]:
    """What each `recheck` in a comment of a person is followed by: nothing, a CI's name, or `bug N`."""
    return [found[1].strip() for found in _RECHECK.finditer(without_head(text))]


def is_readable(text: str, jobs: Iterable[JobResult]) -> bool:
    """Whether a comment leads to its logs, as the requirements want of each."""
    return any(job.url for job in jobs) or "http://" in text or "https://" in text


def _job(found: re.Match[str]) -> JobResult:
    name, url, result, hours, minutes, seconds, tail = found.groups()
    duration = None if seconds is None else int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds)
    return JobResult(name, result, url or "", duration, "(non-voting)" not in tail)
