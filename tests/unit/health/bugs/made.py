"""Deeds as tests write them: days after Monday 2026-01-05, 00:00 UTC."""

from kilonova.health.bugs.model import Bug, Deed, Link, Status, What, fold

MONDAY = 1767571200.0
DAY = 86_400.0


def day(days: float) -> float:
    return MONDAY + days * DAY


def opened(days: float = 0, by: str = "rosa", title: str = "It breaks") -> list[Deed]:
    return [Deed(day(days), What.OPENED, by=by), Deed(day(days), What.TITLE, title, by)]


def status(days: float, to: Status, by: str = "core") -> Deed:
    return Deed(day(days), What.STATUS, to, by, member=True)


def said(days: float, by: str, text: str = "Hm.", *, member: bool = True) -> Deed:
    return Deed(day(days), What.SAID, text, by, member)


def commit(days: float, link: Link = Link.CLOSES, release: str = "") -> Deed:
    return Deed(day(days), What.COMMIT, "c0ffee Mend it", link=link, release=release)


def hit(days: float, hours: float = 1.0) -> Deed:
    return Deed(day(days), What.HIT, "job", hours=hours)


def bug(deeds: list[Deed], days: float = 1000, key: str = "own/1") -> Bug:
    found = fold(key, deeds, day(days))
    assert found is not None
    return found
