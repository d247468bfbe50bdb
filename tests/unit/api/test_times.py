"""Times as the Compute API writes and reads them."""

import pytest

from kilonova.api import times
from kilonova.kernel.errors import Invalid

AT = 1767225600.25


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
