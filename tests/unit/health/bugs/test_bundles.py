"""A bundle holds what is needed, and no secret leaves in it."""

import gzip
import io
import json
import tarfile

import pytest

from kilonova.health.bugs.bundles import HIDDEN, NoBundle, cleaned, cleaned_text, packed, summary, unpacked

S = "hunter2Hunter2"
R = "Zk3pQ9xW7vB2nM5sD8fG1hJ4"
PLANTED = {
    "url": f"mysql://nova:{S}@db/nova",
    "bearer": f"Authorization: Bearer {S}",
    "basic": "Authorization: Basic aHVudGVyMjpodW50ZXIy",
    "header": f"X-Auth-Token: {S}",
    "cookie": f"Cookie: session={S}",
    "fernet": "token gAAAAABk_hunter2-Hunter2==",
    "jwt": "eyJhbGciOi.eyJzdWIiOi.SflKxwRJSM",
    "aws": "key AKIAIOSFODNN7EXAMPLE used",
    "github": "push with ghp_hunter2hunter2hunter2hunter2",
    "pem": f"-----BEGIN PRIVATE KEY-----\n{S}\n-----END PRIVATE KEY-----",
    "assigned": f"admin_password={S}&x=1",
    "json": f'{{"adminPass": "{S}", "api_key": "{S}"}}',
    "yaml": f"secret: {S}\ntransport_secret: '{S}'",
    "random": f"got {R} back",
}
LEFT = ("hunter2", "aHVudGVy", "gAAAA", "eyJhb", "AKIA", "ghp_", "SflK", R)


@pytest.mark.parametrize("kind", PLANTED)
def test_text__a_secret_of_each_kind__is_hidden(kind: str) -> None:
    found = cleaned_text(PLANTED[kind])
    assert HIDDEN in found
    assert not [one for one in LEFT if one in found]


def test_parts__secrets_by_name_however_deep__are_hidden() -> None:
    deep = {
        "up": [{"password": S, "Token": [S], "database": {"connection": f"x:{S}"}, "pin_secret": 1234, "tls_key": None}]
    }
    assert "hunter2" not in str(cleaned(deep))
    assert "1234" not in str(cleaned(deep))


@pytest.mark.parametrize(
    "text",
    [
        "server 7c0c1f2e-88aa-4a58-9a7b-1d3c5e7f9a0b is gone",
        "req-7c0c1f2e-88aa-4a58-9a7b-1d3c5e7f9a0b",
        "commit 0123456789abcdef0123456789abcdef01234567",
        "COMPUTE_STATUS_DISABLED and CUSTOM_HW_GPU_NVIDIA_A100",
        "Linux-6.1.0-13-amd64-x86_64-with-glibc2.36",
        "no host had room for 8 VCPU on rack4-node12.example.org",
    ],
)
def test_text__what_people_need__stays(text: str) -> None:
    assert cleaned_text(text) == text


def test_packed__the_same_facts__the_same_bytes_and_they_are_read_again() -> None:
    parts = {"versions": {"kilonova": "1"}, "operations": {"found": []}}
    assert packed(parts) == packed(dict(reversed(parts.items())))
    assert unpacked(packed(parts), "x").parts == parts


def test_summary__a_failed_operation__is_the_title_and_the_seed_is_told() -> None:
    failed = {"kind": "boot", "state": "failed", "error": "no host had room", "server_id": "s1"}
    bundle = unpacked(packed({"operations": {"found": [failed]}, "simulation": {"seed": 7}}), "x")
    title, text = summary(bundle)
    assert title == "boot failed: no host had room"
    assert "kilonova sim run --seeds 7..7" in text


def test_unpacked__anything_else__says_what_it_is_not() -> None:
    with pytest.raises(NoBundle):
        unpacked(b"no archive", "x")


def test_unpacked__a_part_was_changed__is_refused() -> None:
    inner = io.BytesIO(gzip.decompress(packed({"versions": {"kilonova": "1"}})))
    changed = io.BytesIO()
    with tarfile.open(fileobj=inner) as old, tarfile.open(fileobj=changed, mode="w") as new:
        for entry in old:
            data = old.extractfile(entry).read()
            data = json.dumps({"kilonova": "2"}).encode() if entry.name == "versions.json" else data
            entry.size = len(data)
            new.addfile(entry, io.BytesIO(data))
    with pytest.raises(NoBundle, match="manifest"):
        unpacked(gzip.compress(changed.getvalue()), "x")
