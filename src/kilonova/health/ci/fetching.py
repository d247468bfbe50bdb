"""Fetching from Gerrit, Zuul and GitHub over HTTP, page by page, into an import.

Credentials come with the client that is given. What a URL asks for is the caller's business; of Gerrit's queries, only what has
changed since the last import is asked for again.
"""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec

from kilonova.health.ci.importing import reader
from kilonova.health.document import BadDocument
from kilonova.health.importing import Imported, Importer, documents_in
from kilonova.health.moments import stamp
from kilonova.health.store import Cursor, EventStore
from kilonova.kernel.errors import Invalid

PAGE = 100
"""Documents asked for at a time."""
PAGES_MAX = 10_000
"""Most pages of one import."""

Get = Callable[[str], Awaitable[bytes]]
"""Fetches a URL. Raises `Unavailable`."""


class BadUrl(Invalid):
    """{url} can't be imported from: {reason}"""

    code = "bad-url"


async def import_url(store: EventStore, source: str, url: str, get: Get, now: float) -> Imported:
    """Import what a URL tells.

    Args:
        store: where to.
        source: `gerrit` (a query of /changes/), `zuul` (its /builds) or `github` (a pull request of the REST API).
        url: with its query.
        get: fetches.
        now: nothing that happened before is missing afterwards.

    Raises:
        BadUrl: it isn't one of these.
        BadDocument: what it answers can't be read.
    """
    host = urlsplit(url).hostname
    if not host or urlsplit(url).scheme not in {"http", "https"}:
        raise BadUrl(url=url, reason="it is no http or https URL")
    importer = Importer(store, reader(source, host))
    if source == "gerrit":
        await _gerrit(store, importer, url, get, now)
    elif source == "zuul":
        await _pages(importer, url, get, "skip", "limit", _zuul_more)
    elif source == "github":
        importer.take(await _pull(url, get), url)
    else:
        raise BadUrl(url=url, reason=f"{source} is read from files")
    return await importer.end(now, None if source == "github" else f"{source}:{host}")


async def _gerrit(store: EventStore, importer: Importer, url: str, get: Get, now: float) -> None:
    name = f"gerrit:{url}"[:255]
    since = await store.position(name)
    asked = url
    if since is not None:
        query = dict(parse_qsl(urlsplit(url).query))
        asked = _with(url, q=f'{query.get("q", "")} after:"{since}"'.strip())
    await _pages(importer, asked, get, "S", "n", _gerrit_more)
    await importer.keep(Cursor(name, stamp(now - 60).replace("T", " ").rstrip("Z")))


async def _pages(
    importer: Importer, url: str, get: Get, skip: str, limit: str, more: Callable[[list[bytes]], bool]
) -> None:
    """Every page of a list, kept one by one."""
    start = 0
    for _ in range(PAGES_MAX):
        found = documents_in(await get(_with(url, **{skip: str(start), limit: str(PAGE)})))
        for number, document in enumerate(found, start):
            importer.take(document, f"{url}, number {number}")
        await importer.keep()
        start += len(found)
        if not found or not more(found):
            return


def _gerrit_more(found: list[bytes]) -> bool:
    return b'"_more_changes":true' in found[-1].replace(b": ", b":")


def _zuul_more(found: list[bytes]) -> bool:
    return len(found) >= PAGE


async def _pull(url: str, get: Get) -> bytes:
    """A pull request with its files, check runs and statuses, as one document."""
    request: Any = _decoded(await get(url), url)
    try:
        commit = f"{request['base']['repo']['url']}/commits/{request['head']['sha']}"
    except (KeyError, TypeError) as error:
        raise BadUrl(url=url, reason="it is no pull request of GitHub's REST API") from error
    files = _decoded(await get(f"{url}/files?per_page={PAGE}"), url)
    runs = _decoded(await get(f"{commit}/check-runs?per_page={PAGE}"), url)
    statuses = _decoded(await get(f"{commit}/statuses?per_page={PAGE}"), url)
    whole = {"pull_request": request, "files": files, "check_runs": runs["check_runs"], "statuses": statuses}
    return msgspec.json.encode(whole)


def _decoded(answer: bytes, url: str) -> Any:
    try:
        return msgspec.json.decode(answer)
    except msgspec.DecodeError as error:
        raise BadDocument(what=f"the answer of {url}", reason=str(error)) from error


def _with(url: str, **parameters: str) -> str:
    """The URL with these query parameters, the others as they are: Gerrit repeats `o`."""
    parts = urlsplit(url)
    kept = [(key, value) for key, value in parse_qsl(parts.query) if key not in parameters]
    return urlunsplit(parts._replace(query=urlencode([*kept, *parameters.items()])))
