"""Clocks run while the project owes something, and for nobody else's time."""

import pytest

from kilonova.health.bugs.clocks import Clock, State, after_work, clocks, worked
from kilonova.health.bugs.model import Deed, Importance, Status, What
from unit.health.bugs.made import DAY, bug, day, hit, opened, said, status


def of(promise: str, deeds: list[Deed], days: float) -> Clock | None:
    return {clock.promise: clock for clock in clocks("own/1", deeds, day(days))}.get(promise)


@pytest.mark.parametrize(
    ("begun", "ended", "days"), [(0, 1, 1), (4, 7, 1), (5, 6.5, 0), (0, 14, 10), (4.5, 7.5, 1), (-3, 0, 1)]
)
def test_worked__over_weekends__only_working_days(begun: float, ended: float, days: float) -> None:
    assert worked(day(begun), day(ended)) == days * DAY


def test_after_work__from_friday__the_weekend_is_skipped() -> None:
    assert after_work(day(4), 1.5 * DAY) == day(7.5)


def test_first_answer__new_bug__due_after_three_working_days() -> None:
    clock = of("first answer", opened(3), 3.5)
    assert clock is not None
    assert (clock.state, clock.due_at, clock.spent_s) == (State.RUNNING, day(8), 0.5 * DAY)


def test_first_answer__nobody_answers__broken_since_it_was_due() -> None:
    clock = of("first answer", opened(), 10)
    assert clock is not None
    assert (clock.state, clock.due_at) == (State.BROKEN, day(3))


def test_first_answer__somebody_answers__no_longer_owed() -> None:
    assert of("first answer", [*opened(), said(1, "core")], 2) is None


def test_security__a_day_of_any_kind__not_of_working_days() -> None:
    clock = of("security", [*opened(5), Deed(day(5), What.SECURITY, "yes")], 5)
    assert clock is not None
    assert clock.due_at == day(6)


def test_triage__reporter_owes_an_answer__the_clock_stands_still() -> None:
    deeds = [*opened(), status(1, Status.INCOMPLETE)]
    clock = of("triage", deeds, 100)
    assert clock is not None
    assert (clock.state, clock.due_at, clock.spent_s) == (State.PAUSED, None, DAY)


def test_triage__reporter_answers__the_clock_goes_on_where_it_stood() -> None:
    deeds = [*opened(), status(1, Status.INCOMPLETE), said(21, "rosa")]
    clock = of("triage", deeds, 22)
    assert clock is not None
    assert (clock.state, clock.spent_s) == (State.RUNNING, 2 * DAY)


def test_reply__reporter_answers__owed_within_five_working_days() -> None:
    clock = of("reply", [*opened(), status(1, Status.INCOMPLETE), said(7, "rosa")], 8)
    assert clock is not None
    assert clock.due_at == day(14)


def test_triage__bug_comes_to_another_team__the_clock_begins_anew_and_names_it() -> None:
    clock = of("triage", [*opened(), Deed(day(8), What.TEAM, "networking", "core")], 9)
    assert clock is not None
    assert (clock.owner, clock.spent_s) == ("networking", DAY)


def test_critical__nobody_has_it__owed_within_a_working_day() -> None:
    deeds = [*opened(), Deed(day(1), What.IMPORTANCE, Importance.CRITICAL, "core", member=True)]
    clock = of("critical", deeds, 1)
    assert clock is not None
    assert clock.due_at == day(2)
    assert of("critical", [*deeds, Deed(day(1.5), What.ASSIGNEE, "core", "core", member=True)], 2) is None


def test_ci__four_hours_lost__due_five_times_as_soon() -> None:
    clock = of("CI", [*opened(), hit(0, 4.0)], 0)
    assert clock is not None
    assert clock.due_at == day(1)


def test_closed__whatever_was_owed__is_no_longer() -> None:
    deeds = [*opened(), status(20, Status.INVALID)]
    assert clocks("own/1", deeds, day(30)) == []
    assert not bug(deeds).open
