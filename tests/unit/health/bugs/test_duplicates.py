"""Duplicates are found by what two reports share, and the reason is named."""

from kilonova.health.bugs.duplicates.index import Index
from kilonova.health.bugs.duplicates.terms import terms, words

KNOWN = {
    "1": ("Live migration fails with a stale port binding", "The destination host never activates the binding."),
    "2": ("Resize leaves the old allocation behind", "Placement keeps allocations of the source host after a resize."),
    "3": ("VNC console is black after a hard reboot", "noVNC connects, nothing is drawn. The guest answers to ping."),
    "4": ("Volume detach hangs", "Detaching an encrypted volume hangs in dm-crypt forever."),
}


def known() -> Index:
    index = Index()
    for key, (title, text) in KNOWN.items():
        index.add(key, title, text)
    return index


def test_words__an_identifier__counts_whole_and_in_parts() -> None:
    assert list(words("InstanceNotFound in port_binding")) == [
        "instanc", "not", "found", "instancenotfound", "in", "port", "bind", "port_binding",
    ]  # fmt: skip


def test_terms__a_word_of_the_title__weighs_three_times_one_of_the_text() -> None:
    found = terms("resize", "resize again")
    assert (found["resiz"], found["again"]) == (4.0, 1.0)


def test_find__the_same_trouble_in_other_words__comes_first_with_its_reasons() -> None:
    best = known().find("Port binding is stale when live migrating", "")[0]
    assert best.key == "1"
    assert {"stale", "binding"} <= set(best.reasons)


def test_find__a_slip_of_the_pen__still_finds_it() -> None:
    assert known().find("Volume detatch hangs", "")[0].key == "4"


def test_find__the_report_itself__is_as_like_as_can_be() -> None:
    best = known().find(*KNOWN["2"])[0]
    assert best.key == "2"
    assert 0.99 < best.likeness <= 1.001


def test_find__one_may_not_be_seen__it_is_not_found() -> None:
    assert "1" not in {match.key for match in known().find(*KNOWN["1"], may_see=lambda key: key != "1")}


def test_find__nothing_in_common__nothing() -> None:
    assert known().find("zzzz", "") == []


def test_add__known_already__the_newer_text_holds() -> None:
    index = known()
    index.add("1", "Quota is counted twice", "")
    assert len(index) == 4
    assert index.find("quota counted twice", "")[0].key == "1"
    assert "1" not in {match.key for match in index.find("stale port binding", "")}


def test_remove__one_that_was_found__is_found_no_more() -> None:
    index = known()
    index.remove("3")
    index.remove("3")
    assert "3" not in {match.key for match in index.find(*KNOWN["3"])}


def test_find__words_that_everybody_uses__the_search_stays_bounded() -> None:
    index = Index()
    for number in range(2000):
        index.add(str(number), "server error", f"node{number}")
    found = index.find("server error", "node1234", limit=3)
    assert found[0].key == "1234"
    assert len(found) == 3
