"""Key pairs: public keys that guests are given."""

import msgspec

from kilonova.kernel.ids import UserId


class Keypair(msgspec.Struct, frozen=True, kw_only=True):
    """One key pair (Compute API, "Keypairs"). The private half is never kept."""

    id: int
    user_id: UserId
    name: str
    type: str
    """`ssh` or `x509`."""
    public_key: str
    fingerprint: str
    created_at: float
