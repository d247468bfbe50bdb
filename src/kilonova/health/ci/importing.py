"""What reads the documents of each kind of source on CI."""

from kilonova.health.ci.sources import gerrit, github, results, zuul
from kilonova.health.importing import Read
from kilonova.health.store import Derive
from kilonova.kernel.errors import Invalid

DERIVES: dict[str, Derive] = {
    gerrit.PREFIX: gerrit.facts_in,
    github.PREFIX: github.facts_in,
    zuul.PREFIX: zuul.facts_in,
    results.PREFIX: results.facts_in,
    results.PEOPLE: results.facts_of_people,
}
"""What reads the events of each source, for the store."""


class NeedsHost(Invalid):
    """{source} needs --host: its documents don't say where they are from."""

    code = "needs-host"


def reader(source: str, host: str | None) -> Read:
    """What reads the documents of a kind of source. Raises `NeedsHost`."""
    if source == "gerrit-events":
        return lambda document: gerrit.stream_event(document, host)
    if source == "github":
        return github.line
    if host is None:
        raise NeedsHost(source=source)
    known = host
    readers: dict[str, Read] = {
        "gerrit": lambda document: gerrit.change_info(document, known),
        "zuul": lambda document: zuul.build(document, known),
        "results": lambda document: results.result(document, known),
    }
    return readers[source]


SOURCES = ("gerrit-events", "gerrit", "github", "zuul", "results")
"""The kinds of sources."""
