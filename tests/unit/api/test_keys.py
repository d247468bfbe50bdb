"""Keys and certificates."""

import pytest

from kilonova.api import keys


def test_ssh__generated__fingerprint_is_that_of_the_public_half() -> None:
    private, public = keys.ssh_generate()
    assert private.startswith("-----BEGIN RSA PRIVATE KEY-----")
    assert keys.ssh_fingerprint(public) == keys.ssh_fingerprint(" ".join(public.split()[:2]) + " other comment")
    assert len(keys.ssh_fingerprint(public).split(":")) == 16


@pytest.mark.parametrize(
    "key", ["", "ssh-rsa", "ssh-rsa AAAA", "ssh-rsa é", "-----BEGIN", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA"]
)
def test_ssh__no_key__refused(key: str) -> None:
    with pytest.raises(keys.BadKey):
        keys.ssh_fingerprint(key)


@pytest.mark.parametrize("user", ["ann", "u" * 200])
def test_certificate__generated__can_be_imported(user: str) -> None:
    private, certificate = keys.certificate_generate(user, 1767225600.0)
    assert private.startswith("-----BEGIN PRIVATE KEY-----")
    assert len(keys.certificate_fingerprint(certificate).split(":")) == 20


@pytest.mark.parametrize("pem", ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_certificate__none__refused(pem: str) -> None:
    with pytest.raises(keys.BadKey):
        keys.certificate_fingerprint(pem)
