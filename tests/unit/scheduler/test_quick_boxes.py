"""Boxes find what a look at every point finds, while points come and go."""

import random

import pytest

from kilonova.scheduler.quick.boxes import NOTHING, Boxes, Point


@pytest.mark.parametrize("seed", range(6))
def test_ends__points_come_and_go__are_those_of_the_points_that_are_there(seed: int) -> None:
    chance = random.Random(seed)
    span = chance.choice((3, 40, 10_000))

    def anywhere() -> Point:
        return (chance.randrange(span), chance.randrange(span // 2, 2 * span), chance.randrange(1 + span // 9))

    points = {anywhere() for _ in range(chance.choice((0, 20, 900)))}
    boxes = Boxes((1.0, 0.5, 2.0), points)
    for step in range(1500):
        one = chance.choice(sorted(points)) if points and chance.random() < 0.4 else anywhere()
        if one in points:
            points.remove(one)
            boxes.remove(one)
        else:
            points.add(one)
            boxes.add(one)
        if step % 25 == 0:
            least = anywhere()
            left = [point for point in points if all(map(int.__ge__, point, least))]
            for at in range(3):
                assert boxes.highest(at, least) == max((point[at] for point in left), default=-NOTHING)
                assert boxes.lowest(at, least) == min((point[at] for point in left), default=NOTHING)
    assert sorted(boxes) == sorted(points)


def test_add__many_points_in_one_corner__boxes_stay_small() -> None:
    boxes = Boxes((1.0, 1.0), [(x, y) for x in range(30) for y in range(30)])
    for x in range(40):
        for y in range(40):
            boxes.add((1000 + x, 1000 + y))
    assert max(len(boxes.within(leaf, (0, 0))) for leaf in range(16**boxes.depth)) <= 96
    assert boxes.highest(0, (0, 1039)) == 1039
