"""Nine thousand real commits that name bugs are imported and drawn. Needs the set of the project's research."""

import gzip
import json
import os
from pathlib import Path

import pytest

from kilonova.health.bugs.model import Link
from kilonova.health.bugs.releases import release_page
from kilonova.health.bugs.service import Desk
from kilonova.health.bugs.trackers.reading import reader
from kilonova.health.ci.archive import Archive
from kilonova.health.importing import Importer
from kilonova.runtime.real import RealRuntime
from unit.health.bugs.documents import lp_bug
from unit.health.bugs.made import DAY
from unit.health.ci.archives import with_archive

SET = Path(os.environ.get("KILONOVA_BUGSCI", "none")) / "nova-bugfixes.jsonl.gz"
"""The commits; `KILONOVA_BUGSCI` names the directory."""

pytestmark = pytest.mark.skipif(
    not SET.exists(), reason="KILONOVA_BUGSCI names no directory with nova-bugfixes.jsonl.gz"
)


def commits() -> list[dict]:
    with gzip.open(SET) as stream:
        return [json.loads(line) for line in stream]


def document(commit: dict) -> bytes:
    links = {"closes": Link.REVERTS if commit["revert"] else Link.CLOSES}
    bugs = [{"id": one["id"], "link": links.get(one["rel"], one["rel"])} for one in commit["bugs"]]
    release = commit["first_tag"] or ""
    return json.dumps(
        {"commit": commit["commit"], "at": commit["ct"], "text": commit["body"], "release": release, "bugs": bugs}
    ).encode()


def reported(commits: list[dict]) -> list[bytes]:
    """Each bug as the tracker may have told it, at the time that is estimated for it."""
    known = {one["id"]: one["est_reported"] for commit in commits for one in commit["bugs"]}
    return [
        json.dumps(lp_bug(id_, date_created=str(at), date_last_updated=str(at))).encode() for id_, at in known.items()
    ]


def test_history__imported__bugs_times_and_releases_come_out_as_they_are_known(tmp_path: Path) -> None:
    every = commits()

    async def work(archive: Archive) -> None:
        for source, documents in (("commits", map(document, every)), ("launchpad", reported(every))):
            importer = Importer(archive.store, reader(source))
            for one in documents:
                importer.take(one, "x")
            await importer.end()
            assert importer.imported.refused == 0
        desk, at = Desk(archive.store, RealRuntime()), max(commit["ct"] for commit in every) + 1
        found = await desk.measures(at)
        assert (len(every), found.bugs) == (9633, 8329)
        median = found.resolve.quantiles_s["p50"]
        assert median is not None
        assert 14 * DAY < median < 40 * DAY  # of those that were closed it is 14.5 days; some never were
        page = release_page("2015.1.0..12.0.0.0rc1", (await desk.bugs(at)).values())
        assert len(page.fixed) > 100

    with_archive(tmp_path, work)
