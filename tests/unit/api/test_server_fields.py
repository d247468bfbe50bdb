"""Fields of bodies about servers: what each takes and refuses."""

from typing import Any

import pytest

from kilonova.api.server_fields import (
    AnyIp,
    Description,
    FlavorRef,
    GuestHostname,
    ImageRef,
    IPv4,
    IPv6,
    UserData,
    Uuid,
    decoded,
)

UUID = "0e44cc9c-e052-415d-afbf-469b0d384170"


@pytest.mark.parametrize(
    ("kind", "given", "taken"),
    [
        (Uuid, UUID, UUID),
        (Uuid, UUID.replace("-", "").upper(), UUID.replace("-", "").upper()),
        (ImageRef, UUID, UUID),
        (ImageRef, f"http://cloud/images/{UUID}/", UUID),
        (ImageRef, "", ""),
        (FlavorRef, 42, "42"),
        (FlavorRef, "m1.small", "m1.small"),
        (FlavorRef, "http://cloud/flavors/42", "42"),
        (IPv4, "192.0.2.1", "192.0.2.1"),
        (IPv6, "2001:DB8:0:0::1", "2001:db8::1"),
        (AnyIp, "::1", "::1"),
        (UserData, "aGVsbG8=", "aGVsbG8="),
        (UserData, "aGVs\nbG8=\n", "aGVs\nbG8=\n"),
        (UserData, "", ""),
        (Description, "two\nlines", "two\nlines"),
        (Description, "", ""),
        (GuestHostname, "web-1.example.org", "web-1.example.org"),
    ],
)
def test_taken(kind: Any, given: object, taken: str) -> None:
    assert kind.read(given) == taken


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (Uuid, "1"),
        (Uuid, None),
        (Uuid, 7),
        (ImageRef, "cirros"),
        (ImageRef, None),
        (FlavorRef, ""),
        (FlavorRef, True),
        (FlavorRef, 1.5),
        (FlavorRef, []),
        (FlavorRef, "x" * 3000),
        (IPv4, "::1"),
        (IPv4, "192.0.2.256"),
        (IPv4, 1),
        (IPv6, "192.0.2.1"),
        (AnyIp, "nowhere"),
        (UserData, "%"),
        (UserData, "é"),
        (UserData, 7),
        (UserData, "A" * 70000),
        (Description, "x" * 256),
        (Description, "\x00"),
        (Description, 7),
        (GuestHostname, ""),
        (GuestHostname, "-web"),
        (GuestHostname, "web."),
        (GuestHostname, "a..b"),
        (GuestHostname, "web_1"),
        (GuestHostname, "a" * 64),
        (GuestHostname, "web\n"),
        (GuestHostname, 7),
    ],
)
def test_refused(kind: Any, given: object) -> None:
    with pytest.raises(ValueError, match=r"it must|it may|uuid"):
        kind.read(given)


def test_decoded__content() -> None:
    assert decoded("aGVs\nbG8=") == b"hello"
