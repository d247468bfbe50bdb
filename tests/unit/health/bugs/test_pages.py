"""The pages say what the desk knows, to everybody who may know it."""

import re

from kilonova.health.bugs.clocks import Clock, clocks
from kilonova.health.bugs.measures import measures
from kilonova.health.bugs.model import Bug, Deed, What
from kilonova.health.bugs.pages import HERE, ROWS_MAX, fixes_page, site
from kilonova.health.bugs.queue import duty_queue
from kilonova.health.bugs.releases import release_page
from kilonova.health.bugs.rules import proposals, shipped
from kilonova.health.web.page import PAGE_MAX
from unit.health.bugs.made import bug, commit, day, hit, opened, said


def pages(deeds: dict[str, list[Deed]], days: float = 10) -> dict[str, str]:
    at = day(days)
    bugs: dict[str, tuple[Bug, list[Clock]]] = {
        key: (bug(done, days, key), clocks(key, done, at)) for key, done in deeds.items()
    }
    found = proposals(shipped(), [one for one, _ in bugs.values()], at)
    made = site(duty_queue(bugs, at), bugs, measures(deeds, at, 4), shipped(), found, at)
    return {path: body.decode() for path, body in made.items()}


def test_duty__what_is_broken__is_marked_and_leads_to_the_bug() -> None:
    page = pages({"own/1": opened()})[HERE]
    assert f'<a href="{HERE}/own/1">own/1</a>' in page
    assert 'class="bad"' in page
    assert "1 bugs wait, 1 promises are broken" in page


def test_bug__what_users_wrote__is_text_and_no_markup() -> None:
    page = pages({"own/1": [*opened(title="<script>x</script>"), said(1, "core", "<b>")]})[f"{HERE}/own/1"]
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_bug__was_opened_again__says_why_and_what_it_cost() -> None:
    page = pages({"own/1": [*opened(), commit(1), hit(2, 4.0)]})[f"{HERE}/own/1"]
    assert "CI failed for it after the fix" in page
    assert "4.0 hours of CI" in page


def test_private__bug__is_on_no_page() -> None:
    private = [*opened(title="Token leaks"), Deed(day(0), What.PRIVATE, "yes")]
    found = pages({"own/1": private, "own/2": opened(title="Other")})
    assert f"{HERE}/own/1" not in found
    assert not [path for path, body in found.items() if "Token leaks" in body or "own/1" in body]


def test_flow__curve__has_its_numbers_in_a_table() -> None:
    page = pages({"own/1": opened(), "own/2": [*opened(), commit(3)]})[f"{HERE}/flow"]
    assert page.count("<svg") == 2
    assert "Kaplan and Meier" in page


def test_pages__a_thousand_bugs__none_is_too_large_and_none_needs_scripts() -> None:
    found = pages({f"own/{number}": opened(title="It breaks " * 5) for number in range(1000)})
    assert max(map(len, found.values())) < PAGE_MAX
    assert not [body for body in found.values() if "<script" in body or re.search(r" on[a-z]+=", body)]
    assert f"{1000 - ROWS_MAX} more are not shown" in found[HERE]


def test_release__what_is_fixed__with_its_release() -> None:
    fixed = bug([*opened(), commit(1, release="2.0")])
    page = bytes(fixes_page("1.0..2.0", release_page("1.0..2.0", [fixed]), day(9)).body).decode()
    assert "1 bugs fixed" in page
