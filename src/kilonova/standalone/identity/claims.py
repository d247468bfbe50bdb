"""What a token says by itself: claims, signed (JWT with HS256, RFC 7519)."""

from typing import TYPE_CHECKING

import msgspec

from kilonova.kernel.errors import NotAuthenticated

if TYPE_CHECKING:
    import jwt.types

TOKEN_MAX = 2048
"""Longest token looked at, in characters; ours have about 350."""

_ALGORITHM = "HS256"
# The clock is the runtime's, so the library's own checks of times are off; `Authority` checks the end.
_OPTIONS: "jwt.types.Options" = {
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
    "require": ["jti", "sub", "exp", "iat"],
}


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


def sign(claims: Claims, secret: str) -> str:
    """The token."""
    import jwt  # noqa: PLC0415 - brings the cryptography library along: 30 ms

    return jwt.encode(msgspec.to_builtins(claims), secret, algorithm=_ALGORITHM)


def read(token: str, secret: str) -> Claims:
    """What a token of ours says. Raises `NotAuthenticated` for any other text, with no word on what is wrong with it."""
    import jwt  # noqa: PLC0415 - as above

    if len(token) > TOKEN_MAX:
        raise NotAuthenticated
    try:
        document = jwt.decode(token, secret, algorithms=[_ALGORITHM], options=_OPTIONS)
        return msgspec.convert(document, Claims)
    except (jwt.PyJWTError, msgspec.ValidationError, ValueError) as error:
        raise NotAuthenticated from error
