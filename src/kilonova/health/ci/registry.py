"""The registry of CI systems: who they are, what they cover, how their comments are read.

A registry is YAML. An entry carries examples of its own comments, and one whose examples don't read as it says they do is
refused: what can't be read can't be judged. The other entries stand.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import msgspec
import yaml

from kilonova.health.ci.comments import JobResult, Verdict, jobs_in, verdict_in, verdict_of
from kilonova.health.ci.globs import any_matches, matches
from kilonova.health.moments import BadDuration, BadMoment, duration, moment
from kilonova.kernel.errors import Invalid, NotFound

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class BadRegistry(Invalid):
    """The registry can't be read: {reason}"""

    code = "bad-registry"


class NoSuchSystem(NotFound):
    """The registry has no CI system {name}; it has {known}."""

    code = "no-such-ci"


class Cover(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a CI system is expected to answer on: changes of a project, where one of their files fits."""

    project: str
    branches: tuple[str, ...] = ("**",)
    paths: tuple[str, ...] = ("**",)
    features: tuple[str, ...] = ()
    drivers: tuple[str, ...] = ()


class Patterns(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Regular expressions (RE2) that are looked for in a comment. Empty ones are looked for nowhere."""

    success: str = ""
    failure: str = ""
    started: str = ""


class Example(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A comment of this CI, and what it says: a verdict, or `none`."""

    text: str
    verdict: str


class Maintenance(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"begin": "from"}):
    """A time that was declared beforehand, in which nothing is expected."""

    begin: str
    until: str
    reason: str = ""


class System(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One CI system."""

    name: str
    owner: str
    contact: str
    accounts: tuple[str, ...]
    """`HOST:USERNAME` each; the host may be a glob."""
    covers: tuple[Cover, ...]
    answer_within: str = "4h"
    jobs: str = ""
    """Only jobs whose whole name fits this expression count; all when empty."""
    needs: tuple[str, ...] = ()
    """Jobs without which there is no success."""
    patterns: Patterns = Patterns()
    examples: tuple[Example, ...] = ()
    maintenance: tuple[Maintenance, ...] = ()
    reference: bool = False
    """Whether others are compared with it: the project's own CI."""

    @property
    def deadline_s(self) -> float:
        """How soon it has to answer."""
        return duration(self.answer_within)

    def is_account(self, host: str, username: str) -> bool:
        """Whether an account at a host is this system's."""
        return any(matches(account, f"{host}:{username}") for account in self.accounts)

    def covers_change(self, project: str, branch: str, files: tuple[str, ...] | None) -> bool:
        """Whether it is expected to answer; never by paths where the files aren't known."""
        return any(
            matches(cover.project, project) and any_matches(cover.branches, branch) and _touched(cover, files)
            for cover in self.covers
        )

    def in_maintenance(self, at: float) -> bool:
        """Whether nothing is expected at that moment."""
        return any(moment(one.begin) <= at < moment(one.until) for one in self.maintenance)

    def verdict_of_comment(self, text: str) -> tuple[Verdict | None, tuple[JobResult, ...]]:
        """What a comment of this system says, and by which jobs."""
        jobs = self.counted(jobs_in(text))
        if self.patterns != Patterns():
            return self._by_patterns(text), jobs
        if self.jobs or self.needs:
            return self.verdict_of_jobs(jobs), jobs
        return verdict_in(text, jobs), jobs

    def verdict_of_jobs(self, jobs: tuple[JobResult, ...]) -> Verdict | None:
        """What jobs say together; no success before all that it needs are there."""
        verdict = verdict_of(jobs)
        if verdict is Verdict.SUCCESS and not {job.name for job in jobs}.issuperset(self.needs):
            return Verdict.STARTED
        return verdict

    def counted(self, jobs: tuple[JobResult, ...]) -> tuple[JobResult, ...]:
        """Those jobs that are this system's."""
        return tuple(job for job in jobs if _found(self.jobs, job.name, whole=True)) if self.jobs else jobs

    def _by_patterns(self, text: str) -> Verdict | None:
        for pattern, verdict in (
            (self.patterns.failure, Verdict.FAILURE),
            (self.patterns.success, Verdict.SUCCESS),
            (self.patterns.started, Verdict.STARTED),
        ):
            if pattern and _found(pattern, text):
                return verdict
        return None


class Registry(msgspec.Struct, frozen=True):
    """The entries that are sound."""

    systems: tuple[System, ...] = ()

    def system(self, name: str) -> System:
        """The system of that name. Raises `NoSuchSystem`."""
        for system in self.systems:
            if system.name == name:
                return system
        raise NoSuchSystem(name=name, known=", ".join(one.name for one in self.systems) or "none")

    def reference(self) -> System | None:
        """The project's own CI."""
        return next((one for one in self.systems if one.reference), None)


class Problem(msgspec.Struct, frozen=True):
    """Why an entry is refused."""

    entry: str
    reason: str


def registry_read(text: str) -> tuple[Registry, tuple[Problem, ...]]:
    """The sound entries of a registry, and what is wrong with the others. Raises `BadRegistry` where it can't be read at all."""
    document = _document(text)
    systems: dict[str, System] = {}
    problems = []
    for at, entry in enumerate(document):
        name = str(entry.get("name", f"entry {at + 1}")) if isinstance(entry, Mapping) else f"entry {at + 1}"
        try:
            system = msgspec.convert(entry, System)
        except msgspec.ValidationError as error:
            problems.append(Problem(name, str(error)))
            continue
        found = [*_wrong(system)]
        if system.name in systems:
            found.append("another entry has this name")
        problems += [Problem(name, reason) for reason in found]
        if not found:
            systems[system.name] = system
    return Registry(tuple(systems.values())), tuple(problems)


def registry_write(systems: tuple[System, ...]) -> str:
    """A registry as YAML."""
    entries = [_without_defaults(system) for system in systems]
    return str(yaml.safe_dump({"version": 1, "systems": entries}, sort_keys=False, allow_unicode=True, width=120))


def _without_defaults(system: System) -> dict[str, Any]:
    """The entry as people write it."""
    empty = System("", "", "", (), ())
    told: dict[str, Any] = msgspec.to_builtins(system)
    defaults: dict[str, Any] = msgspec.to_builtins(empty)
    return {key: value for key, value in told.items() if value != defaults[key]}


def _document(text: str) -> list[Any]:
    try:
        document = yaml.load(text, Loader=_LOADER)  # noqa: S506 - the safe one, in C where it can be had
    except yaml.YAMLError as error:
        raise BadRegistry(reason=str(error)) from error
    if not isinstance(document, Mapping) or document.get("version") != 1:
        raise BadRegistry(reason="it must begin with `version: 1`")
    systems = document.get("systems")
    if not isinstance(systems, list):
        raise BadRegistry(reason="it has no list `systems`")
    return systems


def _wrong(system: System) -> Iterator[str]:
    try:
        duration(system.answer_within)
        for one in system.maintenance:
            moment(one.begin), moment(one.until)
    except (BadDuration, BadMoment) as error:
        yield error.message
    if not system.accounts or not all(":" in account for account in system.accounts):
        yield "it needs accounts, written HOST:USERNAME"
    patterns = system.patterns
    unreadable = [why for pattern in (system.jobs, *msgspec.structs.astuple(patterns)) if (why := _unreadable(pattern))]
    if unreadable:
        yield from unreadable
        return
    if _sounds(patterns.success, "fail") and _sounds(patterns.failure, "succe"):
        yield (
            f"its patterns are swapped: success is {patterns.success!r} and failure is {patterns.failure!r}, "
            "so every verdict would be read as its opposite"
        )
    yield from _examples_wrong(system)


def _examples_wrong(system: System) -> Iterator[str]:
    stated = {example.verdict for example in system.examples}
    if not {"success", "failure"} <= stated:
        yield "it needs an example of a success and one of a failure"
    for example in system.examples:
        if example.verdict not in {"success", "failure", "infra", "started", "none"}:
            yield f"{example.verdict!r} is no verdict: success, failure, infra, started or none"
            continue
        verdict, _ = system.verdict_of_comment(example.text)
        read = "none" if verdict is None else str(verdict)
        if read != example.verdict:
            yield f"the example {_short(example.text)!r} should read as {example.verdict} and reads as {read}"


def _touched(cover: Cover, files: tuple[str, ...] | None) -> bool:
    if "**" in cover.paths:
        return True
    return any(any_matches(cover.paths, file) for file in files or ())


def _sounds(pattern: str, word: str) -> bool:
    return word in pattern.lower()


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else f"{line[:57]}..."


@lru_cache(maxsize=1024)
def _expression(pattern: str) -> Any:
    import re2  # noqa: PLC0415 - only entries with expressions need it

    options = re2.Options()
    options.log_errors = False
    options.never_nl = False
    return re2.compile(f"(?m){pattern}", options)


def _found(pattern: str, text: str, *, whole: bool = False) -> bool:
    expression = _expression(pattern)
    return (expression.fullmatch(text) if whole else expression.search(text)) is not None


def _unreadable(pattern: str) -> str | None:
    import re2  # noqa: PLC0415 - only entries with expressions need it

    try:
        _expression(pattern)
    except re2.error as error:
        return f"the expression {pattern!r} can't be read: {error}"
    return None
