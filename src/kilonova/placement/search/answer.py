"""What a search finds, in parts."""

from collections.abc import Mapping, Sequence

import msgspec

from kilonova.placement.shapes import Resources


class Candidate(msgspec.Struct, frozen=True):
    """One way to give all that was asked for."""

    allocations: Mapping[int, Resources]
    """By row of the fleet."""
    mappings: Mapping[str, Sequence[int]]
    """By suffix of the group, the rows that give it."""


class Alone(msgspec.Struct, frozen=True):
    """Candidates of one provider each, which gives the only group."""

    suffix: str
    resources: Resources
    rows: Sequence[int]


class Together(msgspec.Struct, frozen=True):
    """Candidates of any form."""

    candidates: Sequence[Candidate]


Answer = Alone | Together
