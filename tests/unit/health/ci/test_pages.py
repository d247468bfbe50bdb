"""Pages: small, without scripts, as of a moment, and never markup of what others wrote."""

import asyncio
from html.parser import HTMLParser

import httpx
import pytest
from typing_extensions import override

from kilonova.app.config import Health
from kilonova.app.health import health_opened, health_site
from kilonova.health.ci.desk import Desk
from kilonova.health.ci.facts import Waived
from kilonova.health.ci.importing import reader
from kilonova.health.ci.voting import Thresholds
from kilonova.health.importing import Importer
from kilonova.health.web.page import PAGE_MAX
from kilonova.runtime.real import RealRuntime
from unit.health.ci.documents import HOST, T0
from unit.health.ci.test_desk import ALL_PATHS, DAY_S, events

AT = T0 + 40 * DAY_S
VOID = {"meta", "link", "br", "input"}


class Checked(HTMLParser):
    """Every element is closed, and none of them is a script."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag != "script"
        assert not [name for name, _ in attrs if name.startswith("on") or name == "style"]
        if tag not in VOID:
            self.open.append(tag)

    @override
    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, httpx.Response]:
    path = tmp_path_factory.mktemp("pages")
    runtime = RealRuntime()
    asked = (
        "/ci",
        "/ci/matrix",
        "/ci/waivers",
        "/ci/systems/acme",
        f"/ci/changes/{HOST}/4",
        "/ci/systems/nobody",
        "/ci/changes/x/1",
        "/nothing",
        "/style.css",
    )

    async def run() -> dict[str, httpx.Response]:
        async with health_opened(path / "health.sqlite", runtime) as archive:
            (path / "events.jsonl").write_bytes(events(30).replace(b"Change 4", b"<script>Change 4"))
            await archive.registry_set(ALL_PATHS, T0)
            await archive.say(Waived("1", "acme", "<b>why</b>", "lead", AT + DAY_S), AT - 1)
            await Importer(archive.store, reader("gerrit-events", None)).file(path / "events.jsonl")
            await Desk(archive).decide(AT, Thresholds())
            app = health_site(archive, runtime, Health())
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url="http://health.example") as client:
                return {one: await client.get(one, params={"at": str(AT)}) for one in asked}

    return asyncio.run(run())


def test_pages__every_one__small_closed_and_without_scripts(answers: dict[str, httpx.Response]) -> None:
    for path, answer in answers.items():
        if path != "/style.css":
            assert len(answer.content) < PAGE_MAX, path
            checked = Checked()
            checked.feed(answer.text)
            assert not checked.open
            assert 'lang="en"' in answer.text
            assert answer.text.count("<h1>") == 1


def test_pages__found__say_what_there_is_and_allow_no_scripts(answers: dict[str, httpx.Response]) -> None:
    for path in ("/ci", "/ci/matrix", "/ci/waivers", "/ci/systems/acme", f"/ci/changes/{HOST}/4"):
        assert answers[path].status_code == 200, path
        assert "default-src 'none'" in answers[path].headers["content-security-policy"]
        assert "acme" in answers[path].text
    assert "<svg" in answers["/ci/systems/acme"].text
    assert answers["/style.css"].headers["content-type"].startswith("text/css")


@pytest.mark.parametrize("path", ["/ci/systems/nobody", "/ci/changes/x/1", "/nothing"])
def test_pages__not_there__are_told_as_a_page(answers: dict[str, httpx.Response], path: str) -> None:
    assert answers[path].status_code == 404
    assert answers[path].headers["content-type"].startswith("text/html")
