"""Faults: counted, numbered, each kind from a stream of its own, and left out on demand."""

import msgspec

from kilonova.simulation.difference import parting, shape
from kilonova.simulation.faults import QUIET, Faults

HALF = msgspec.structs.replace(QUIET, db_refused=0.5, call_refused=0.5)


def test_kinds__draw_from_streams_of_their_own():
    alone, mixed = Faults(HALF, 7), Faults(HALF, 7)
    expected = [alone.strikes("db_refused") for _ in range(50)]
    found = []
    for _ in range(50):
        mixed.strikes("call_refused")
        found.append(mixed.strikes("db_refused"))
    assert found == expected
    assert 10 < sum(expected) < 40


def test_without__one_fault__the_others_strike_as_before():
    every = Faults(HALF, 3)
    without = Faults(HALF, 3, without=("db_refused#2",))
    for _ in range(40):
        every.strikes("db_refused")
        without.strikes("db_refused")
    assert without.struck == [one for one in every.struck if one != "db_refused#2"]
    assert without.counts["db_refused"] == every.counts["db_refused"] - 1


def test_without__a_kind__it_never_strikes():
    faults = Faults(HALF, 3, without=("kill",))
    assert not faults.ordered("kill")
    assert faults.ordered("freeze")
    assert faults.total == 1


def test_off__nothing_strikes():
    faults = Faults(HALF, 3)
    faults.on = False
    assert not any(faults.strikes("db_refused") for _ in range(20))


def test_shape__of_a_line__has_no_time_no_id_and_no_number():
    line = "12.5 kill of 8b1f9c1e-0000-4000-8000-0123456789ab on cell1-host-1-1 db_slow#3 for 0.250 s"
    assert shape(line) == "N kill of ID on cell1-host-1-1 db_slowN for N s"


def test_parting__same_shapes_are_common_and_the_first_other_one_is_shown():
    here = ["1.0 start api 1", "2.0 kill api", "3.0 start api 2"]
    there = ["1.5 start api 1", "2.5 freeze api"]
    found = parting(here, there)
    assert (found.common, found.here[0], found.there) == (1, "2.0 kill api", ("2.5 freeze api",))
