"""Comments of CIs: the golden numbers of the real ones, and the forms that Zuul and Jenkins write."""

import gzip
import json

import pytest

from kilonova.health.ci.comments import Verdict, jobs_in, rechecks_in, verdict_in
from unit.health.ci.documents import REAL

EVENTS = REAL / "gerrit-stream-events.jsonl.gz"


@pytest.mark.skipif(not EVENTS.exists(), reason="the real stream events are not here (HEALTH_DATA)")
def test_jobs__eleven_real_events__116_job_lines() -> None:
    events = [json.loads(line) for line in gzip.decompress(EVENTS.read_bytes()).splitlines()]
    jobs = [jobs_in(event["comment"]) for event in events]
    assert (len(events), sum(map(len, jobs))) == (11, 116)
    for event, one in zip(events, jobs, strict=True):
        voted = Verdict.SUCCESS if int(event["approvals"][0]["value"]) > 0 else Verdict.FAILURE
        assert verdict_in(event["comment"], one) is voted


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("- a https://l/1 : SUCCESS in 1h 02m 03s\n- b https://l/2 : FAILURE in 5s (non-voting)", Verdict.SUCCESS),
        ("- a https://l/1 : SUCCESS in 5s\n- b https://l/2 : TIMED_OUT in 2h 00m 00s", Verdict.FAILURE),
        ("- a https://l/1 : SUCCESS in 5s\n- b https://l/2 : NODE_FAILURE in 5s", Verdict.INFRA),
        ("* only : FAILURE in 5s (non-voting)", Verdict.FAILURE),
        ("Build Successful\n\nhttps://l/1 : SUCCESS", Verdict.SUCCESS),
        ("Build Unstable", Verdict.FAILURE),
        ("Build Started https://l/1", Verdict.STARTED),
        ("Starting check jobs.", Verdict.STARTED),
        ("This looks right to me", None),
    ],
)
def test_verdict__forms_that_cis_write(text: str, verdict: Verdict | None) -> None:
    assert verdict_in(text, jobs_in(text)) is verdict


def test_job__of_a_line__all_its_parts() -> None:
    (job,) = jobs_in("- acme-tempest https://l/1 : FAILURE in 1h 02m 03s (non-voting)")
    assert (job.name, job.url, job.result, job.duration_s, job.voting) == (
        "acme-tempest",
        "https://l/1",
        "FAILURE",
        3723,
        False,
    )


def test_rechecks__of_people__what_they_name() -> None:
    assert rechecks_in("Patch Set 3:\n\nrecheck") == [""]
    assert rechecks_in("recheck bug 1234567\nRECHECK acme") == ["bug 1234567", "acme"]
    assert rechecks_in("please don't recheck") == []
