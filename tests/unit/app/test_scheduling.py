"""The scheduler as configured: ours by name, and what other packages bring."""

from pathlib import Path

import pytest

from kilonova.app.scheduling import BadPlugin, NoSuchWeigher, filters_of, weighers_of
from kilonova.scheduler.filters import NoSuchFilter
from kilonova.scheduler.options import SchedulerOptions

RACKS = Path(__file__).parents[3] / "examples" / "scheduler-plugin"
POINTS = """
[kilonova.scheduler.filters]
RackFilter = racks:RACK_FILTER
NotOne = racks:QUIET_RACK_WEIGHER
NotThere = racks:NOTHING
[kilonova.scheduler.weighers]
QuietRackWeigher = racks:QUIET_RACK_WEIGHER
"""


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example, as a package manager would have put it there."""
    (tmp_path / "racks-1.0.dist-info").mkdir()
    (tmp_path / "racks-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: racks\nVersion: 1.0\n")
    (tmp_path / "racks-1.0.dist-info" / "entry_points.txt").write_text(POINTS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.syspath_prepend(RACKS)


def test_filters__named_by_entry_points__are_asked_in_their_place() -> None:
    names = [one.name for one in filters_of(SchedulerOptions(enabled_filters=("RackFilter", "ComputeFilter")))]
    assert names[-4:-2] == ["RackFilter", "ComputeFilter"]


@pytest.mark.parametrize(
    ("name", "refusal"),
    [("Nobody", NoSuchFilter), ("NotOne", BadPlugin), ("NotThere", BadPlugin)],
)
def test_filters__name_of_nothing_that_filters__refused(name: str, refusal: type[Exception]) -> None:
    with pytest.raises(refusal, match=name):
        filters_of(SchedulerOptions(enabled_filters=(name,)))


@pytest.mark.parametrize(("text", "multiplier"), [("QuietRackWeigher", 1.0), ("QuietRackWeigher=2.5", 2.5)])
def test_weighers__named_by_entry_points__with_their_own_multiplier_or_the_one_given(
    text: str, multiplier: float
) -> None:
    last = weighers_of(SchedulerOptions(custom_weighers=(text,)))[-1]
    assert (last.name, last.multiplier) == ("QuietRackWeigher", multiplier)
    with pytest.raises(NoSuchWeigher, match="Nobody"):
        weighers_of(SchedulerOptions(custom_weighers=("Nobody",)))
