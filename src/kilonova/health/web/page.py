"""The frame of every page: head, navigation, the moment that is shown, and the headers it is sent with."""

from collections.abc import Mapping
from importlib.resources import files

from kilonova.health.moments import stamp
from kilonova.health.web.html import Html, el, join, link
from kilonova.web.call import Reply

BASE = "/health"
"""Where the pages are mounted."""
NAVIGATION = (("Overview", BASE), ("CI", f"{BASE}/ci"), ("Bugs", f"{BASE}/bugs"))
PAGE_MAX = 100_000
"""Most bytes of a page."""
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def page(
    title: str, *content: Html, at: float, here: str, status: int = 200, links: Mapping[str, str] | None = None
) -> Reply:
    """A page as it is sent.

    Args:
        title: the one heading.
        content: what is below it.
        at: the moment that is shown, in seconds since the epoch.
        here: the path of the page's part in the navigation.
        status: of HTTP.
        links: a second row of the navigation, text to path.
    """
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("title", f"{title} - Kilonova health"),
        el("link", rel="stylesheet", href=f"{BASE}/style.css"),
    )
    header = el("header", _row(dict(NAVIGATION), here, "Parts"), _row(links or {}, here, "Pages") if links else None)
    foot = el("footer", "As of ", el("time", stamp(at), datetime=stamp(at)), ".")
    main = el("main", el("h1", title), *content, id="main")
    skip = link("#main", "To the content", class_="skip")
    body = join((Html("<!doctype html>"), el("html", head, el("body", skip, header, main, foot), lang="en")))
    return Reply(body.encode(), status, HEADERS, "text/html; charset=utf-8")


def style() -> Reply:
    """The one style sheet."""
    sheet = files("kilonova.health.web").joinpath("style.css").read_bytes()
    return Reply(sheet, headers={**HEADERS, "Cache-Control": "max-age=3600"}, media_type="text/css; charset=utf-8")


def _row(entries: Mapping[str, str], here: str, label: str) -> Html:
    items = (el("li", link(to, text, aria_current="page" if to == here else None)) for text, to in entries.items())
    return el("nav", el("ul", *items), aria_label=label)
