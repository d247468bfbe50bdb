"""What commits say about bugs: `Closes-Bug: #1458945` and the ways in which people write it. Pure.

Source: OpenStack's "Git Commit Good Practice" for the trailers; GitHub's documentation for its keywords. Misspelt trailers that
are in real histories (`Closed-bug`, `Releted-Bug`) are understood.
"""

import re
from collections.abc import Iterator

import msgspec

from kilonova.health.bugs.model import Link

LAUNCHPAD = "launchpad"

_TRAILER = re.compile(
    r"^[ \t]*(?P<verb>clos(?:e|es|ed|ing)?|fix(?:e|es|ed)?|resolv(?:e|es|ed)|implements|partial(?:ly)?|"
    r"rel[ae]t?[ei]?d|relates?)(?:[- ](?:lp))?[- ]?bugs?(?P<rest>[ \t:#-]*\d{4,8}(?:[ ,;#and]+\d{4,8})*)",
    re.IGNORECASE | re.MULTILINE,
)
_PROSE = re.compile(
    r"(?:^\W*(?P<first>(?:partial(?:ly)? )?(?:fix(?:es|ed)?|clos(?:e|es|ed)|resolv(?:e|es|ed)))(?: for)?|\b(?P<verb>fixes))"
    r"[ :]+(?:lp[ :]*)?(?:bugs?)?[ :]*(?:lp[ :]*)?#?(?P<rest>\d{5,8})\b",
    re.IGNORECASE | re.MULTILINE,
)
_MENTION = re.compile(r"(?:\blp[ :#]*|\bbug[ :#-]*|launchpad\.net/\S*?\+?bugs?/)(?P<rest>\d{5,8})\b", re.IGNORECASE)
_NUMBER = re.compile(r"\d{4,8}")
_GITHUB = re.compile(
    r"\b(?P<verb>fix(?:es|ed)?|clos(?:e|es|ed)?|resolv(?:e|es|ed))[ :]+#(?P<rest>\d{1,8})\b", re.IGNORECASE
)
_GITHUB_MENTION = re.compile(r"(?<![\w/])#(?P<rest>\d{1,8})\b")
_REVERTED = re.compile(r"This reverts commit ([0-9a-f]{7,40})")
_CHANGE = re.compile(r"^Change-Id: (I[0-9a-f]{8,40})\s*$", re.MULTILINE)

_STRENGTH = (Link.CLOSES, Link.PARTIAL, Link.RELATED, Link.MENTIONS)


class CommitText(msgspec.Struct, frozen=True):
    """What is known of a commit."""

    commit: str
    """Its id."""
    at: float
    """When it was committed, in seconds since the epoch."""
    text: str
    """The whole message."""
    release: str = ""
    """The first release that has it, where there is one."""

    @property
    def title(self) -> str:
        """The message's first line."""
        return self.text.partition("\n")[0]


def bugs_named(text: str, tracker: str = LAUNCHPAD) -> dict[str, Link]:
    """The bugs that a commit's message names, as keys, each with the strongest thing that is said of it.

    Args:
        text: the message.
        tracker: whose numbers they are: `launchpad`, or `github/OWNER/NAME` where commits say `Fixes #12`.
    """
    found: dict[str, Link] = {}
    for number, link in _named(text, github=tracker != LAUNCHPAD):
        key = f"{tracker}/{int(number)}"
        known = found.get(key, Link.MENTIONS)
        found[key] = min(known, link, key=_STRENGTH.index)
    if reverted(text) is not None:
        return {key: Link.REVERTS if link is Link.CLOSES else link for key, link in found.items()}
    return found


def reverted(text: str) -> str | None:
    """The id of the commit that this one takes back, or None."""
    found = _REVERTED.search(text)
    return found[1] if found else None


def change_id(text: str) -> str | None:
    """Gerrit's name of the change, the same on every branch; None without one."""
    found = _CHANGE.findall(text)
    return found[-1] if found else None


def _named(text: str, *, github: bool) -> Iterator[tuple[str, Link]]:
    if github:
        yield from ((found["rest"], Link.CLOSES) for found in _GITHUB.finditer(text))
        yield from ((found["rest"], Link.MENTIONS) for found in _GITHUB_MENTION.finditer(text))
        return
    told = {}
    for found in _PROSE.finditer(text):
        told[found["rest"]] = _link(found["first"] or found["verb"])
    for found in _TRAILER.finditer(text):  # a trailer outweighs prose
        told |= dict.fromkeys(_NUMBER.findall(found["rest"]), _link(found["verb"]))
    yield from told.items()
    yield from ((found["rest"], Link.MENTIONS) for found in _MENTION.finditer(text))


def _link(verb: str) -> Link:
    match verb[0].lower():
        case "p":
            return Link.PARTIAL
        case "r" if verb[:4].lower() != "reso":
            return Link.RELATED
        case _:
            return Link.CLOSES
