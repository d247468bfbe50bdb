"""Times as the Compute API writes and reads them."""

from datetime import UTC, datetime

from kilonova.kernel.errors import Invalid


def second(at: float) -> str:
    """`2026-03-01T12:00:00Z`: what most resources show."""
    return f"{datetime.fromtimestamp(at, UTC).isoformat()[:19]}Z"


def micro(at: float | None) -> str | None:
    """`2026-03-01T12:00:00.000000`: UTC without saying so, as services, actions and launch times show it; None for None."""
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds")[:26]


def parse(text: str, name: str) -> float:
    """Seconds since the epoch of an ISO 8601 time; UTC where it names no zone. Raises `Invalid` naming `name`."""
    try:
        told = datetime.fromisoformat(text)
        return (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        raise Invalid(
            reason=f"Invalid input for query parameters {name}. Value: {text[:100]}. It is not an ISO 8601 time."
        ) from error
