"""What servers and their guests are called."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonova.api.server_fields import GuestHostname
from kilonova.api.server_names import HOSTNAME_MAX, guest_hostname, numbered

ID = "0e44cc9c-e052-415d-afbf-469b0d384170"


@pytest.mark.parametrize(
    ("name", "hostname"),
    [
        ("web", "web"),
        ("My Server_1.example", "my-server-1-example"),
        ("--web--", "web"),
        ("café", "cafe"),
        ("ΩΩΩ", f"server-{ID}"),
        ("...", f"server-{ID}"),
        ("a" * 80, "a" * 63),
    ],
)
def test_guest_hostname__what_a_hostname_may_hold(name: str, hostname: str) -> None:
    assert guest_hostname(name, ID) == hostname


def test_guest_hostname__suffix__kept_whole() -> None:
    assert guest_hostname("web", ID, "-12") == "web-12"
    assert guest_hostname("a" * 80, ID, "-12") == "a" * 60 + "-12"


@given(st.text(min_size=1, max_size=255), st.sampled_from(["", "-1", "-1000"]))
def test_guest_hostname__any_name__is_a_hostname(name: str, suffix: str) -> None:
    hostname = guest_hostname(name, ID, suffix)
    assert GuestHostname.read(hostname) == hostname
    assert len(hostname) <= HOSTNAME_MAX


def test_numbered__alone_and_together() -> None:
    assert numbered("web", 0, 1) == "web"
    assert [numbered("web", index, 2) for index in range(2)] == ["web-1", "web-2"]
