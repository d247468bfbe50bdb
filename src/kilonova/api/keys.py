"""Keys and certificates: made, and known by their fingerprints. All of it blocks: run it off the loop."""

import base64
import binascii
import datetime
import hashlib

from kilonova.kernel.errors import Invalid

RSA_BITS = 2048
CERTIFICATE_DAYS = 3650
_UPN = "1.3.6.1.4.1.311.20.2.3"
"""Object identifier of a Windows user's principal name: what WinRM takes a certificate's owner from."""


class BadKey(Invalid):
    """Keypair data is invalid: {reason}"""

    code = "bad-key"


def ssh_fingerprint(public_key: str) -> str:
    """The MD5 fingerprint of an OpenSSH public key, as pairs of hex digits. Raises `BadKey`."""
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - costs 30 ms, and few requests need it
    from cryptography.hazmat.primitives.serialization import load_ssh_public_key  # noqa: PLC0415

    try:
        load_ssh_public_key(public_key.strip().encode())
        blob = base64.b64decode(public_key.split()[1])
    except (ValueError, IndexError, UnsupportedAlgorithm, binascii.Error) as error:
        raise BadKey(reason="failed to generate fingerprint") from error
    return _pairs(hashlib.md5(blob, usedforsecurity=False).digest())


def ssh_generate() -> tuple[str, str]:
    """A new RSA key: the private half as PEM, the public half in OpenSSH's form."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415

    key = rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return private.decode(), f"{public.decode()} Generated-by-Kilonova"


def certificate_fingerprint(pem: str) -> str:
    """The SHA-1 fingerprint of an X.509 certificate in PEM, as pairs of hex digits. Raises `BadKey`."""
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives.hashes import SHA1  # noqa: PLC0415

    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
    except ValueError as error:
        raise BadKey(reason="failed to generate X509 fingerprint") from error
    return _pairs(certificate.fingerprint(SHA1()))  # noqa: S303 - a name for people, not a seal


def certificate_generate(user_id: str, now: float) -> tuple[str, str]:
    """A new self-signed certificate for a user of Windows guests (WinRM): private key and certificate, both PEM."""
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID  # noqa: PLC0415

    key = rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, user_id[:64])])
    start = datetime.datetime.fromtimestamp(now, datetime.UTC)
    principal = x509.OtherName(x509.ObjectIdentifier(_UPN), _utf8_string(f"{user_id}@localhost"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=CERTIFICATE_DAYS))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([principal]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private.decode(), certificate.public_bytes(serialization.Encoding.PEM).decode()


def _utf8_string(text: str) -> bytes:
    """`text` in DER, as an extension holds it."""
    raw = text.encode()
    size = len(raw)
    if size < 128:
        return b"\x0c" + bytes([size]) + raw
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return b"\x0c" + bytes([0x80 | len(length)]) + length + raw


def _pairs(digest: bytes) -> str:
    return digest.hex(":")
