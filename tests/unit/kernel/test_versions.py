"""The kernel of all version lines: levels compose changes."""

from typing import Any

import pytest

from kilonova.kernel.errors import Invalid
from kilonova.kernel.versions import (
    Change,
    Line,
    UnknownField,
    accepted,
    added,
    ignored_before,
    refused,
    renamed,
    withdrawn,
)

LINE = Line(
    "test",
    (
        ("1", ()),
        (
            "2",
            (
                added("thing", "colour", "size.depth", name="colour", why="w"),
                accepted("wish", "colour", name="wish", why="w"),
            ),
        ),
        (
            "3",
            (renamed("thing", "title", "name", name="named", why="w"), ignored_before("query", "q", name="q", why="w")),
        ),
        (
            "4",
            (
                withdrawn("thing", "weight", name="weightless", why="w"),
                refused("wish", "weight", name="light", why="w"),
            ),
        ),
    ),
)
NEWEST = {"name": "n", "colour": "red", "size": {"depth": 1, "width": 2}, "weight": 9}


def newest() -> dict[str, Any]:
    return {**NEWEST, "size": dict(NEWEST["size"])}  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("label", "told"),
    [
        ("4", {"name": "n", "colour": "red", "size": {"depth": 1, "width": 2}}),
        ("3", NEWEST),
        ("2", {"title": "n", "colour": "red", "size": {"depth": 1, "width": 2}, "weight": 9}),
        ("1", {"title": "n", "size": {"width": 2}, "weight": 9}),
    ],
)
def test_down__each_level__its_own_shape(label: str, told: dict[str, Any]) -> None:
    assert LINE.level(label).down("thing", newest()) == told


def test_down__nested_path_missing__left_alone() -> None:
    assert LINE.level("1").down("thing", {"size": 3}) == {"size": 3}
    assert LINE.level("1").down("thing", {}) == {}


def test_up__renamed__read_as_newest() -> None:
    assert LINE.level("2").up("thing", {"title": "n"}) == {"name": "n"}


@pytest.mark.parametrize(("label", "field"), [("1", "colour"), ("4", "weight")])
def test_up__field_of_another_level__refused(label: str, field: str) -> None:
    with pytest.raises(UnknownField, match=field):
        LINE.level(label).up("wish", {field: 1})


@pytest.mark.parametrize("label", ["2", "3"])
def test_up__field_while_it_is_known__kept(label: str) -> None:
    assert LINE.level(label).up("wish", {"colour": 1, "weight": 2}) == {"colour": 1, "weight": 2}


def test_up__query_before_its_time__ignored() -> None:
    assert LINE.level("2").up("query", {"q": 1, "p": 2}) == {"p": 2}
    assert LINE.level("3").up("query", {"q": 1}) == {"q": 1}


def test_up__shape_without_changes__as_it_is() -> None:
    assert LINE.level("1").up("other", {"x": 1}) == {"x": 1}


def test_level__has_and_at_least__by_position() -> None:
    level = LINE.level("3")
    assert (level.has("colour"), level.has("named"), level.has("weightless")) == (True, True, False)
    assert (level.at_least("3"), level.at_least("4")) == (True, False)
    with pytest.raises(KeyError):
        level.has("nothing of the kind")


def test_level__asked_twice__the_same() -> None:
    assert LINE.level("2") is LINE.level("2")
    assert LINE.newest is LINE.level("4")
    with pytest.raises(KeyError):
        LINE.level("5")


def test_up__change_that_refuses__its_own_words() -> None:
    def refuse(_doc: dict[str, Any]) -> None:
        raise Invalid(reason="not yet")

    line = Line("test", (("1", ()), ("2", (Change(name="c", shape="s", why="w", up=refuse),))))
    with pytest.raises(Invalid, match="not yet"):
        line.level("1").up("s", {})
    assert line.level("2").up("s", {}) == {}


def test_line__name_or_label_twice__refused() -> None:
    change = added("thing", "x", name="same", why="w")
    with pytest.raises(ValueError, match="change named twice: same"):
        Line("test", (("1", (change,)), ("2", (change,))))
    with pytest.raises(ValueError, match="label named twice: 1"):
        Line("test", (("1", ()), ("1", ())))


def test_changes__oldest_first_with_labels() -> None:
    assert [(label, change.name) for label, change in LINE.changes()] == [
        ("2", "colour"),
        ("2", "wish"),
        ("3", "named"),
        ("3", "q"),
        ("4", "weightless"),
        ("4", "light"),
    ]
