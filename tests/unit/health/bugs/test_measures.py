"""How long things take is told with those that still wait."""

from kilonova.health.bugs.measures import course, measures
from kilonova.health.bugs.model import Deed, Importance, Status, What
from unit.health.bugs.made import DAY, commit, day, hit, opened, said, status

TRIAGED = [status(4, Status.TRIAGED), Deed(day(4), What.IMPORTANCE, Importance.HIGH, "core", member=True)]


def test_course__reporter_owes_an_answer__that_time_doesnt_count() -> None:
    deeds = [*opened(), status(1, Status.INCOMPLETE), said(11, "rosa"), status(13, Status.INVALID)]
    found = course("own/1", deeds, day(20))
    assert found is not None
    assert (found.answered_s, found.resolved_s) == (DAY, 3 * DAY)


def test_measures__two_answered_of_four__half_and_the_rest_waits() -> None:
    bugs = {"1": [*opened(), said(1, "core")], "2": [*opened(), said(3, "core")], "3": opened(), "4": opened()}
    found = measures(bugs, day(10)).first_answer
    assert (found.n, found.happened) == (4, 2)
    assert found.quantiles_s == {"p25": DAY, "p50": 3 * DAY, "p75": None, "p90": None}


def test_measures__triaged__only_with_status_and_importance() -> None:
    found = measures({"1": [*opened(), *TRIAGED], "2": [*opened(), status(1, Status.CONFIRMED)]}, day(10)).triage
    assert (found.happened, found.quantiles_s["p50"]) == (1, 4 * DAY)


def test_measures__fix_that_did_not_hold__counts_as_reopened() -> None:
    bugs = {"1": [*opened(), commit(1), hit(5)], "2": [*opened(), commit(1)], "3": [*opened(), commit(99)]}
    assert [measures(bugs, day(100)).reopened.k, measures(bugs, day(100)).reopened.n] == [1, 2]


def test_measures__duplicate_known_late__is_counted() -> None:
    bugs = {
        "1": [*opened(), Deed(day(2), What.DUPLICATE, "own/9")],
        "2": [*opened(), Deed(day(30), What.DUPLICATE, "own/9")],
    }
    found = measures(bugs, day(40)).late_duplicates
    assert (found.k, found.n) == (1, 2)


def test_measures__weeks__what_came_and_went_and_what_is_left() -> None:
    bugs = {"1": opened(0), "2": [*opened(1), commit(8)], "3": [*opened(9), status(9, Status.INVALID), hit(10)]}
    first, second = measures(bugs, day(14), weeks=2).weeks
    assert (first.opened, first.closed, first.backlog) == (2, 0, 2)
    assert (second.opened, second.closed, second.reopened, second.backlog) == (1, 2, 0, 1)


def test_measures__an_earlier_moment__what_was_known_then() -> None:
    bugs = {"1": [*opened(), commit(8)]}
    assert [measures(bugs, day(days)).open for days in (-1, 5, 10)] == [0, 1, 0]
