"""Times as the Compute API writes and reads them.

Design notes. A list of a thousand servers writes three thousand times, most of them in the same few seconds: what stands before
the fraction is worded once for each second.
"""

import math
from datetime import UTC, datetime
from functools import lru_cache

from kilonova.kernel.errors import Invalid


def second(at: float) -> str:
    """`2026-03-01T12:00:00Z`: what most resources show."""
    return f"{_worded(math.floor(at))}Z"


def micro(at: float | None) -> str | None:
    """`2026-03-01T12:00:00.000000`: UTC without saying so, as services, actions and launch times show it; None for None."""
    if at is None:
        return None
    whole = math.floor(at)
    micros = round((at - whole) * 1e6)
    return f"{_worded(whole)}.{micros:06d}" if micros < 1_000_000 else f"{_worded(whole + 1)}.000000"


@lru_cache(maxsize=4096)
def _worded(at_s: int) -> str:
    """`2026-03-01T12:00:00`."""
    return datetime.fromtimestamp(at_s, UTC).isoformat()[:19]


def parse(text: str, name: str) -> float:
    """Seconds since the epoch of an ISO 8601 time; UTC where it names no zone. Raises `Invalid` naming `name`."""
    try:
        told = datetime.fromisoformat(text)
        return (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        raise Invalid(
            reason=f"Invalid input for query parameters {name}. Value: {text[:100]}. It is not an ISO 8601 time."
        ) from error
