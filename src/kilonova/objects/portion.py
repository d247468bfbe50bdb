"""What a server holds in placement, where that is more than so much of one provider."""

import msgspec


class Portion(msgspec.Struct, frozen=True, kw_only=True):
    """What was claimed in a tree of providers. It is what a revert claims again, and what its host makes the guest from."""

    allocations: dict[str, dict[str, int]]
    """Amounts by provider UUID and resource class."""
    groups: dict[str, tuple[str, ...]]
    """By suffix of the group that was asked for, the names of the providers that give it."""
