"""Rules show what they would do, do that and no more, and do it once."""

import pytest

from kilonova.health.bugs.model import Bug, Deed, Status, What
from kilonova.health.bugs.rules import (
    DAILY_MAX,
    HANDS_OFF,
    BadRule,
    Proposal,
    Rule,
    deeds,
    proposals,
    query,
    rules_read,
    shipped,
)
from unit.health.bugs.made import bug, day, opened, said, status

SILENT = [*opened(), said(1, "core"), status(1, Status.INCOMPLETE)]
EXPIRE = Rule("expire", "status=Incomplete -answered standing>30d", "no answer", "Closing.", Status.EXPIRED)


def names(found: Bug, days: float) -> set[str]:
    return {one.rule for one in proposals(shipped(), [found], day(days))}


def meant(text: str, found: Bug, days: float = 10) -> bool:
    return query(Rule("r", text, ""))(found, day(days))


def test_shipped__all__can_be_used_and_say_why() -> None:
    assert len(shipped()) >= 10
    assert all(rule.reason for rule in shipped())


def test_shipped__silent_reporter__the_rules_that_ought_to() -> None:
    assert names(bug(SILENT), 40) == {"no-response"}
    assert names(bug([*SILENT, said(20, "rosa")]), 40) == {"answered"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("status=incomplete", True),
        ("status=New,Confirmed", False),
        ("-status=New", True),
        ("age>9d", True),
        ("age>11d", False),
        ("standing<1w", False),
        ("tag=vmware,libvirt", True),
        ("open -assignee -patch tracker=own", True),
        ("status=Fix_Committed", False),
    ],
)
def test_query__each_term__means_what_it_says(text: str, expected: bool) -> None:
    tagged = [*SILENT, Deed(day(1), What.TAGS, "libvirt ops")]
    assert meant(text, bug(tagged)) is expected


@pytest.mark.parametrize("text", ["", "status=Nwe", "age>soon", "colour=red", "status", "importance=Hi", "age=3d", "?"])
def test_query__one_that_makes_no_sense__is_refused(text: str) -> None:
    with pytest.raises(BadRule):
        query(Rule("r", text, ""))


def test_rules_read__a_field_nobody_knows__is_refused() -> None:
    with pytest.raises(BadRule, match="unknown field"):
        rules_read("- {name: a, query: open, reason: b, do: delete}")


def test_rules_read__two_of_one_name__are_refused() -> None:
    with pytest.raises(BadRule, match="same name"):
        rules_read("- {name: a, query: open, reason: b}\n- {name: a, query: open, reason: c}")


def carried_out(before: list[Deed], days: float) -> list[Deed]:
    (proposal,) = proposals([EXPIRE], [bug(before)], day(days))
    return [*before, *deeds(proposal, frozenset(), day(days))]


def test_deeds__carried_out__the_bug_is_as_proposed_and_nobody_was_answered() -> None:
    after = bug(carried_out(SILENT, 40))
    assert after.status is Status.EXPIRED
    assert after.responded_at == day(1)


def test_proposals__a_second_run__does_nothing() -> None:
    assert proposals([EXPIRE], [bug(carried_out(SILENT, 40))], day(90)) == []


def test_proposals__acted_and_somebody_has_answered_since__may_act_again() -> None:
    again = [*carried_out(SILENT, 40), status(41, Status.NEW), status(42, Status.INCOMPLETE)]
    assert [one.rule for one in proposals([EXPIRE], [bug(again)], day(90))] == ["expire"]


@pytest.mark.parametrize("what", [(What.SECURITY, "yes"), (What.PRIVATE, "yes"), (What.TAGS, HANDS_OFF)])
def test_proposals__a_bug_for_people_only__is_held(what: tuple[What, str]) -> None:
    (found,) = proposals([EXPIRE], [bug([*SILENT, Deed(day(2), *what)])], day(90))
    assert found.held
    assert deeds(found, frozenset(), day(90)) == []


def test_proposals__more_than_a_day_allows__the_rest_is_held() -> None:
    many = [bug(SILENT, key=f"own/{number}") for number in range(DAILY_MAX + 5)]
    found: list[Proposal] = proposals([EXPIRE], many, day(90))
    assert sum(one.held for one in found) == 5
