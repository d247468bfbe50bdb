"""The checker of what clients saw: orders that fit are found, and what fits no order is named."""

import pytest

from kilonova.simulation.history import SERVER
from kilonova.simulation.linearizable import Call, misfit
from kilonova.simulation.sizes import SIZE

CREATED = Call("a", "created", 1, 2)


def _calls(*rest: tuple[str, int, int | None]) -> list[Call]:
    return [CREATED, *(Call("b", answer, began, ended) for answer, began, ended in rest)]


@pytest.mark.parametrize(
    "rest",
    [
        [("shown building", 3, 4), ("shown made", 5, 6), ("deleted", 7, 8), ("not found", 9, 10)],
        [("deleted", 3, 4), ("shown building", 5, 6), ("not found", 7, 8)],
        [("deleted", 3, 10), ("not found", 4, 5), ("not found", 6, 7)],
        [("deleted", 3, None), ("shown made", 4, 5), ("not found", 6, 7)],
        [("shown made", 3, 9), ("shown building", 4, 8)],
        [("deleted", 3, 4), ("deleted", 5, 6)],
    ],
)
def test_histories__that_some_order_explains__fit(rest: list[tuple[str, int, int | None]]):
    assert misfit(SERVER, _calls(*rest)) is None


@pytest.mark.parametrize(
    ("rest", "stuck"),
    [
        ([("not found", 3, 4), ("shown made", 5, 6)], "not found"),
        ([("shown made", 3, 4), ("shown building", 5, 6)], "shown building"),
        ([("deleted", 3, 4), ("not found", 5, 6), ("shown made", 7, 8)], "shown made"),
        ([("shown made", 3, 4), ("not found", 5, 6), ("deleted", 7, None)], "not found"),
        ([("deleted", 3, None), ("not found", 4, 5), ("shown building", 6, 7)], "shown building"),
        ([("acted on", 3, 4), ("shown building", 5, 6)], "shown building"),
    ],
)
def test_histories__that_no_order_explains__are_named(rest: list[tuple[str, int, int | None]], stuck: str):
    found = misfit(SERVER, _calls(*rest))
    assert found is not None
    assert found.answer == stuck


def test_create_without_answer__may_take_effect_late_or_never():
    asked = Call("a", "created", 1, None)
    assert misfit(SERVER, [asked, Call("a", "not found", 2, 3), Call("a", "shown building", 4, 5)]) is None
    assert misfit(SERVER, [asked, Call("a", "not found", 2, 3)]) is None


def test_refused__and_found_all_the_same__is_named():
    assert misfit(SERVER, [Call("a", "refused", 1, 2), Call("a", "not found", 3, 4)]) is None
    assert misfit(SERVER, [Call("a", "refused", 1, 2), Call("a", "shown made", 3, 4)]) is not None


def test_history__many_calls_that_overlap__is_judged_in_little_time():
    """Six clients look all the time, one of them at a frozen program for long."""
    looks = [Call(f"c{client}", "shown made", began, began + 12) for began in range(10, 2000, 7) for client in range(2)]
    slow = [Call("slow", "shown made", began, began + 400) for began in range(10, 1600, 400)]
    assert misfit(SERVER, [CREATED, *looks, *slow]) is None
    late = Call("late", "shown building", 2100, 2101)
    assert misfit(SERVER, [CREATED, *looks, *slow, late]) == late


def _sizes(*calls: tuple[str, int, int | None]) -> list[Call]:
    return [Call("a", answer, began, ended) for answer, began, ended in calls]


@pytest.mark.parametrize(
    "calls",
    [
        [
            ("resize", 1, 2),
            ("shown old", 3, 4),
            ("shown new, resized", 5, 6),
            ("confirm_resize", 7, 8),
            ("shown new", 9, 10),
        ],
        [("resize", 1, 2), ("shown new, resized", 3, 4), ("shown new", 5, 6)],
        [("resize", 1, 2), ("shown new, resized", 3, 4), ("revert_resize", 5, 6), ("shown old", 7, 8)],
        [("resize", 1, None), ("shown old", 2, 3), ("shown new, resized", 4, 5)],
        [("resize", 1, 2), ("shown old", 3, 4), ("resize", 5, 6)],
        [("migration", 1, 2), ("shown old, resized", 3, 4), ("revert_resize", 5, 6), ("shown old", 7, 8)],
        [("resize", 1, 2), ("shown new, resized", 3, 4), ("reset_state", 5, None), ("shown new", 6, 7)],
        [("shown new, resized", 1, 4), ("resize", 2, 3)],
    ],
)
def test_sizes__that_some_order_explains__fit(calls: list[tuple[str, int, int | None]]):
    assert misfit(SIZE, _sizes(*calls)) is None


@pytest.mark.parametrize(
    "calls",
    [
        [("shown old, resized", 1, 2)],
        [("resize", 1, 2), ("shown new", 3, 4), ("shown old", 5, 6)],
        [("resize", 1, 2), ("shown new, resized", 3, 4), ("shown old", 5, 6)],
        [("resize", 1, 2), ("confirm_resize", 3, 4), ("shown old", 5, 6)],
        [("resize", 1, 2), ("confirm_resize", 3, 4), ("shown new", 5, 6), ("shown new, resized", 7, 8)],
        [("resize", 1, 2), ("revert_resize", 3, 4), ("shown old", 5, 6), ("shown new", 7, 8)],
        [("migration", 1, 2), ("shown new, resized", 3, 4)],
        [("shown new, resized", 1, 2), ("resize", 3, 4)],
    ],
)
def test_sizes__that_no_order_explains__are_named(calls: list[tuple[str, int, int | None]]):
    assert misfit(SIZE, _sizes(*calls)) is not None
