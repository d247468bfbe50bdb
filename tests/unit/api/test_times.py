"""Times as the Compute API writes and reads them."""

from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kilonova.api import times
from kilonova.kernel.errors import Invalid

AT = 1767225600.25
MOMENTS = st.floats(min_value=0, max_value=4e9, allow_nan=False)


def test_write__utc() -> None:
    assert times.second(AT) == "2026-01-01T00:00:00Z"
    assert times.micro(AT) == "2026-01-01T00:00:00.250000"
    assert times.micro(None) is None


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-01T00:00:00.25Z",
        "2026-01-01T01:00:00.25+01:00",
        "2026-01-01 00:00:00.250",
        "2026-01-01T00:00:00.250000",
    ],
)
def test_parse__any_iso_form__seconds(text: str) -> None:
    assert times.parse(text, "changes-since") == AT


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "9" * 400, "2026-01-01T00:00:00+99:00"])
def test_parse__no_time__names_the_parameter(text: str) -> None:
    with pytest.raises(Invalid, match="changes-since"):
        times.parse(text, "changes-since")


@given(MOMENTS)
@example(1.9999996)
@example(0.9999999999)
def test_second_and_micro__as_the_standard_library(at: float) -> None:
    told = datetime.fromtimestamp(at, UTC)
    assert times.micro(at) == told.isoformat(timespec="microseconds")[:26]
    assert times.second(at) == f"{datetime.fromtimestamp(int(at), UTC).isoformat()[:19]}Z"


@given(MOMENTS)
def test_parse__what_was_told__to_the_microsecond(at: float) -> None:
    assert abs(times.parse(times.micro(at) or "", "x") - at) < 1e-6
