"""Negotiation: what headers ask for, and what the reply says."""

import pytest
from starlette.datastructures import Headers

from kilonova.kernel.versions import Line
from kilonova.web.negotiation import MalformedVersion, Negotiation, UnsupportedVersion

LINE = Line("api", (("2.1", ()), ("2.2", ()), ("2.10", ())))
COMPUTE = Negotiation("compute", LINE, "X-OpenStack-Nova-API-Version")


@pytest.mark.parametrize(
    ("headers", "label"),
    [
        ({}, "2.1"),
        ({"OpenStack-API-Version": "compute 2.2"}, "2.2"),
        ({"OpenStack-API-Version": "compute  2.10 "}, "2.10"),
        ({"OpenStack-API-Version": "Compute latest"}, "2.10"),
        ({"OpenStack-API-Version": "volume 3.1, compute 2.2"}, "2.2"),
        ({"OpenStack-API-Version": "volume 3.1"}, "2.1"),
        ({"X-OpenStack-Nova-API-Version": "2.2"}, "2.2"),
        ({"X-OpenStack-Nova-API-Version": "latest"}, "2.10"),
        ({"X-OpenStack-Nova-API-Version": "2.2", "OpenStack-API-Version": "compute 2.10"}, "2.10"),
        ({"X-OpenStack-Nova-API-Version": "2.2", "OpenStack-API-Version": "volume 3.0"}, "2.2"),
    ],
)
def test_level__headers__version_asked_for(headers: dict[str, str], label: str) -> None:
    assert COMPUTE.level(Headers(headers)).label == label


@pytest.mark.parametrize("asked", ["2", "2.x", "2.1.1", "02.1", "2.01", "-2.1", "newest", "2.1 2.2", "2.²", ""])
def test_level__malformed__said(asked: str) -> None:
    with pytest.raises(MalformedVersion):
        COMPUTE.level(Headers({"OpenStack-API-Version": f"compute {asked}"}))


@pytest.mark.parametrize("asked", ["2.3", "2.11", "1.1", "3.0"])
def test_level__not_served__says_what_is(asked: str) -> None:
    with pytest.raises(UnsupportedVersion, match=r"Minimum is 2\.1 and maximum is 2\.10"):
        COMPUTE.level(Headers({"OpenStack-API-Version": f"compute {asked}"}))


def test_headers__both_names_and_vary() -> None:
    assert COMPUTE.headers(LINE.level("2.2")) == (
        ("OpenStack-API-Version", "compute 2.2"),
        ("Vary", "OpenStack-API-Version"),
        ("X-OpenStack-Nova-API-Version", "2.2"),
        ("Vary", "X-OpenStack-Nova-API-Version"),
    )
