"""A bug is the sum of what was done to it."""

import itertools

from kilonova.health.bugs.model import Deed, Importance, Link, Status, What, fold
from unit.health.bugs.made import bug, commit, day, hit, opened, said, status


def test_fold__before_anything_was_done__no_bug() -> None:
    assert fold("own/1", opened(3), day(2)) is None


def test_fold__an_earlier_moment__as_it_stood_then() -> None:
    deeds = [*opened(), status(1, Status.CONFIRMED), status(5, Status.INVALID)]
    assert [bug(deeds, days).status for days in (0.5, 2, 6)] == [Status.NEW, Status.CONFIRMED, Status.INVALID]


def test_fold__any_order_of_telling__the_same_bug() -> None:
    deeds = [*opened(), status(0, Status.CONFIRMED), said(1, "core"), Deed(day(1), What.IMPORTANCE, Importance.HIGH)]
    assert len({repr(bug(list(order))) for order in itertools.permutations(deeds)}) == 1


def test_commit__closes__the_fix_is_committed() -> None:
    assert bug([*opened(), commit(2)]).status is Status.FIX_COMMITTED


def test_commit__only_related__the_bug_stays_open() -> None:
    assert bug([*opened(), commit(2, Link.RELATED)]).status is Status.NEW


def test_commit__fix_is_reverted__the_bug_is_open_again_and_says_why() -> None:
    found = bug([*opened(), commit(2), commit(3, Link.REVERTS)])
    assert (found.status, found.reopened_because) == (Status.TRIAGED, "its fix was reverted")


def test_hit__after_the_fix__the_bug_is_open_again_and_says_why() -> None:
    found = bug([*opened(), hit(1, 2.5), commit(2), hit(3, 1.5)])
    assert (found.open, found.hours, found.reopened_because) == (True, 4.0, "CI failed for it after the fix")


def test_hit__before_the_fix__it_stays_fixed() -> None:
    assert not bug([*opened(), hit(1), commit(2)]).open


def test_incomplete__reporter_answers__it_waits_no_longer() -> None:
    asked = [*opened(), status(1, Status.INCOMPLETE), said(1.1, "core")]
    assert bug(asked).waits
    assert not bug([*asked, said(2, "rosa")]).waits


def test_responded__reporter_talks_to_herself__nobody_has_responded() -> None:
    assert bug([*opened(), said(1, "rosa"), said(2, "other", member=False)]).responded_at is None
    assert bug([*opened(), said(1, "rosa"), said(3, "core")]).responded_at == day(3)
