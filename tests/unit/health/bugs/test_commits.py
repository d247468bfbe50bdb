"""What commits say about bugs is understood as people write it."""

import pytest

from kilonova.health.bugs.commits import bugs_named, change_id, reverted
from kilonova.health.bugs.model import Link

N = "launchpad/1458945"


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("Closes-Bug: #1458945", Link.CLOSES),
        ("Closes-Bug: 1458945", Link.CLOSES),
        ("closed-bug: # 1458945", Link.CLOSES),
        ("Fixes bug 1458945", Link.CLOSES),
        ("Fix for LP bug #1458945.", Link.CLOSES),
        ("Partial-Bug: #1458945", Link.PARTIAL),
        ("Partially fixes bug #1458945", Link.PARTIAL),
        ("Related-Bug: ##1458945", Link.RELATED),
        ("Releted-Bug: #1458945", Link.RELATED),
        ("Relatd-Bug: #1458945", Link.RELATED),
        ("as bug 1458945 says", Link.MENTIONS),
        ("see https://bugs.launchpad.net/nova/+bug/1458945", Link.MENTIONS),
        ("The fix for bug 1458945 broke it.", Link.MENTIONS),
    ],
)
def test_bugs_named__each_way_to_write_it__is_understood(text: str, link: Link) -> None:
    assert bugs_named(f"A change\n\nSome words.\n{text}\n") == {N: link}


def test_bugs_named__several_in_one_trailer__each() -> None:
    assert set(bugs_named("x\n\nCloses-Bug: #1000001, #1000002")) == {"launchpad/1000001", "launchpad/1000002"}


def test_bugs_named__prose_and_trailer__the_trailer_holds() -> None:
    assert bugs_named("x\n\nThis fixes bug 1458945 in part.\n\nRelated-Bug: #1458945") == {N: Link.RELATED}


def test_bugs_named__a_revert__takes_the_fix_back() -> None:
    text = 'Revert "Mend it"\n\nThis reverts commit 0123456789abcdef.\n\nCloses-Bug: #1458945'
    assert bugs_named(text) == {N: Link.REVERTS}
    assert reverted(text) == "0123456789abcdef"


def test_bugs_named__numbers_that_are_none__nothing() -> None:
    assert bugs_named("Bump to 2026.1\n\nTakes 1000000 bytes, see RFC 1035") == {}


def test_bugs_named__on_github__its_keywords_count() -> None:
    assert bugs_named("Fixes #12, see #13", "github/o/r") == {
        "github/o/r/12": Link.CLOSES,
        "github/o/r/13": Link.MENTIONS,
    }


def test_change_id__in_the_last_paragraph__is_found() -> None:
    assert change_id("x\n\nChange-Id: I0123456789abcdef\n") == "I0123456789abcdef"
    assert change_id("x") is None
