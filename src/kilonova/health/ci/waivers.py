"""Waivers: a person lets changes pass without a CI, for a while. Pure."""

import msgspec

from kilonova.health.ci.facts import Waived


class Waiver(msgspec.Struct, frozen=True):
    """A waiver as it was known."""

    subject: str
    since: float
    waived: Waived
    ended_at: float | None

    def holds(self, at: float) -> bool:
        """Whether it lets anything pass at that moment."""
        return self.since <= at < min(self.waived.until, self.ended_at or self.waived.until)
