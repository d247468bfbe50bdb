"""Key pairs."""

from typing import Any

import pytest

from api.compute_rig import ADMIN, MEMBER, OTHER, Rig

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8t6Ph2tkGg0xvZAk3Ow6Xw2m1PiQYyFJBX1RA3Xpsw ann@example.org"


def import_key(rig: Rig, name: str, *, version: str = "2.92", token: str = MEMBER, **fields: Any) -> Any:
    body = {"keypair": {"name": name, "public_key": KEY, **fields}}
    return rig.ok("POST", "/os-keypairs", body, version=version, token=token, status=201)["keypair"]


def test_import__since_2_92__no_private_key(rig: Rig) -> None:
    keypair = import_key(rig, "ann@home.org")
    assert set(keypair) == {"name", "type", "public_key", "fingerprint", "user_id"}
    assert (keypair["type"], keypair["user_id"], len(keypair["fingerprint"])) == ("ssh", "ann", 47)


@pytest.mark.parametrize(("version", "keys"), [("2.1", set()), ("2.2", {"type"})])
def test_show__at_each_version__its_keys(rig: Rig, version: str, keys: set[str]) -> None:
    import_key(rig, "k")
    core = {"name", "public_key", "fingerprint"}
    row = {"user_id", "id", "created_at", "updated_at", "deleted", "deleted_at"}
    assert set(rig.ok("GET", "/os-keypairs/k", version=version, token=MEMBER)["keypair"]) == core | row | keys
    (listed,) = rig.ok("GET", "/os-keypairs", version=version, token=MEMBER)["keypairs"]
    assert set(listed["keypair"]) == core | keys


@pytest.mark.parametrize(("version", "status", "keys"), [("2.1", 200, set()), ("2.91", 201, {"type"})])
def test_create__without_public_key__made_before_2_92(rig: Rig, version: str, status: int, keys: set[str]) -> None:
    body = {"keypair": {"name": "k"}}
    keypair = rig.ok("POST", "/os-keypairs", body, version=version, status=status)["keypair"]
    assert set(keypair) == {"name", "public_key", "fingerprint", "user_id", "private_key"} | keys
    assert keypair["private_key"].startswith("-----BEGIN RSA PRIVATE KEY-----")
    assert keypair["public_key"].startswith("ssh-rsa ")


def test_create__x509__certificate_with_fingerprint(rig: Rig) -> None:
    made = rig.ok("POST", "/os-keypairs", {"keypair": {"name": "k", "type": "x509"}}, version="2.2", status=201)
    certificate = made["keypair"]["public_key"]
    assert certificate.startswith("-----BEGIN CERTIFICATE-----")
    again = {"keypair": {"name": "again", "type": "x509", "public_key": certificate}}
    imported = rig.ok("POST", "/os-keypairs", again, version="2.92", status=201)["keypair"]
    assert imported["fingerprint"] == made["keypair"]["fingerprint"]


@pytest.mark.parametrize(
    ("version", "fields"),
    [
        ("2.92", {"public_key": None}),
        ("2.92", {"public_key": "ssh-rsa nonsense"}),
        ("2.92", {"public_key": ""}),
        ("2.92", {"public_key": "-----BEGIN", "type": "x509"}),
        ("2.92", {"type": "gpg"}),
        ("2.1", {"type": "ssh"}),
        ("2.9", {"user_id": "eve"}),
        ("2.91", {"name": "a@b"}),
        ("2.92", {"name": "a/b"}),
        ("2.92", {"name": ""}),
        ("2.92", {"name": "n" * 256}),
        ("2.92", {"surprise": 1}),
    ],
)
def test_create__bad_field__400(rig: Rig, version: str, fields: dict[str, Any]) -> None:
    body = {"keypair": {"name": "k", "public_key": KEY, **fields}}
    assert rig.ask("POST", "/os-keypairs", body, version=version).status_code == 400


def test_create__name_taken__409(rig: Rig) -> None:
    import_key(rig, "k")
    body = {"keypair": {"name": "k", "public_key": KEY}}
    assert rig.ask("POST", "/os-keypairs", body, token=MEMBER).status_code == 409
    import_key(rig, "k", token=OTHER)


def test_create__over_quota__403_and_not_kept(rig: Rig) -> None:
    rig.ok("PUT", "/os-quota-class-sets/default", {"quota_class_set": {"key_pairs": 1}})
    import_key(rig, "one")
    answer = rig.ask("POST", "/os-keypairs", {"keypair": {"name": "two", "public_key": KEY}}, token=MEMBER)
    assert answer.json() == {"forbidden": {"code": 403, "message": "Quota exceeded, too many key pairs."}}


def test_other_users__admin_only_and_since_2_10(rig: Rig) -> None:
    import_key(rig, "hers")
    assert rig.ok("GET", "/os-keypairs?user_id=ann", version="2.10")["keypairs"]
    assert rig.ok("GET", "/os-keypairs?user_id=ann", version="2.9")["keypairs"] == []
    assert rig.ask("GET", "/os-keypairs?user_id=ann", version="2.10", token=OTHER).status_code == 403
    assert rig.ask("GET", "/os-keypairs/hers", version="2.10", token=OTHER).status_code == 404
    rig.ok(
        "POST",
        "/os-keypairs",
        {"keypair": {"name": "his", "public_key": KEY, "user_id": "eve"}},
        version="2.10",
        status=201,
    )
    assert rig.ok("GET", "/os-keypairs/his", token=OTHER)["keypair"]["user_id"] == "eve"
    rig.ok("DELETE", "/os-keypairs/his?user_id=eve", version="2.10", status=204)


@pytest.mark.parametrize(("version", "status"), [("2.1", 202), ("2.2", 204)])
def test_delete__status_by_version__then_404(rig: Rig, version: str, status: int) -> None:
    import_key(rig, "k", token=ADMIN)
    rig.ok("DELETE", "/os-keypairs/k", version=version, status=status)
    assert rig.ask("DELETE", "/os-keypairs/k", version=version).status_code == 404


def test_list__paging_since_2_35(rig: Rig) -> None:
    for name in "cab":
        import_key(rig, name)
    page = rig.ok("GET", "/os-keypairs?limit=2", version="2.35", token=MEMBER)
    assert [item["keypair"]["name"] for item in page["keypairs"]] == ["a", "b"]
    assert "marker=b" in page["keypairs_links"][0]["href"]
    assert len(rig.ok("GET", "/os-keypairs?limit=2", version="2.34", token=MEMBER)["keypairs"]) == 3
    assert rig.ask("GET", "/os-keypairs?marker=z", version="2.35", token=MEMBER).status_code == 400
