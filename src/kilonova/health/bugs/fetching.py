"""Fetching bugs from Launchpad and GitHub over HTTP, page by page, into an import.

Credentials come with the client that is given. Each page is kept with where to go on, so an import that was broken off goes on
there, and the next one asks only for what has changed since.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec

from kilonova.health.bugs.trackers import github, launchpad
from kilonova.health.bugs.trackers.reading import NoDocument, reader
from kilonova.health.importing import Imported, Importer
from kilonova.health.moments import stamp
from kilonova.health.store import Cursor, EventStore
from kilonova.kernel.errors import Invalid

PAGES_MAX = 10_000
"""Most pages of one import."""
PAGE = 100
"""Entries asked for at a time."""
OVERLAP_S = 60.0
"""So much is asked for again next time, because clocks differ."""

Get = Callable[[str], Awaitable[bytes]]
"""Fetches a URL. Raises `Unavailable`."""


class BadBugUrl(Invalid):
    """{url} can't be imported from: {reason}"""

    code = "bad-bug-url"


async def import_bugs(
    store: EventStore, source: str, url: str, get: Get, now: float, project: str | None = None
) -> Imported:
    """Import what a URL tells.

    Args:
        store: where to.
        source: `launchpad` (a project of its API, as `https://api.launchpad.net/1.0/nova`) or `github` (a repository of the REST
            API, as `https://api.github.com/repos/OWNER/NAME`).
        url: with no query.
        get: fetches.
        now: what has changed before is known afterwards.
        project: of Launchpad, whose part of a bug counts; the URL's if None.

    Raises:
        BadBugUrl: it isn't one of these.
        NoDocument: what it answers can't be read.
    """
    parts = urlsplit(url)
    name = parts.path.rstrip("/").rpartition("/")[2]
    if parts.scheme not in {"http", "https"} or not name:
        raise BadBugUrl(url=url, reason="it is no http or https URL of a project.")
    if source not in {"launchpad", "github"}:
        raise BadBugUrl(url=url, reason=f"{source} is read from files.")
    importer = Importer(store, reader(source, project or (name if source == "launchpad" else None)))
    cursor = f"bugs:{source}:{url}"[:255]
    since, _, resume = (await store.position(cursor) or " ").partition(" ")
    starts = _resumed(_starts(source, url, since), resume)
    pages = _launchpad_pages if source == "launchpad" else _github_pages
    for start in starts:
        async for place, entries, following in pages(start, get):
            for entry in entries:
                importer.take(msgspec.json.encode(entry), place)
            await importer.keep(Cursor(cursor, f"{since} {following}"))
    await importer.keep(Cursor(cursor, f"{stamp(now - OVERLAP_S)} "))
    return await importer.end(now, source)


def _starts(source: str, url: str, since: str) -> list[str]:
    if source == "launchpad":
        asked = {"ws.op": "searchTasks", "ws.size": str(PAGE), "omit_duplicates": "false", "modified_since": since}
        return [_with(url, asked)]
    every = {"state": "all", "per_page": str(PAGE), "sort": "updated", "direction": "asc", "since": since, "page": "1"}
    return [_with(f"{url}/{part}", every) for part in ("issues", "issues/comments", "issues/events")]


def _resumed(starts: list[str], resume: str) -> list[str]:
    """The parts that are left, the first of them from where it was broken off."""
    for place, start in enumerate(starts):
        if resume and urlsplit(start).path == urlsplit(resume).path:
            return [resume, *starts[place + 1 :]]
    return starts


Pages = AsyncIterator[tuple[str, list[Any], str]]
"""Where they are from, the entries, and where to go on; empty at the end."""


async def _launchpad_pages(start: str, get: Get) -> Pages:
    """Pages of tasks, each with the bugs, what was done to them and what was said."""
    page = start
    for _ in range(PAGES_MAX):
        reply = await _fetched(page, get)
        tasks = list(launchpad.entries(reply))
        found: list[Any] = list(tasks)
        for task in tasks:
            bug = await _fetched(str(task["bug_link"]), get)
            found.append(bug)
            for name in ("activity_collection_link", "messages_collection_link"):
                following = bug.get(name)
                while following:
                    part = await _fetched(str(following), get)
                    found += launchpad.entries(part)
                    following = part.get("next_collection_link")
        after = str(reply.get("next_collection_link") or "")
        yield page, found, after
        if not after:
            return
        page = after


async def _github_pages(start: str, get: Get) -> Pages:
    """Pages of a list, by number until one is not full."""
    page = start
    for _ in range(PAGES_MAX):
        found = await _fetched(page, get)
        number = int(dict(parse_qsl(urlsplit(page).query))["page"])
        following = _with(page, {"page": str(number + 1)})
        yield page, list(github.entries(found)), following if len(found) >= PAGE else ""
        if len(found) < PAGE:
            return
        page = following


async def _fetched(url: str, get: Get) -> Any:
    try:
        return msgspec.json.decode(await get(url))
    except msgspec.DecodeError as error:
        raise NoDocument(reason=f"{url}: {error}") from error


def _with(url: str, asked: dict[str, str]) -> str:
    parts = urlsplit(url)
    query = {**dict(parse_qsl(parts.query)), **{name: value for name, value in asked.items() if value}}
    return urlunsplit(parts._replace(query=urlencode(query)))
