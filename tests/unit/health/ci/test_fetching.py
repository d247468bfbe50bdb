"""Fetching page by page: all of it, and the next time only what has changed."""

import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from kilonova.health.ci.archive import Archive
from kilonova.health.ci.fetching import BadUrl, import_url
from kilonova.health.document import BadDocument
from unit.health.ci.archives import with_archive
from unit.health.ci.documents import HOST, T0, change_info

URL = f"https://{HOST}/changes/?q=project:demo/compute&o=MESSAGES&o=ALL_FILES"


def test_gerrit__several_pages__all_are_read_and_the_next_time_asks_for_what_is_new(tmp_path: Path) -> None:
    asked: list[str] = []

    async def get(url: str) -> bytes:
        asked.append(url)
        start = int(parse_qs(urlsplit(url).query)["S"][0])
        page = [change_info(start + 1), change_info(start + 2)]
        if start == 0:
            page[-1]["_more_changes"] = True
        return b")]}'\n" + json.dumps(page).encode()

    async def work(archive: Archive):
        first = await import_url(archive.store, "gerrit", URL, get, T0)
        second = await import_url(archive.store, "gerrit", URL, get, T0 + 60)
        return first, second, await archive.known_until()

    first, second, until = with_archive(tmp_path, work)
    assert (first.new, second.new, second.known) == (4, 0, 4)
    assert until == {f"gerrit:{HOST}": T0 + 60}
    assert "after" not in asked[0]
    assert "after" in asked[2]
    assert asked[0].count("o=") == 2


def test_zuul__builds__become_what_a_change_is_judged_by(tmp_path: Path) -> None:
    build = {
        "uuid": "u1",
        "job_name": "unit",
        "result": "SUCCESS",
        "end_time": "2023-11-14T23:13:20",
        "voting": True,
        "final": True,
        "log_url": "https://logs.example/1",
        "ref": {"change": 1, "patchset": "1", "ref_url": f"https://{HOST}/1"},
    }

    async def get(url: str) -> bytes:
        return json.dumps([build, {**build, "uuid": "u2", "result": None}]).encode()

    async def work(archive: Archive):
        done = await import_url(archive.store, "zuul", "https://zuul.example/api/tenant/demo/builds", get, T0)
        return done.new, done.silent

    assert with_archive(tmp_path, work) == (1, 1)


@pytest.mark.parametrize(("source", "url"), [("gerrit", "ftp://x/y"), ("results", "https://x/y")])
def test_import__url_that_is_none__is_refused(tmp_path: Path, source: str, url: str) -> None:
    async def get(_url: str) -> bytes:
        raise AssertionError

    async def work(archive: Archive):
        with pytest.raises(BadUrl):
            await import_url(archive.store, source, url, get, T0)

    with_archive(tmp_path, work)


def test_import__answer_is_no_json__is_told(tmp_path: Path) -> None:
    async def get(_url: str) -> bytes:
        return b"<html>"

    async def work(archive: Archive):
        with pytest.raises(BadDocument):
            await import_url(archive.store, "gerrit", URL, get, T0)

    with_archive(tmp_path, work)
