"""What is fixed where comes from commits."""

import pytest

from kilonova.health.bugs.model import Bug, Link
from kilonova.health.bugs.releases import BadRange, markdown, order, release_page
from unit.health.bugs.made import bug, commit, opened


def bugs() -> list[Bug]:
    return [
        bug([*opened(title="Old"), commit(1, release="11.0.0")], key="launchpad/1"),
        bug([*opened(title="Fixed"), commit(2, release="12.0.0rc1")], key="launchpad/2"),
        bug([*opened(title="Taken back"), commit(3, release="12.0.0"), commit(4, Link.REVERTS)], key="launchpad/3"),
        bug([*opened(), commit(3, Link.PARTIAL, "12.0.0")], key="launchpad/4"),
        bug([*opened(), commit(9)], key="launchpad/5"),
    ]


def test_release__a_range__what_came_after_its_first() -> None:
    page = release_page("11.0.0..12.0.0", bugs())
    assert page.releases == ("12.0.0rc1", "12.0.0")
    assert [(one.bug, one.release, one.reverted) for one in page.fixed] == [
        ("launchpad/2", "12.0.0rc1", False),
        ("launchpad/3", "12.0.0", True),
    ]
    assert page.partial == ("launchpad/4",)
    assert "- launchpad/3: Taken back (reverted since)" in markdown(page)


def test_release__without_an_end__tells_what_is_in_no_release_yet() -> None:
    assert release_page("12.0.0..", bugs()).unreleased == ("launchpad/5",)


def test_order__years_and_numbers__as_time_went() -> None:
    names = ["10.0.0", "2015.1.0", "9.0.0", "10.0.1", "2014.2", "10.0.0rc1", "2015.1.0rc1"]
    ordered = ["2014.2", "2015.1.0rc1", "2015.1.0", "9.0.0", "10.0.0rc1", "10.0.0", "10.0.1"]
    assert sorted(names, key=order) == ordered


@pytest.mark.parametrize("text", ["12.0.0", "12.0.0..11.0.0"])
def test_release__no_range__says_why(text: str) -> None:
    with pytest.raises(BadRange):
        release_page(text, bugs())
