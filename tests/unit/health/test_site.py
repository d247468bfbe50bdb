"""The site: CI and bugs under one roof, as pages and as JSON, small, and without what is private."""

import asyncio
import json
import re
from pathlib import Path

import httpx
import pytest

from kilonova.app.config import Health
from kilonova.app.health import health_opened, health_site
from kilonova.health.bugs.model import Deed, What
from kilonova.health.bugs.service import Desk
from kilonova.health.ci.importing import reader
from kilonova.health.importing import Importer
from kilonova.health.web.page import BASE, PAGE_MAX
from kilonova.runtime.real import RealRuntime
from unit.health.ci.documents import HOST, T0
from unit.health.ci.test_desk import ALL_PATHS, events

TEXTS = ("", "/ci", "/ci/matrix", "/ci/waivers", "/ci/systems/acme", "/ci/systems/gate", f"/ci/changes/{HOST}/4")
BUGS = ("/bugs", "/bugs/own/1", "/bugs/flow", "/bugs/rules", "/bugs/release", "/bugs/like?text=console%20is%20black")
PAGES = (*TEXTS, *BUGS)
JSON = {"Accept": "application/json"}
Answers = dict[str, httpx.Response]


async def asked(path: Path) -> tuple[Answers, Answers, Answers]:
    """Every page as HTML, as JSON, and by the tag of the JSON."""
    runtime = RealRuntime()
    async with health_opened(path / "health.sqlite", runtime) as archive:
        (path / "events.jsonl").write_bytes(events(30))
        await archive.registry_set(ALL_PATHS, T0)
        await Importer(archive.store, reader("gerrit-events", None)).file(path / "events.jsonl")
        desk = Desk(archive.store, runtime)
        await desk.open("Console is black <b>", "After a reboot.", "rosa")
        await desk.open("Console is black and tells tokens", "Secret words.", "rosa", security=True)
        await desk.act("own/1", [Deed(runtime.now(), What.SAID, f"{n} {'<' * 900}", "rosa") for n in range(300)])
        transport = httpx.ASGITransport(app=health_site(archive, runtime, Health()))
        async with httpx.AsyncClient(transport=transport, base_url="http://health.example") as client:
            paths = [one or "/" for one in (*PAGES, "/bugs/own/2")]
            html = {one: await client.get(one) for one in paths}
            told = {one: await client.get(one, headers=JSON) for one in paths}
            again = {
                one: await client.get(one, headers={**JSON, "If-None-Match": told[one].headers.get("etag", "")})
                for one in ("/bugs/release", "/bugs/rules", "/ci/waivers")
            }
            return html, told, again


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Answers, Answers, Answers]:
    return asyncio.run(asked(tmp_path_factory.mktemp("site")))


def test_site__every_page__has_both_forms_and_neither_is_large(answers: tuple[Answers, Answers, Answers]) -> None:
    html, told, _ = answers
    for path in (one or "/" for one in PAGES):
        assert (html[path].status_code, told[path].status_code) == (200, 200), path
        assert set(json.loads(told[path].content)) == {"at", "page"}
        assert max(len(html[path].content), len(told[path].content)) < PAGE_MAX, path
        assert html[path].headers["vary"] == "Accept"


def test_site__known_tag__is_not_sent_again(answers: tuple[Answers, Answers, Answers]) -> None:
    for path, answer in answers[2].items():
        assert (answer.status_code, answer.content) == (304, b""), path


def test_site__private_bug__is_on_no_page_and_not_there(answers: tuple[Answers, Answers, Answers]) -> None:
    html, told, _ = answers
    assert html.pop("/bugs/own/2").status_code == told.pop("/bugs/own/2").status_code == 404
    for answer in (*html.values(), *told.values()):
        assert "tells tokens" not in answer.text
        assert "own/2" not in answer.text


def test_site__links_of_its_pages__lead_to_pages(answers: tuple[Answers, Answers, Answers]) -> None:
    html, _, _ = answers
    links = {link for answer in html.values() for link in re.findall(rf'href="({BASE}[^"?#]*)"', answer.text)}
    known = {f"{BASE}{one.partition('?')[0]}" for one in PAGES} | {f"{BASE}/style.css"}
    assert {one for one in links - known if not one.startswith(f"{BASE}/ci/changes/")} == set()


def test_overview__owed_bug__leads_to_it(answers: tuple[Answers, Answers, Answers]) -> None:
    assert f'<a href="{BASE}/bugs/own/1">' in answers[0]["/"].text
    assert json.loads(answers[1]["/"].content)["page"]["promises"][0]["bug"] == "own/1"


def test_like__text_of_a_bug__finds_it(answers: tuple[Answers, Answers, Answers]) -> None:
    assert [one["bug"] for one in json.loads(answers[1][BUGS[-1]].content)["page"]] == ["own/1"]
