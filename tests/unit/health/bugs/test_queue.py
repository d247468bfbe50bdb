"""The duty queue begins with what breaks a promise next."""

from kilonova.health.bugs.clocks import clocks
from kilonova.health.bugs.model import Deed, Importance, Status, What
from kilonova.health.bugs.queue import Entry, duty_queue, handed_over, part_of
from unit.health.bugs.made import bug, day, hit, opened, said, status


def queue(at: float, untidy: dict[str, str] | None = None, **deeds: list[Deed]) -> list[Entry]:
    bugs = {key: (bug(done, at, key), clocks(key, done, day(at))) for key, done in deeds.items()}
    return duty_queue(bugs, day(at), untidy)


def test_queue__several_promises__the_first_to_break_comes_first() -> None:
    found = queue(
        4,
        new=opened(3),
        old=opened(0),
        answered=[*opened(), said(1, "core"), status(2, Status.CONFIRMED)],
    )
    assert [entry.bug for entry in found] == ["old", "new", "answered"]
    assert [entry.broken for entry in found] == [True, False, False]
    assert found[0].reason == "first answer is owed since 1d"


def test_queue__costs_ci_many_hours__before_what_costs_nothing() -> None:
    assert [entry.bug for entry in queue(0, cheap=opened(), dear=[*opened(), hit(0, 9.0)])] == ["dear", "cheap"]


def test_queue__nothing_owed_and_in_order__not_there() -> None:
    tidy = [
        *opened(),
        said(1, "core"),
        status(1, Status.TRIAGED),
        Deed(day(1), What.IMPORTANCE, Importance.LOW, "core"),
    ]
    assert queue(5, tidy=tidy) == []


def test_queue__only_untidy__comes_last_with_the_rules_reason() -> None:
    tidy = [
        *opened(),
        said(1, "core"),
        status(1, Status.TRIAGED),
        Deed(day(1), What.IMPORTANCE, Importance.LOW, "core"),
    ]
    found = queue(5, {"tidy": "no owner"}, tidy=tidy, new=opened(4))
    assert [(entry.bug, entry.due_at is None) for entry in found] == [("new", False), ("tidy", True)]
    assert found[1].reason == "no owner"


def test_queue__reporter_owes_an_answer__nobody_needs_to_look() -> None:
    assert queue(50, waits=[*opened(), status(1, Status.INCOMPLETE)]) == []


def test_part_of__one_triager_leaves__only_her_part_moves() -> None:
    keys = [f"own/{number}" for number in range(200)]
    three = {key: part_of(key, ["ann", "ben", "cem"]) for key in keys}
    two = {key: part_of(key, ["ann", "ben"]) for key in keys}
    assert all(two[key] == whose for key, whose in three.items() if whose != "cem")
    assert {"ann", "ben", "cem"} == set(three.values())


def test_handed_over__between_two_duties__what_came_went_and_is_broken() -> None:
    note = handed_over(queue(1, gone=opened(), stays=opened()), queue(5, stays=opened(), came=opened(4.5)), day(5))
    assert note.splitlines()[0] == "2 bugs wait: 1 came, 1 were dealt with."
    assert "broken: stays It breaks (first answer is owed since 2d)" in note
