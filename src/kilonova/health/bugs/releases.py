"""What is fixed where: the bugs of a range of releases, from the commits that name them. Pure."""

import re
from collections.abc import Iterable, Sequence

import msgspec

from kilonova.health.bugs.model import Bug, Commit, Link
from kilonova.kernel.errors import Invalid

YEARS_FROM = 2000
"""A release that begins with such a number was named for a year; projects that did so went on with small numbers."""


class BadRange(Invalid):
    """{text} is no range of releases: {reason}"""

    code = "bad-range"


class Fixed(msgspec.Struct, frozen=True):
    """A bug that a release fixes."""

    bug: str
    title: str
    release: str
    commits: tuple[Commit, ...]
    reverted: bool
    """Whether a later commit takes the fix back."""


class Release(msgspec.Struct, frozen=True):
    """What the releases of a range bring for bugs."""

    releases: tuple[str, ...]
    fixed: tuple[Fixed, ...]
    partial: tuple[str, ...]
    """Bugs that were worked on and are not closed."""
    unreleased: tuple[str, ...]
    """Bugs whose fix is in no release yet, where the range has no end."""


def release_page(span: str, bugs: Iterable[Bug]) -> Release:
    """What came after the first release of `A..B` up to the second. Raises `BadRange`."""
    every = list(bugs)
    known = sorted({commit.release for bug in every for commit in bug.commits if commit.release}, key=order)
    wanted = _wanted(span, known)
    open_ended = span.endswith("..")
    fixed, partial, unreleased = [], [], []
    for bug in sorted(every, key=lambda bug: order(bug.key)):
        inside = [commit for commit in bug.commits if commit.release in wanted]
        closing = [commit for commit in inside if commit.link is Link.CLOSES]
        if closing:
            reverted = any(commit.link is Link.REVERTS and commit.at >= closing[-1].at for commit in bug.commits)
            fixed.append(Fixed(bug.key, bug.title or closing[0].title, closing[0].release, tuple(closing), reverted))
        elif any(commit.link is Link.PARTIAL for commit in inside):
            partial.append(bug.key)
        elif open_ended and any(commit.link is Link.CLOSES and not commit.release for commit in bug.commits):
            unreleased.append(bug.key)
    return Release(tuple(wanted), tuple(fixed), tuple(partial), tuple(unreleased))


def markdown(release: Release) -> str:
    """The page as text for a changelog."""
    lines = []
    for name in release.releases:
        here = [one for one in release.fixed if one.release == name]
        if here:
            lines += [f"## {name}", "", *(f"- {one.bug}: {one.title}{_note(one)}" for one in here), ""]
    if release.partial:
        lines += ["## Worked on, not closed", "", *(f"- {key}" for key in release.partial), ""]
    return "\n".join(lines)


def order(name: str) -> tuple[tuple[int, str], ...]:
    """A key that sorts `9.0.0` before `10.0.0`, `10.0.0rc1` before `10.0.0`, and years before numbers: `2015.1.0`, `12.0.0`."""
    parts = re.findall(r"\d+|[a-zA-Z]+", name)
    keys = [(int(part), "~") if part.isdecimal() else (-1, part) for part in parts]
    if keys and YEARS_FROM <= keys[0][0] < 3000:
        keys[0] = (keys[0][0] - 3000, "~")
    return (*keys, (0, ""))


def _note(one: Fixed) -> str:
    return " (reverted since)" if one.reverted else ""


def _wanted(span: str, known: Sequence[str]) -> list[str]:
    first, dots, last = span.partition("..")
    if not dots:
        raise BadRange(text=repr(span), reason="write A..B; either may be left out.")
    found = [
        name for name in known if (not first or order(name) > order(first)) and (not last or order(name) <= order(last))
    ]
    if last and not found:
        near = ", ".join(known[-5:]) or "none at all"
        raise BadRange(text=repr(span), reason=f"no commit is known from it; the last releases are {near}.")
    return found
