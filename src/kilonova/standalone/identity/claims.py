"""What a token says by itself: claims, signed (JWT with HS256: RFC 7519, RFC 7515).

One kind of token is made here and no other is read, so that nothing is chosen by what a token says of itself. When it ends is
for `Authority` to check.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode

import msgspec

from kilonova.kernel.errors import NotAuthenticated

TOKEN_MAX = 2048
"""Longest token looked at, in characters; ours have about 350."""


class Claims(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Who logged in how, for which scope, until when. At most one of the scopes is set."""

    audit_id: str = msgspec.field(name="jti")
    """This token's own id: what revocation names, and what logs may show."""
    parent_audit_id: str | None = msgspec.field(name="par", default=None)
    """The first token of the chain, for a token made from another."""
    user_id: str = msgspec.field(name="sub")
    series: int = msgspec.field(name="ser")
    """The user's token series at the time."""
    issued_at: float = msgspec.field(name="iat")
    expires_at: float = msgspec.field(name="exp")
    methods: tuple[str, ...] = msgspec.field(name="mtd")
    project_id: str | None = msgspec.field(name="prj", default=None)
    domain_id: str | None = msgspec.field(name="dom", default=None)
    system: bool = msgspec.field(name="sys", default=False)
    credential_id: str | None = msgspec.field(name="apc", default=None)
    """The application credential that it was made with."""

    @property
    def scope(self) -> tuple[str, str] | None:
        """Kind and target of the scope, as assignments are kept; None when unscoped."""
        if self.project_id is not None:
            return "project", self.project_id
        if self.domain_id is not None:
            return "domain", self.domain_id
        return ("system", "all") if self.system else None


_HEADER = urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').decode()
_decode = msgspec.json.Decoder(Claims).decode


def sign(claims: Claims, secret: str) -> str:
    """The token."""
    said = f"{_HEADER}.{_encoded(msgspec.json.encode(claims))}"
    return f"{said}.{_signature(said, secret)}"


def read(token: str, secret: str) -> Claims:
    """What a token of ours says. Raises `NotAuthenticated` for any other text, with no word on what is wrong with it."""
    said, _, signature = token.rpartition(".")
    header, _, payload = said.partition(".")
    ours = len(token) <= TOKEN_MAX and token.isascii() and header == _HEADER
    if not ours or not hmac.compare_digest(signature, _signature(said, secret)):
        raise NotAuthenticated
    try:
        return _decode(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (msgspec.DecodeError, ValueError) as error:
        raise NotAuthenticated from error


def _signature(said: str, secret: str) -> str:
    return _encoded(hmac.digest(secret.encode(), said.encode(), "sha256"))


def _encoded(part: bytes) -> str:
    return urlsafe_b64encode(part).rstrip(b"=").decode()
