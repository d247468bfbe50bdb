"""Metrics by their definitions: what counts as missed, censored, wrong, flaky."""

import pytest

from kilonova.health.ci.facts import Closed, Draft, Ended, Label, Labelled, Said
from kilonova.health.ci.metrics import DAY_S, Metrics, metrics_of
from kilonova.health.ci.opportunities import Opportunity, opportunities_of, reverted_at, watched
from unit.health.ci.changes import Change, change, comment, merged, patchset, registry
from unit.health.ci.documents import HOUR, T0

AT = T0 + 10 * DAY_S


def opportunities(*changes: Change, at: float = AT) -> list[Opportunity]:
    known = registry()
    system = known.system("acme")
    return opportunities_of(watched(changes, system, known.reference()), system, reverted_at(changes), at, 0.0)


def metrics(*changes: Change, at: float = AT) -> Metrics:
    return metrics_of(opportunities(*changes, at=at), 4 * HOUR, at)


@pytest.mark.parametrize(
    ("said", "end", "waited_h"),
    [
        ([(HOUR, comment("SUCCESS"))], "answered", 1),
        ([(HOUR, patchset(2, "NO_CODE_CHANGE"))], "superseded", 1),
        ([(2 * HOUR, merged())], "merged", 2),
        ([(3 * HOUR, Closed(Ended.ABANDONED))], "abandoned", 3),
        ([(HOUR, Draft(True))], "draft", 1),
        ([(HOUR, comment("NODE_FAILURE"))], "open", 240),
        ([], "open", 240),
    ],
)
def test_opportunity__ends_with_what_came_first(said: list[tuple[float, Said]], end: str, waited_h: float) -> None:
    (one,) = opportunities(change(*said))
    assert (one.end, one.waited_s) == (end, waited_h * HOUR)


def test_opportunity__of_files_it_doesnt_cover__is_none() -> None:
    assert not opportunities(change(files=("api/servers.py",)), change(files=None, number=2))


def test_missed__nobody_waited_that_long__is_censored_and_not_missed() -> None:
    answered = [change((HOUR, comment("SUCCESS")), number=n) for n in range(1, 9)]
    late = change((5 * HOUR, comment("SUCCESS")), number=9)
    superseded = change((HOUR, patchset(2, "NO_CHANGE")), number=10)
    ignored = change((9 * HOUR, Closed(Ended.ABANDONED)), number=11)
    found = metrics(*answered, late, superseded, ignored)
    assert (found.missed.k, found.missed.n) == (2, 10)
    assert (found.attained.k, found.attained.n) == (8, 10)
    assert (found.answered, found.opportunities) == (9, 11)
    assert found.response.p50 == HOUR
    assert found.response.p95 is None


def test_agreement__by_what_changes_turned_out_to_be() -> None:
    right = change((HOUR, comment("SUCCESS")), (2 * HOUR, merged()), number=1)
    alarm = change((HOUR, comment("FAILURE")), (2 * HOUR, merged()), number=2)
    broken = change((HOUR, comment("SUCCESS")), (2 * HOUR, merged()), number=3)
    revert = change((3 * HOUR, merged()), number=4, files=("x",), message=f"This reverts commit {3:040x}.")
    unknown = change((HOUR, comment("FAILURE")), number=5)
    found = metrics(right, alarm, broken, revert, unknown)
    assert (found.agreement.k, found.agreement.n) == (1, 3)
    assert (found.false_alarms.k, found.false_alarms.n) == (1, 2)
    assert (found.missed_breaks.k, found.missed_breaks.n, found.unexamined) == (1, 1, 1)


def test_agreement__looked_at_before_the_revert__doesnt_know_it_yet() -> None:
    broken = change((HOUR, comment("SUCCESS")), (2 * HOUR, merged()), number=3)
    revert = change((5 * DAY_S, merged()), number=4, message=f"This reverts commit {3:040x}.")
    assert metrics(broken, revert, at=T0 + DAY_S).agreement.k == 1
    assert metrics(broken, revert).agreement.k == 0


def test_label__of_a_person__goes_before_what_happened_and_excuses_leave_the_count() -> None:
    said = (HOUR, comment("FAILURE"))
    by = (3 * HOUR, merged())
    real = change(said, by, (4 * HOUR, Labelled("acme", 1, Label.CORRECT, "someone")), number=1)
    infra = change(said, by, (4 * HOUR, Labelled("acme", 1, Label.INFRA, "someone")), number=2)
    found = metrics(real, infra)
    assert (found.agreement.k, found.agreement.n) == (1, 1)
    assert (found.excused.k, found.excused.n) == (1, 2)


def test_flakes__both_verdicts_on_one_patch_set__the_last_one_counts() -> None:
    flaky = change((HOUR, comment("FAILURE")), (2 * HOUR, comment("SUCCESS")), (3 * HOUR, merged()), number=1)
    steady = change((HOUR, comment("SUCCESS")), number=2)
    found = metrics(flaky, steady)
    assert (found.flips.k, found.flips.n, found.flakes.k, found.flakes.n) == (1, 1, 1, 2)
    assert found.agreement.k == 1


@pytest.mark.parametrize(("streak", "alarm"), [(4, False), (5, True)])
def test_silence__of_a_good_ci__five_in_a_row_are_an_alarm(streak: int, alarm: bool) -> None:
    good = [change((HOUR, comment("SUCCESS")), number=n, at=T0 + n) for n in range(1, 20)]
    silent = [change(number=n, at=T0 + HOUR + n) for n in range(20, 20 + streak)]
    found = metrics(*good, *silent)
    assert (found.silence, found.silent) == (streak, alarm)


def test_fast_failures__different_changes_and_owners_that_proved_good__are_counted() -> None:
    alarms = [change((HOUR, comment("FAILURE")), (2 * HOUR, merged()), number=n, at=T0 + n) for n in range(1, 6)]
    assert metrics(*alarms).fast_failures == 5
    assert (
        metrics(
            *alarms[:4], change((HOUR, comment("SUCCESS")), (2 * HOUR, merged()), number=9, at=T0 + 9)
        ).fast_failures
        == 0
    )


def test_disagreement__with_the_projects_ci__is_shown_and_is_no_error() -> None:
    one = change((HOUR, comment("FAILURE")), (HOUR, comment("SUCCESS", account="zuul")))
    found = metrics(one)
    assert found.disagreement.only_failure == 1
    assert found.agreement.n == 0


def test_availability__stretches_of_six_hours() -> None:
    begin = T0 - T0 % (6 * HOUR)
    up = change((HOUR, comment("SUCCESS")), number=1, at=begin)
    down = change((9 * HOUR, Closed(Ended.ABANDONED)), number=2, at=begin + 6 * HOUR)
    also_up = change(number=3, at=begin)
    found = metrics(up, down, also_up)
    assert (found.availability.k, found.availability.n) == (1, 2)
